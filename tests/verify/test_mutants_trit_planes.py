"""Planted faults of the trit-plane engines and of the block engine around every datapath."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from planting import ANOTHER_BEAT, OTHER_EDGES, Mutant, plant

from bitweight.rtl import emit
from bitweight.rtl.build import module_name
from bitweight.sim import design
from bitweight.sim.datapath import draw
from bitweight.verify import Work, check_engine

pytestmark = pytest.mark.slow

PLANES, NINE = "addsub/trit_planes", "addsub/trit_nine"
# Groups of one beat: results set the pace.
SHORT = f"{NINE} pe.format.group=8"
ANY_FAULT = rf"{ANOTHER_BEAT}|{OTHER_EDGES}|c (delivers|changes) .*"

MUTANTS = [
    Mutant("planes exchanged", PLANES, "_cell", r"acc\[31:16\]", "acc_0"),
    Mutant("halves of a nibble exchanged", PLANES, "_column", r"out\[1:0\]", "units[1:0]"),
    Mutant("a lane takes its neighbour's nibble", PLANES, "_column", r"out\[3:2\]", "units[3:2]"),
    Mutant("3 x is one less", NINE, "_row", "thrice_3", "({old}) - 10'd1"),
    Mutant("a new sum keeps the old one", PLANES, "_cell", "first_register_0", "1'h0"),
    Mutant("a tile's last group is not its last", NINE, "_control", "last", "1'h0", ANY_FAULT),
    Mutant("a third group overwrites", SHORT, "_buffer", "has_room", "1'h1", ANY_FAULT),
]


def works(pe: Any) -> Iterator[Work]:
    rng = np.random.default_rng(4)
    for m, n, k in ((3, 4, 300), (1, 2, 9)):
        a = rng.integers(-128, 128, (m, k))
        yield Work(f"drawn {m}x{k}x{n}", a, draw(pe, rng, k=k, n=n))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_bench_catches(mutant: Mutant) -> None:
    name, *settings = mutant.design.split()
    spec: Any = design(name, settings).small
    text = emit(spec)
    broken = plant(text, module_name(spec.name), mutant)
    outcomes = check_engine(spec, list(works(spec.pe)), verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    assert re.fullmatch(mutant.fault, first.fault), first.fault
    assert first.stalls == mutant.stalls

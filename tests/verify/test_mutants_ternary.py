"""Planted faults of the engines for bitnet.cpp's formats: I2_S, TL1 and TL2."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from planting import ANOTHER_BEAT, OTHER_EDGES, Mutant, plant

from bitweight.rtl import emit
from bitweight.rtl.build import module_name
from bitweight.sim import DATAPATHS
from bitweight.sim.datapath import draw
from bitweight.verify import Work, check_engine

pytestmark = pytest.mark.slow

I2_S, TL1, TL2 = "addsub/i2_s", "lookup/tl1", "lookup/tl2"
ANY_FAULT = rf"{ANOTHER_BEAT}|{OTHER_EDGES}|c (delivers|changes) .*|. accepts .*"

MUTANTS = [
    Mutant("what is subtracted misses its sign", I2_S, "_row", "minus_3", "x[31:24]"),
    Mutant("codes of a byte exchanged", I2_S, "_column", r"out\[3:2\]", "units[9:8]"),
    Mutant("a quarter of the lanes is left out", I2_S, "_cell", "part_sum_16_0", "11'h0"),
    Mutant("nibbles of a byte exchanged", TL1, "_column", r"out\[3:0\]", "units[3:0]"),
    Mutant("an entry is one too great", TL1, "_row", "entry_2_5", "({old}) + 9'd1"),
    Mutant("an entry of a triple is one too small", TL2, "_row", "entry_7_12", "({old}) - 10'd1"),
    Mutant("a triple misses its sign", TL2, "_column", "sign_3", "1'h0"),
    Mutant("negative triples are inverted only", TL2, "_column", "count", "4'h0"),
    Mutant("a triple adds its neighbour's entry", TL2, "_cell", "term_3", "term_2"),
    Mutant("the tail is read as triples", TL2, "", "tail_register", "1'h0"),
    Mutant(
        "the last tile is taken for the tail", TL2, "_control", "tail", "k_left <= 96", ANY_FAULT
    ),
]


def works(name: str) -> Iterator[Work]:
    pe = DATAPATHS[name].pe
    rng = np.random.default_rng(4)
    for m, n, k in ((3, 4, 224), (1, 2, 96)):
        a = rng.integers(-127, 128, (m, k))
        yield Work(f"drawn {m}x{k}x{n}", a, draw(pe, rng, k=k, n=n))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_bench_catches(mutant: Mutant) -> None:
    spec = DATAPATHS[mutant.design].small
    broken = plant(emit(spec), module_name(spec.name), mutant)
    outcomes = check_engine(spec, list(works(mutant.design)), verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    assert re.fullmatch(mutant.fault, first.fault), first.fault

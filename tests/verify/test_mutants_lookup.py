"""Planted faults of the look-up datapaths of sign planes: the bench must see every one of them."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from planting import ANOTHER_BEAT, Mutant, plant

from bitweight.rtl import emit
from bitweight.rtl.build import module_name
from bitweight.sim import design
from bitweight.sim.datapath import draw
from bitweight.verify import Work, check_engine

pytestmark = pytest.mark.slow

BCQ, SHIFT_ADD = "lookup/bcq", "lookup/shift_add"
SHORT_KEYS = "pe.mu=4"

MUTANTS = [
    (Mutant("entry one too great", BCQ, "_row", "entry_0_77", "({old}) + 11'd1"), ""),
    (Mutant("half's sum without its sign", BCQ, "_row", "low_0_3_0", "-({old})"), ""),
    (Mutant("read entry without its sign", BCQ, "_column", r"out\[7:0\]", "({old}) & 8'h7f"), ""),
    (Mutant("complement not taken", BCQ, "_column", r"out\[15:8\]", "units[15:8]"), ""),
    (Mutant("planes exchanged", BCQ, "_column", r"out\[23:16\]", "out[7:0]"), ""),
    (Mutant("activations' sum left out", BCQ, "_cell", "beat_sum_3", "read_0_0"), ""),
    (Mutant("keys exchanged", BCQ, "_column", r"out\[3:0\]", "out[7:4]"), SHORT_KEYS),
    (Mutant("second table is the first", BCQ, "_row", "entry_1_3", "entry_0_3"), SHORT_KEYS),
    (Mutant("shift one too far", SHIFT_ADD, "_cell", "shift_register_4_0", "({old}) + 4'd1"), ""),
    (Mutant("no term adds one", SHIFT_ADD, "_cell", "is_none_8", "1'h0"), ""),
    (Mutant("a term left out", SHIFT_ADD, "_cell", "is_none_2", "1'h1"), ""),
    (Mutant("shift of another plane", SHIFT_ADD, "_column", r"out\[39:36\]", "side[3:0]"), ""),
    (Mutant("entry of the beat behind", SHIFT_ADD, "_cell", "entry_1", "entry_0"), ""),
    (Mutant("sum without its sign", SHIFT_ADD, "_cell", "acc", "({old}) & 42'h1ffffffffff"), ""),
    (Mutant("tables of 4 not joined", SHIFT_ADD, "_cell", "entry_2", "read_4"), SHORT_KEYS),
]


def works(spec: Any) -> Iterator[Work]:
    rng = np.random.default_rng(4)
    n = spec.n_multiple
    for m, k in ((3, 300), (1, 9)):
        a = rng.integers(-128, 128, (m, k))
        yield Work(f"drawn {m}x{k}", a, draw(spec.pe, rng, k=k, n=n if n > 1 else 4))


@pytest.mark.parametrize(("mutant", "setting"), MUTANTS, ids=[m.name for m, _ in MUTANTS])
def test_the_bench_catches(mutant: Mutant, setting: str) -> None:
    settings = ["rows=2", "columns=3", *([setting] if setting else [])]
    spec: Any = design(mutant.design, settings)
    broken = plant(emit(spec), module_name(spec.name), mutant)
    outcomes = check_engine(spec, list(works(spec)), verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    assert re.fullmatch(ANOTHER_BEAT, first.fault), first.fault

"""Planted faults: each is one edit of emitted Verilog, and the bench must see every one of them."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from planting import OTHER_EDGES, Mutant, plant

from bitweight.rtl import emit
from bitweight.rtl.build import module_name
from bitweight.sim import ENGINES, design
from bitweight.verify import Work, check_engine

pytestmark = pytest.mark.slow

# ``OVERLAPPED`` is systolic_os/mac with ``overlap_drain``.
MAC, CARRY_SAVE, OVERLAPPED = "systolic_os/mac", "systolic_os/carry_save", "overlapped"

MUTANTS = [
    # The PE: a Booth digit of one selects 2b; a row loses its negation, or its sign; words.
    Mutant("Booth select swapped", CARRY_SAVE, "_cell_pe", "one1", "two1"),
    Mutant("negate bit lost", CARRY_SAVE, "_cell_pe", "negate0", "1'h0"),
    Mutant("sign constant dropped", CARRY_SAVE, "_cell_pe", r"row3\[8\]", "~({old})"),
    Mutant("carry not shifted", CARRY_SAVE, "_cell_pe", "carry", "{{ 1'h0, carry_register }}"),
    # The array: sums are never cleared; row 1 gets its operands with those of row 0.
    Mutant("clear tag stuck", MAC, "_cell", "clear_next", "1'h0"),
    Mutant("skew one stage short", MAC, "_array", "a_skew_1_1", "a[15:8]"),
    # The drain: a row is forgotten; everything is right, but an edge late.
    Mutant(
        "last row dropped",
        MAC,
        "_drain",
        "rows_left",
        "start && start_rows != 1 ? start_rows - 1'h1 : {old}",
    ),
    Mutant(
        "drain one edge late",
        MAC,
        "_drain",
        "settling",
        "start ? ({old}) + 1'h1 : {old}",
        OTHER_EDGES,
    ),
    # Handshakes, which only stalls show: a beat of a is taken while b has none; a result that
    # waits changes, or is taken back.
    Mutant("stall loses a beat", MAC, "", "a__ready", "({old}) | ~b__valid", stalls=True),
    Mutant(
        "waiting result changes",
        CARRY_SAVE,
        "_drain(_port)?",
        "c__payload",
        "c__valid && !c__ready ? ~c__payload : {old}",
        r"edge \d+: c changes a beat that was not accepted",
        stalls=True,
    ),
    Mutant(
        "waiting result taken back",
        CARRY_SAVE,
        "_drain(_port)?",
        "c__valid",
        "({old}) && !(c__valid && !c__ready)",
        r"edge \d+: c takes back a beat that was not accepted",
        stalls=True,
    ),
    # The result buffer: rows of a column change places; a tile ends on top of one that waits.
    Mutant("buffer rows mixed up", OVERLAPPED, "_drain", "port__addr", "({old}) ^ 1'h1"),
    Mutant("buffer overrun", OVERLAPPED, "_drain", "blocks_last_beat", "1'h0"),
    # The other engines, each at its small size: what only they have.
    Mutant("loaded weights never used", "systolic_ws/mac", "_cell", "swap_next", "1'h0"),
    Mutant("sum at the face never cleared", "cube/mac", "_face_place", "clear_next", "1'h0"),
    Mutant(
        "digit of one lane without sign",
        "adder_tree/same_weight",
        "_array_encoder_1",
        "negate2",
        "1'h0",
    ),
    Mutant("no shift between bit-weights", "matrix_2d/same_weight", "", "shift", "1'h0"),
    Mutant(
        "broadcast tile read too early",
        "matrix_2d/mac",
        "_drain",
        "settling",
        "start ? 1'h0 : {old}",
    ),
    Mutant(
        "carry between digits lost",
        "column/shared_encoder",
        "_column_list_0_recoder_2",
        "carry0",
        "1'h0",
    ),
    Mutant(
        "one lane fetches its neighbour's b",
        "column/grouped",
        "_column_list_1",
        "address",
        "({old}) ^ 1'h1",
    ),
    Mutant("digit of one queue without sign", "column/dealt", "_lane_1", "negate1", "1'h0"),
    Mutant("adder input stuck", "bit_slice/bit_serial", "_pe", "add5_sum", "1'h0"),
    Mutant(
        "exponent of one lane wrong", "bit_slice/laconic", "_pe", "exponent_3", "({old}) ^ 1'h1"
    ),
]


def small_engine(name: str) -> Any:
    if name not in {MAC, CARRY_SAVE, OVERLAPPED}:
        return ENGINES[name].small
    overlap = "true" if name == OVERLAPPED else "false"
    entry = MAC if name == OVERLAPPED else name
    return design(entry, ("rows=3", "cols=2", f"overlap_drain={overlap}"))


def works() -> Iterator[Work]:
    rng = np.random.default_rng(2)
    for m, n, k in ((7, 3, 9), (4, 5, 1), (2, 4, 3)):
        a, b = rng.integers(-128, 128, (m, k)), rng.integers(-128, 128, (k, n))
        yield Work(f"drawn {m}x{k}x{n}", a, b)
    yield Work("least codes", np.full((3, 5), -128), np.full((5, 2), -128))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_bench_catches(mutant: Mutant) -> None:
    spec = small_engine(mutant.design)
    text = emit(spec)
    broken = plant(text, module_name(spec.name), mutant)
    assert broken != text
    outcomes = check_engine(spec, list(works()), verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    print(f"{mutant.name}: {first.fault}")  # noqa: T201 - shown with -rP: how faults are reported
    assert re.fullmatch(mutant.fault, first.fault), first.fault
    assert first.stalls == mutant.stalls

"""Engines behind a decoder on the emitted Verilog, and faults planted in the decoder."""

import re
from typing import Any

import pytest
from planting import ANOTHER_BEAT, Mutant, plant

from bitweight.rtl import emit
from bitweight.rtl.build import module_name
from bitweight.sim import design
from bitweight.verify import check_engine
from bitweight.verify.plan import plan_checks

pytestmark = pytest.mark.slow

TABLE, DUAL = "systolic_os/mac/int8xnf3", "systolic_os/mac/int8xdual_grained"
MISSED = rf"{ANOTHER_BEAT}|s accepts \d+ beats, model \d+|c delivers \d+ beats, model \d+"
MUTANTS = [
    Mutant("a beat that waits is overwritten", TABLE, "_decoder", "has_room", "1'h1"),
    Mutant("side integers kept for ever", DUAL, "_decoder", "side", "side_register"),
    Mutant("side integers serve a beat less", DUAL, "_decoder", "needs_side", "beats_left <= 1"),
    Mutant(
        "a beat does not wait for its side integers",
        DUAL,
        "_decoder",
        "taken",
        "has_room & codes__valid",
        stalls=True,
    ),
]


@pytest.mark.parametrize(
    "name",
    [
        "adder_tree/mac/int8xnf4",
        "cube/carry_save/int8xdual_grained",
        "systolic_ws/mac/int8xi2_s",
        "matrix_2d/same_weight/int8xdual_grained",
        "column/grouped/int8xtrit_nine",
    ],
)
def test_bits_and_edges_equal_the_model(name: str) -> None:
    small = plan_checks(design(name))[1]
    outcomes = check_engine(small.spec, small.works, seed=small.seed)
    assert [outcome.fault for outcome in outcomes if outcome.fault] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_bench_catches(mutant: Mutant) -> None:
    small: Any = plan_checks(design(mutant.design))[1]
    text = emit(small.spec)
    broken = plant(text, module_name(small.spec.name), mutant)
    outcomes = check_engine(small.spec, small.works, seed=small.seed, verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    assert re.fullmatch(MISSED, first.fault), first.fault
    assert first.stalls == mutant.stalls

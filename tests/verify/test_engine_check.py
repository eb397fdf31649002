"""A design's Verilog against its model, as a user runs it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bitweight.rtl import emit
from bitweight.sim import DESIGNS, ENGINES
from bitweight.verify import Work, check_designs, check_engine

# Builds take longer than five seconds on a busy machine.
pytestmark = pytest.mark.slow


def small_works() -> list[Work]:
    rng = np.random.default_rng(0)
    drawn = rng.integers(-128, 128, (5, 3)), rng.integers(-128, 128, (3, 6))
    return [Work("drawn", *drawn), Work("least", np.full((1, 1), -128), np.full((1, 1), -128))]


@pytest.mark.parametrize("name", ENGINES)
def test_edges_equal_cycles_and_stalls_lose_no_beat(name: str) -> None:
    outcomes = check_engine(DESIGNS[name].small, small_works())
    assert [outcome.fault for outcome in outcomes] == ["", "", "", ""]
    assert [(outcome.work, outcome.stalls) for outcome in outcomes] == [
        ("drawn", False),
        ("least", False),
        ("drawn", True),
        ("least", True),
    ]
    drawn, least, slow_drawn, _ = outcomes
    assert (drawn.m, drawn.n, drawn.k) == (5, 6, 3)
    assert (drawn.edges, least.edges) == (drawn.cycles, least.cycles)
    # Not always more: a stall can hide behind work on other operands.
    assert slow_drawn.edges >= slow_drawn.cycles


def test_a_wrong_bit_is_one_line_that_says_where() -> None:
    spec: Any = replace(DESIGNS["systolic_os/mac"], rows=2, cols=2)
    # Operands swapped for smaller ones: RTL of int8 gets what the model of int4 does not see.
    text = emit(spec).replace("$signed(a) * $signed(b)", "$signed(a) - $signed(b)")
    work = Work("one product", np.array([[3]]), np.array([[5]]))
    outcome, stalled = check_engine(spec, [work], verilog=text)
    # -2 instead of 15.
    line = "c beat 0, lane 0 (output 0, 0): RTL 0xfffffffe, model 0xf"
    assert outcome.fault == stalled.fault == line


def test_a_command_that_is_never_taken_is_reported() -> None:
    spec: Any = replace(DESIGNS["systolic_os/mac"], rows=2, cols=2)
    text = emit(spec)
    assert "cmd__ready = 1'h1;" in text
    text = text.replace("cmd__ready = 1'h1;", "cmd__ready = 1'h0;")
    work = Work("one product", np.array([[3]]), np.array([[5]]))
    outcome, _ = check_engine(spec, [work], verilog=text)
    assert outcome.fault == "cmd accepts 0 beats, model 1"
    assert outcome.edges == 0


# The other designs' plans are for `bitweight verify --all`; above, each runs at its small size.
@pytest.mark.parametrize("name", ["systolic_os/carry_save", "column/dealt"])
def test_the_whole_plan_of_a_design_finds_no_fault(name: str) -> None:
    seen: list[tuple[int, int]] = []
    reports = check_designs([DESIGNS[name]], on_done=lambda done, total: seen.append((done, total)))
    assert [report.faults for report in reports] == [[]] * len(reports)
    assert [report.design for report in reports] == [name] * len(reports)
    assert seen == [(number, len(reports)) for number in range(1, len(reports) + 1)]
    assert reports[0].label == "as given"

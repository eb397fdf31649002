from dataclasses import dataclass

import pytest

from bitweight.verify.characterise.measure import best_at, front, round_up


@dataclass(frozen=True)
class Made:
    """A netlist as far as choosing goes."""

    period_ns: float
    area_um2: float


FAST, MIDDLE, SMALL, BEATEN = Made(1.0, 300.0), Made(1.5, 200.0), Made(3.0, 100.0), Made(2.0, 200.0)


def test_the_front_has_what_nothing_beats_fastest_first() -> None:
    assert front([SMALL, BEATEN, FAST, MIDDLE]) == [FAST, MIDDLE, SMALL]


def test_of_two_close_periods_the_smaller_netlist_stays() -> None:
    close = Made(1.52, 150.0)
    assert front([FAST, MIDDLE, close, SMALL]) == [FAST, close, SMALL]


def test_the_fastest_stays_whatever_is_close_to_it() -> None:
    close = Made(1.01, 250.0)
    assert front([FAST, close]) == [FAST, close]


@pytest.mark.parametrize(
    ("target_ns", "chosen"), [(0.5, FAST), (1.0, FAST), (1.7, MIDDLE), (2.0, MIDDLE), (9.0, SMALL)]
)
def test_at_a_target_the_smallest_that_meets_it_is_taken_or_else_the_fastest(
    target_ns: float, chosen: Made
) -> None:
    assert best_at([MIDDLE, BEATEN, SMALL, FAST], target_ns) == chosen


@pytest.mark.parametrize(
    ("period_ns", "rounded"), [(1.4004, 1.41), (1.41, 1.41), (0.75879, 0.759), (10.01, 10.1)]
)
def test_periods_are_rounded_up_to_three_digits(period_ns: float, rounded: float) -> None:
    assert round_up(period_ns) == rounded

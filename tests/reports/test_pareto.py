"""The Pareto front, on cases made by hand and against the definition."""

from hypothesis import given
from hypothesis import strategies as st

from bitweight.reports.pareto import front

SMALL = st.integers(0, 4)


@given(st.lists(st.tuples(SMALL, SMALL, SMALL)))
def test_the_front_is_what_the_definition_says(points: list[tuple[int, int, int]]) -> None:
    beaten = [
        any(other != one and all(map(int.__le__, other, one)) for other in points) for one in points
    ]
    wanted = [one for one, is_beaten in zip(points, beaten, strict=True) if not is_beaten]
    assert front(points, lambda one: one) == wanted


def test_a_corner_beats_what_lies_behind_it_and_nothing_beside_it() -> None:
    points = {"corner": (1, 1), "behind": (2, 2), "level": (1, 2), "beside": (0, 3)}
    assert front(points, lambda name: points[name]) == ["corner", "beside"]


def test_equal_ones_all_stay_in_their_order() -> None:
    assert front(["b", "a"], lambda _name: (1.0, 2.0)) == ["b", "a"]


def test_one_that_is_best_in_one_respect_stays_however_bad_the_others() -> None:
    points = {"small": (1, 9, 9), "frugal": (9, 1, 9), "fast": (9, 9, 1), "middle": (5, 5, 5)}
    assert front(points, lambda name: points[name]) == list(points)


def test_nothing_has_an_empty_front() -> None:
    assert front([], lambda one: one) == []

import csv
import itertools
from collections.abc import Callable
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.cost_models.scaling import (
    ProcessPoint,
    Transistor,
    area_factor,
    energy_factor,
)

# Nominal voltages, from the largest node to the smallest.
_POINTS = (
    ProcessPoint(node_nm=130, voltage_v=1.2),
    ProcessPoint(node_nm=65, voltage_v=1.1),
    ProcessPoint(node_nm=45, voltage_v=1.0),
    ProcessPoint(node_nm=32, voltage_v=0.9),
    ProcessPoint(node_nm=16, voltage_v=0.8),
    ProcessPoint(node_nm=7, voltage_v=0.7),
)
_Factor = Callable[[ProcessPoint, ProcessPoint], float]
_ANY_POINT = st.sampled_from(_POINTS)


def test_the_authors_own_example_is_reproduced() -> None:
    # Erratum to section 4.2.1: 1 pJ/op at 65 nm and 1.3 V is 0.1755 pJ/op at 32 nm and 0.9 V.
    origin = ProcessPoint(node_nm=65, voltage_v=1.3)
    target = ProcessPoint(node_nm=32, voltage_v=0.9)
    assert energy_factor(origin, target) == pytest.approx(
        0.1755, abs=1e-4
    )  # rounded on the way there


@pytest.mark.parametrize(
    ("origin_nm", "target_nm", "published"),
    [(130, 45, 0.16), (65, 7, 0.039), (45, 32, 0.46), (180, 130, 0.34), (16, 10, 0.54)],
)
def test_area_factors_are_those_of_the_published_matrix(
    origin_nm: float, target_nm: float, published: float
) -> None:
    origin = ProcessPoint(node_nm=origin_nm, voltage_v=1)
    target = ProcessPoint(node_nm=target_nm, voltage_v=1)
    # The matrix is printed with two digits.
    assert area_factor(origin, target) == pytest.approx(published, rel=0.04)


@pytest.mark.parametrize("factor", [area_factor, energy_factor])
@given(_ANY_POINT, _ANY_POINT, _ANY_POINT)
def test_scaling_twice_is_scaling_once(
    factor: _Factor, one: ProcessPoint, two: ProcessPoint, three: ProcessPoint
) -> None:
    assert factor(one, two) * factor(two, three) == pytest.approx(factor(one, three))
    assert factor(one, one) == 1


@pytest.mark.parametrize("factor", [area_factor, energy_factor])
def test_every_smaller_node_is_smaller_faster_and_cheaper(factor: _Factor) -> None:
    for larger, smaller in itertools.pairwise(_POINTS):
        assert factor(larger, smaller) < 1


def test_transistors_differ_from_45_nm_down() -> None:
    points = [
        ProcessPoint(node_nm=32, voltage_v=0.9, transistor=transistor) for transistor in Transistor
    ]
    assert energy_factor(*points) != 1


def test_every_row_has_all_its_numbers() -> None:
    table = resources.files("bitweight.cost_models") / "data" / "technology_scaling.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 18
    assert all(all(cells.values()) for cells in rows)


def test_a_node_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"Node must be one of 180, 130, .* nm to scale by, not 28"
    ):
        energy_factor(_POINTS[0], ProcessPoint(node_nm=28, voltage_v=0.9))


def test_a_voltage_at_which_a_fit_turns_back_is_refused() -> None:
    low = ProcessPoint(node_nm=7, voltage_v=0.2)
    with pytest.raises(ValueError, match=r"Voltage must be one .* fit covers, not 7 nm at 0.2 V"):
        energy_factor(_POINTS[0], low)

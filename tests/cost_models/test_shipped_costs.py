"""Costs from the shipped data: nothing zero, nothing unknown, and each netlist on its front."""

import math
import re
from dataclasses import replace
from operator import attrgetter

import pytest

from bitweight.cost_models import TECHNOLOGIES, Cost, Provenance, estimate
from bitweight.cost_models.composition import (
    CALIBRATED_IN,
    composed_areas,
    size_fields,
    small_netlists,
)
from bitweight.cost_models.measurements import NetlistPoint, shipped
from bitweight.cost_models.model_cost import compared_designs, engine_with, mac_structures
from bitweight.sim import DESIGNS, ENGINES, design
from bitweight.sim.catalog import ENGINE_PES, address, pe_address
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.weight_formats import FORMATS

_SOME = Activity(macs=100_000, digits=400_000, idle_slots=400_000)


def netlists(technology: str, name: str, settings: tuple[str, ...] = ()) -> list[NetlistPoint]:
    return [
        point
        for point in shipped(technology).netlists
        if (point.design, point.settings) == (name, settings)
    ]


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("name", ENGINE_PES)
def test_every_pe_has_area_delay_and_energy_in_every_technology(technology: str, name: str) -> None:
    spec = ENGINE_PES[name]
    points = netlists(technology, *pe_address(spec))
    assert points
    slowest = max(point.delay_ns for point in points)
    cost = estimate(spec, technology, clock_mhz=1000 / slowest, activity=_SOME)
    assert cost.area_um2.total == min(point.area_um2 for point in points)
    _check(cost)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_netlists_of_a_pe_are_a_front(technology: str) -> None:
    for spec in ENGINE_PES.values():
        points = netlists(technology, *pe_address(spec))
        ordered = sorted(points, key=lambda point: point.delay_ns)
        areas = [point.area_um2 for point in ordered]
        assert areas == sorted(areas, reverse=True)
        assert all(point.is_met for point in points)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("name", DESIGNS)
def test_every_engine_has_area_delay_and_energy_in_every_technology(
    technology: str, name: str
) -> None:
    slowest = max(point.delay_ns for point in netlists(technology, name))
    cost = estimate(design(name), technology, clock_mhz=1000 / slowest, activity=_SOME)
    assert cost.area_um2.provenance is Provenance.MEASURED
    _check(cost)


@pytest.mark.parametrize("spec", [one for c in compared_designs() for one in mac_structures(c)])
def test_every_compared_format_has_a_cost_of_its_own_netlist(spec: DesignSpec) -> None:
    cost = estimate(spec, CALIBRATED_IN, clock_mhz=100, activity=_SOME)
    assert cost.area_um2.provenance is Provenance.MEASURED
    _check(cost)


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("form", [*dict.fromkeys([*FORMATS, "int4", "int8"])])
def test_every_entry_in_every_format_costs_something_or_says_why_not(
    technology: str, form: str
) -> None:
    costed = 0
    for name in ENGINES:
        try:
            spec = engine_with(name, form)
            cost = estimate(spec, technology, clock_mhz=50, activity=_SOME)
        except ValueError as error:
            text = str(error)
            assert re.search(r"must|takes|cannot", text), text
            assert "\n" not in text
            continue
        _check(cost)
        costed += 1
    assert costed == len(ENGINES) or form != "int8"


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("name", DESIGNS)
def test_sizes_that_were_not_measured_are_composed_and_grow(technology: str, name: str) -> None:
    totals = []
    for factor in (1, 2):
        fields = [
            f"{field}={factor * _value(design(name), field)}" for field in size_fields(design(name))
        ]
        cost = estimate(design(name, fields), technology, clock_mhz=50, activity=_SOME)
        _check(cost)
        totals.append(cost.area_um2.total)
    assert totals[1] > 1.5 * totals[0]


@pytest.mark.parametrize("side", [8, 16])
@pytest.mark.parametrize("name", ["systolic_os/mac", "systolic_os/carry_save", "matrix_2d/mac"])
def test_a_composed_array_has_the_area_of_the_synthesised_one(name: str, side: int) -> None:
    spec = design(name, [f"rows={side}", f"cols={side}"])
    data = shipped(CALIBRATED_IN)
    small = small_netlists(name, data)
    (whole,) = (
        point
        for point in netlists(CALIBRATED_IN, *address(spec))
        if point.recipe == small[0].recipe
    )
    assert address(spec) not in {(point.design, point.settings) for point in small}
    composed = sum(composed_areas(spec, small).values())
    assert composed == pytest.approx(whole.area_um2, rel=0.05)


@pytest.mark.parametrize("name", ["systolic_os/mac", "systolic_os/carry_save", "matrix_2d/mac"])
def test_an_estimate_composed_of_the_default_size_is_near_the_measured_one(name: str) -> None:
    spec = design(name, ["rows=8", "cols=8"])
    data = shipped(CALIBRATED_IN)
    kept = tuple(p for p in data.netlists if (p.design, p.settings) != address(spec))
    composed = estimate(spec, replace(data, netlists=kept), clock_mhz=100)
    measured = estimate(spec, data, clock_mhz=100)
    assert composed.area_um2.provenance is Provenance.COMPOSED
    assert measured.area_um2.provenance is Provenance.MEASURED
    assert composed.area_um2.total == pytest.approx(measured.area_um2.total, rel=0.05)


def _value(spec: object, field: str) -> int:
    value: int = attrgetter(field)(spec)
    return value


def _check(cost: Cost) -> None:
    """Hold that nothing is zero, negative or unknown."""
    figures = [cost.area_um2, cost.memory_um2, cost.energy_pj]
    for figure in figures:
        assert figure is not None
        assert figure.source
        for name, part in figure.parts.items():
            assert math.isfinite(part), name
            assert part > 0, name
    for value in (cost.area_um2.total, cost.delay_ns, cost.leakage_mw, cost.energy_pj_per_mac):
        assert value is not None
        assert math.isfinite(value)
        assert value > 0
    assert all(part > 0 for part in cost.memory_um2.parts.values())
    assert cost.clocks > 0


def test_energy_of_a_layer_is_that_of_the_run_it_was_measured_on() -> None:
    data = shipped("sg13g2")
    (busy,) = (
        run
        for run in data.energies
        if run.design == "systolic_os/carry_save" and run.busy_slots and not run.settings
    )
    (point,) = (
        p
        for p in netlists("sg13g2", busy.design)
        if (p.target_ns, p.recipe) == (busy.target_ns, busy.recipe)
    )
    activity = Activity(macs=1, digits=busy.busy_slots, idle_slots=busy.idle_slots)
    cost = estimate(
        design(busy.design), "sg13g2", clock_mhz=1000 / point.delay_ns, activity=activity
    )
    assert cost.energy_pj is not None
    assert cost.clocks == busy.clocks
    measured = sum(b.switching_pj + b.internal_pj + b.clock_pj for b in busy.blocks)
    leakage = cost.energy_pj.parts["leakage"]
    assert cost.energy_pj.total - leakage == pytest.approx(measured, rel=1e-6)

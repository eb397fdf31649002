"""Costs from the shipped data: nothing zero, nothing unknown, and each netlist on its front."""

import math

import pytest

from bitweight.cost_models import TECHNOLOGIES, estimate
from bitweight.cost_models.measurements import NetlistPoint, shipped
from bitweight.sim import design
from bitweight.sim.catalog import ENGINE_PES, pe_address
from bitweight.sim.engine import Activity

MEASURED = [
    (technology, name)
    for technology in TECHNOLOGIES
    for name in dict.fromkeys(
        point.design
        for point in shipped(technology).netlists
        if not point.design.startswith("pe:") and not point.settings
    )
]


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
    activity = Activity(macs=1000, digits=4000, idle_slots=4000)
    cost = estimate(spec, technology, clock_mhz=1000 / slowest, activity=activity)
    assert cost.area_um2.total == min(point.area_um2 for point in points)
    assert cost.energy_pj is not None
    for value in (cost.area_um2.total, cost.delay_ns, cost.leakage_mw, cost.energy_pj_per_mac):
        assert value is not None
        assert math.isfinite(value)
        assert value > 0


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_netlists_of_a_pe_are_a_front(technology: str) -> None:
    for spec in ENGINE_PES.values():
        points = netlists(technology, *pe_address(spec))
        ordered = sorted(points, key=lambda point: point.delay_ns)
        areas = [point.area_um2 for point in ordered]
        assert areas == sorted(areas, reverse=True)
        assert all(point.is_met for point in points)


@pytest.mark.parametrize(("technology", "name"), MEASURED)
def test_a_measured_engine_costs_something_in_every_part(technology: str, name: str) -> None:
    points = netlists(technology, name)
    clock_mhz = 1000 / max(point.delay_ns for point in points)
    cost = estimate(design(name), technology, clock_mhz=clock_mhz)
    assert cost.area_um2.total > 0
    assert all(part > 0 for part in cost.memory_um2.parts.values())
    # Nothing of an engine is smaller than its PEs.
    for point in points:
        assert sum(block.flip_flops * block.instances for block in point.blocks) > 0
        assert point.delay_ns > 0


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

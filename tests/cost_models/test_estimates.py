"""Costs from measured points: which netlist is taken, and what its energies come to."""

import math
from dataclasses import replace

import pytest

from bitweight.cost_models import Provenance, estimate
from bitweight.cost_models.measurements import (
    Block,
    BlockEnergy,
    EnergyPoint,
    Measurements,
    Memory,
    MemoryUse,
    NetlistPoint,
)
from bitweight.cost_models.memory import memory_access_pj, memory_area_um2
from bitweight.sim import design
from bitweight.sim.engine import Activity
from bitweight.sim.pe import MacSpec

NAME = "systolic_os/mac"
TOP = "systolic_os_mac"


def netlist(delay_ns: float, pe_um2: float, settings: tuple[str, ...] = ()) -> NetlistPoint:
    return NetlistPoint(
        design=NAME,
        settings=settings,
        target_ns=delay_ns,
        recipe=f"r{delay_ns:g}",
        verilog_sha256="0",
        delay_ns=delay_ns,
        path_from="a",
        path_to="acc",
        blocks=(
            block(TOP, 1, 100.0),
            block(f"{TOP}_cell_pe", 256, pe_um2),
            block(f"{TOP}_drain_port", 1, 50.0),
        ),
        memories=(Memory(module=TOP, words=64, width=32, copies=2),),
    )


def block(module: str, instances: int, area_um2: float) -> Block:
    return Block(
        module=module,
        instances=instances,
        area_um2=area_um2,
        leakage_uw=area_um2 / 1000,
        cells=1,
        flip_flops=1,
    )


def run(point: NetlistPoint, stream: str, busy_slots: int, pe_pj: float, reads: int) -> EnergyPoint:
    """Return a run of 100 clocks of 256 slots."""
    return EnergyPoint(
        design=NAME,
        settings=point.settings,
        target_ns=point.target_ns,
        recipe=point.recipe,
        stream=stream,
        clocks=100,
        busy_slots=busy_slots,
        idle_slots=25600 - busy_slots,
        blocks=(
            BlockEnergy(module=TOP, switching_pj=1.0, internal_pj=2.0, clock_pj=3.0),
            BlockEnergy(
                module=f"{TOP}_cell_pe", switching_pj=pe_pj, internal_pj=0.0, clock_pj=400.0
            ),
        ),
        memories=(MemoryUse(words=64, width=32, reads=reads, writes=0),),
    )


FAST, SLOW = netlist(2.0, 30.0), netlist(4.0, 20.0)
DATA = Measurements(
    technology="sg13g2",
    header={"technology": "sg13g2"},
    netlists=(FAST, SLOW),
    energies=(
        run(SLOW, "idle", 0, 0.0, 0),
        run(SLOW, "blk.0", 20000, 1000.0, 500),
        run(SLOW, "normal:20", 20000, 9999.0, 500),
        replace(run(SLOW, "blk.0", 20000, 7777.0, 500), glitches=True),
    ),
)


def test_the_smallest_netlist_that_runs_at_the_clock_is_taken() -> None:
    at_200 = estimate(design(NAME), DATA, clock_mhz=200)
    at_400 = estimate(design(NAME), DATA, clock_mhz=400)
    assert at_200.area_um2.total == 100 + 256 * 20 + 50
    assert at_400.area_um2.total == 100 + 256 * 30 + 50
    assert (at_200.delay_ns, at_400.delay_ns) == (4.0, 2.0)
    assert at_200.area_um2.provenance is Provenance.MEASURED
    assert dict(at_200.area_um2.parts) == {"top": 100.0, "cell_pe": 5120.0, "drain_port": 50.0}
    assert at_200.leakage_mw == pytest.approx(5.27e-3)


def test_memories_are_costed_by_the_memory_model() -> None:
    cost = estimate(design(NAME), DATA, clock_mhz=200)
    one = memory_area_um2("sg13g2", 64, 32)
    assert cost.memory_um2.total == pytest.approx(2 * one.total)
    assert cost.memory_um2.provenance is one.provenance


def test_energy_is_what_clocks_and_busy_slots_cost() -> None:
    # 50 clocks of 256 slots, 6400 of them busy. Idle: 400 pJ in 100 clocks are 4 pJ a clock.
    # Busy slots add 1000 pJ / 20000 = 0.05 pJ each; reads are 500 / 20000 a busy slot.
    activity = Activity(macs=6400, digits=6400, idle_slots=6400)
    cost = estimate(design(NAME), DATA, clock_mhz=200, activity=activity)
    assert cost.energy_pj is not None
    parts = cost.energy_pj.parts
    assert cost.clocks == 50
    assert parts["top"] == pytest.approx(0.06 * 50)
    assert parts["cell_pe"] == pytest.approx(4 * 50 + 0.05 * 6400)
    read = memory_access_pj("sg13g2", 64, 32).parts["read"]
    assert parts["memory 64x32"] == pytest.approx(160 * read)
    # 5.27 uW for 50 clocks of 5 ns.
    assert parts["leakage"] == pytest.approx(5.27e-6 * 250e-9 * 1e12)
    assert cost.energy_pj_per_mac == pytest.approx(math.fsum(parts.values()) / 6400)
    assert cost.power_mw == pytest.approx(cost.energy_pj.total * 1e-12 / 250e-9 * 1e3)


def test_energy_grows_with_the_area_of_another_netlist() -> None:
    activity = Activity(macs=6400, digits=6400, idle_slots=6400)
    cost = estimate(design(NAME), DATA, clock_mhz=400, activity=activity)
    assert cost.energy_pj is not None
    assert cost.energy_pj.parts["cell_pe"] == pytest.approx((4 * 50 + 0.05 * 6400) * 30 / 20)
    assert cost.energy_pj.provenance is not Provenance.MEASURED


def test_no_work_costs_leakage_and_clocks_only() -> None:
    idle = Activity(idle_slots=25600)
    cost = estimate(design(NAME), DATA, clock_mhz=200, activity=idle)
    assert cost.energy_pj is not None
    assert cost.energy_pj.parts["cell_pe"] == pytest.approx(400)
    nothing = estimate(design(NAME), DATA, clock_mhz=200, activity=Activity())
    assert nothing.energy_pj is not None
    assert nothing.energy_pj.total == 0
    assert nothing.power_mw is None
    assert nothing.energy_pj_per_mac is None


def test_what_was_not_measured_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"Clock of systolic_os/mac in sg13g2 must be at most 500 MHz, not 501 MHz",
    ):
        estimate(design(NAME), DATA, clock_mhz=501)
    with pytest.raises(ValueError, match=r"must come from a netlist, and sg13g2 has none; "):
        estimate(design(NAME, ["pe.acc_width=40"]), DATA, clock_mhz=200)
    with pytest.raises(ValueError, match=r"--set pe.acc_width=40 --liberty FILE"):
        estimate(design(NAME, ["pe.acc_width=40"]), DATA, clock_mhz=200)
    with pytest.raises(ValueError, match=r"Cost of pe:mac must come from a netlist"):
        estimate(MacSpec(), DATA, clock_mhz=200)
    with pytest.raises(ValueError, match=r"Clock must be a positive number of MHz, not nan"):
        estimate(design(NAME), DATA, clock_mhz=math.nan)
    with pytest.raises(ValueError, match=r"gate-level run, and sg13g2 has none"):
        estimate(design(NAME), replace(DATA, energies=()), clock_mhz=200, activity=Activity(macs=1))
    with pytest.raises(ValueError, match=r"must include an idle one and a busy one"):
        estimate(
            design(NAME),
            replace(DATA, energies=DATA.energies[:1]),
            clock_mhz=200,
            activity=Activity(macs=1),
        )
    with pytest.raises(TypeError, match=r"No cost model takes a int"):
        estimate(1, DATA, clock_mhz=200)

"""Designs at their clocks, and against one another, on round numbers."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_data import SLOTS, made_up

from bitweight.cost_models import Provenance
from bitweight.cost_models.cost import Figure
from bitweight.cost_models.measurements import BlockEnergy, EnergyPoint
from bitweight.cost_models.published import Evidence, Published
from bitweight.reports.comparison.operating import (
    Operating,
    Run,
    at_clock,
    best,
    clocks_mhz,
    equal_clock,
    operate,
)
from bitweight.reports.comparison.ratios import BEST, EQUAL, Pair, Ratio, ratios
from bitweight.reports.comparison.shortfalls import glitch_share, notes
from bitweight.sim import design, layers
from bitweight.workloads import Layer

DATA = made_up("sg13g2")
RNG = np.random.default_rng(5)
LAYER = Layer.from_arrays("one", RNG.integers(-99, 99, (16, 64)), RNG.integers(-99, 99, (64, 16)))


def ran(name: str) -> Run:
    spec = design(name)
    return Run(design=name, spec=spec, layers=(layers.run(spec, LAYER),))


MAC, CARRY_SAVE = ran("systolic_os/mac"), ran("systolic_os/carry_save")


def goal(value: float) -> Published:
    return Published(
        architecture="systolic",
        design="",
        baseline="",
        quantity="",
        value=value,
        unit="x",
        technology="28 nm",
        evidence=Evidence.ABSTRACT,
        source="a paper",
        note="",
    )


def both(area: float = 1.0, energy: float = 1.0) -> list[Ratio]:
    pair = Pair(
        optimised="systolic_os/carry_save",
        baseline="systolic_os/mac",
        area=goal(area),
        energy=goal(energy),
    )
    points = {run.design: operate(run, DATA) for run in (MAC, CARRY_SAVE)}
    return ratios([pair], {"sg13g2": points}, {"sg13g2": DATA})


def test_a_baseline_runs_at_the_clocks_of_both_of_its_structures() -> None:
    assert clocks_mhz(MAC.spec, DATA) == [125.0, 156.2, 250.0, 312.5]
    assert clocks_mhz(CARRY_SAVE.spec, DATA) == [250.0, 500.0]


def test_the_structure_that_is_smaller_at_a_clock_is_taken() -> None:
    at_250, at_312 = (at_clock(MAC, DATA, clock) for clock in (250.0, 312.5))
    assert "fused" not in str(at_250.spec.pe.structure)
    assert "fused" in str(at_312.spec.pe.structure)
    assert at_250.area_um2 == 100.0 * (SLOTS + 10)
    assert at_312.area_um2 == 125.0 * (SLOTS + 10)


def test_a_clock_that_no_structure_reaches_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at most 250 MHz, not 400 MHz"):
        at_clock(MAC, DATA, 400.0)


def test_throughput_energy_and_area_are_those_of_the_definition() -> None:
    one = at_clock(CARRY_SAVE, DATA, 500.0)
    cycles, macs = CARRY_SAVE.cycles, 16 * 64 * 16
    assert one.time_us == cycles / 500
    assert one.gmacs_per_s == pytest.approx(macs / (cycles / 500 * 1e-6) / 1e9)
    assert one.gmacs_per_s_mm2 == pytest.approx(one.gmacs_per_s / (150.0 * (SLOTS + 10) / 1e6))
    # Every clock costs a tenth of 3 pJ in each of a PE's four slots, a busy slot the rest as well.
    energy_pj = cycles * SLOTS * 4 * 0.3 + macs * 4 * 2.7
    assert one.energy_pj == pytest.approx(energy_pj)
    assert one.energy_pj_per_mac == pytest.approx(energy_pj / macs)
    assert one.provenance is Provenance.MEASURED


def test_without_a_gate_level_run_there_is_an_area_and_no_energy() -> None:
    one = at_clock(ran("column/grouped"), DATA, 500.0)
    assert one.area_um2 == 60.0 * (SLOTS + 10)
    assert (one.energy_pj, one.energy_pj_per_mac, one.energy_provenance) == (None, None, None)


def test_the_best_clock_has_the_greatest_throughput_per_area() -> None:
    assert best(operate(MAC, DATA)).cost.clock_mhz in {250.0, 312.5}
    assert best(operate(CARRY_SAVE, DATA)).cost.clock_mhz == 500.0


def test_the_equal_clock_is_the_baselines_unless_it_is_out_of_reach() -> None:
    mac, carry_save = operate(MAC, DATA), operate(CARRY_SAVE, DATA)
    assert equal_clock(carry_save, mac) == best(mac).cost.clock_mhz
    assert equal_clock(mac, carry_save) == 312.5


def test_a_ratio_is_the_product_of_its_factors() -> None:
    at_best, at_equal = both()
    assert (at_best.clocks, at_equal.clocks) == (BEST, EQUAL)
    for ratio in (at_best, at_equal):
        assert ratio.area == pytest.approx(ratio.clock * ratio.work / ratio.size)
    # 250 MHz with 100 um2, or 312.5 MHz with 125 um2: the same throughput per area.
    cycles = MAC.cycles / CARRY_SAVE.cycles
    assert at_best.area == pytest.approx(500 / 250 * cycles / (150 / 100))
    assert at_equal.clock == 1
    assert at_best.energy == pytest.approx(2 / 3 / 4, rel=0.02)  # four digits of 3 pJ for one of 2


def test_memories_are_left_out_of_ratios_and_counted_beside_them() -> None:
    ratio = both()[0]
    cost = ratio.optimised.cost
    assert cost.energy_pj is not None
    parts = {**cost.energy_pj.parts, "memory 64x8": cost.energy_pj.total}
    memory = Figure(
        parts={"64x8": cost.area_um2.total}, provenance=Provenance.PUBLISHED, source="macros"
    )
    held = replace(cost, memory_um2=memory, energy_pj=replace(cost.energy_pj, parts=parts))
    other = replace(ratio, optimised=replace(ratio.optimised, cost=held))
    assert (other.area, other.energy) == (ratio.area, pytest.approx(ratio.energy))
    assert other.has_memories
    assert not ratio.has_memories
    assert other.area_with_memories == pytest.approx(ratio.area / 2)
    assert other.energy_with_memories == pytest.approx((ratio.energy or 0) / 2)
    assert other.area_provenance is Provenance.MEASURED
    beyond = replace(other, pair=replace(other.pair, area=goal(99.0)))
    assert f"{other.area_with_memories:.2f} with memories" in notes([beyond])[0].text
    # Cells alone reach this goal, cells and memories do not.
    between = replace(other, pair=replace(other.pair, area=goal(0.75 * ratio.area)))
    assert "throughput per area" in notes([between])[0].title
    assert "of which it holds" in notes([between])[0].text


def test_a_pair_needs_both_designs() -> None:
    points = {"sg13g2": {"systolic_os/mac": operate(MAC, DATA)}}
    assert ratios([both()[0].pair], points, {"sg13g2": DATA}) == []


def test_what_falls_short_is_told_with_its_factors_and_parts() -> None:
    ratio = both(area=9.0, energy=9.0)[0]
    area, energy, scope = notes([ratio])
    assert area.title.startswith("systolic_os/carry_save over systolic_os/mac, throughput per area")
    assert "9 published (28 nm, a paper), not reached in 1 of 1" in area.title
    assert f"{ratio.area:.2f} = clock {ratio.clock:.2f} x work per clock" in area.text
    assert "cell +48%" in area.text
    assert "limited from b[0] to acc[31]" in area.text
    assert "plain/small/fast" in area.text
    flip_flops = [20 + 64 * SLOTS, 20 + 32 * SLOTS]
    assert f"clocks {flip_flops[0]} flip-flops where the baseline clocks {flip_flops[1]}" in (
        energy.text
    )
    assert "dilute" in scope.text


def test_the_share_of_glitches_is_that_of_the_same_operands() -> None:
    settled = EnergyPoint(
        design="pe:mac",
        settings=(),
        target_ns=4.0,
        recipe="r",
        stream="a layer",
        clocks=9,
        busy_slots=8,
        idle_slots=0,
        blocks=(BlockEnergy(module="pe_mac", switching_pj=3.0, internal_pj=4.0, clock_pj=1.0),),
    )
    block = replace(settled.blocks[0], switching_pj=7.0)
    delayed = replace(settled, blocks=(block,), glitches=True)
    drawn = replace(delayed, stream="uniform", blocks=(replace(block, switching_pj=99.0),))
    data = replace(DATA, energies=(settled, delayed, drawn))
    assert glitch_share(MAC.spec.pe, data) == 0.5
    assert glitch_share(CARRY_SAVE.spec.pe, data) is None
    assert glitch_share(design("adder_tree/same_weight").pe, data) is None
    ratio = replace(
        both(energy=9.0)[0], data=replace(DATA, energies=(*DATA.energies, *data.energies))
    )
    assert "would add 50% to the baseline's PE" in notes([ratio])[0].text


def test_what_is_reached_has_no_note() -> None:
    assert notes(both(area=0.1, energy=0.1)) == []
    at_best, at_equal, scope = notes(both(area=0.1, energy=9.0))
    assert "MACs per energy: 9 published" in at_best.title
    assert "MACs per energy at equal clocks: 9 published" in at_equal.title
    assert scope.title == "What is compared"


def test_at_equal_clocks_the_clock_that_is_not_used_is_told() -> None:
    _, at_equal = both(area=9.0, energy=0.0)
    area, _ = notes([at_equal])
    assert "throughput per area at equal clocks: 9 published" in area.title
    assert "= clock 1.00 x work" in area.text
    assert "its own clock could be 2.00 times this" in area.text


def test_a_ratio_without_energy_is_none() -> None:
    ratio = both()[0]
    bare: Operating = replace(ratio.optimised, cost=replace(ratio.optimised.cost, energy_pj=None))
    unknown = replace(ratio, optimised=bare)
    assert (unknown.energy, unknown.energy_provenance) == (None, None)
    assert "MACs per energy" not in "".join(note.title for note in notes([unknown]))

"""Composition: sizes that were not synthesised, from blocks of those that were."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.cost_models import Provenance, estimate
from bitweight.cost_models.composition import (
    area_ratios,
    calibration_sizes,
    component,
    default_size,
    quantities,
    size_fields,
)
from bitweight.cost_models.held_memories import held_memories
from bitweight.cost_models.measurements import Block, Measurements, Memory, NetlistPoint
from bitweight.sim import DESIGNS, design
from bitweight.sim.catalog import address
from bitweight.sim.spec import DesignSpec

NAME = "systolic_os/mac"
TOP = "systolic_os_mac"
UNIT = Block(module=TOP, instances=1, area_um2=1.0, leakage_uw=1.0, cells=1, flip_flops=0)


def built(spec: DesignSpec, rows: int, cols: int) -> NetlistPoint:
    """Return a netlist whose blocks grow as an array's do; the figures are this file's own."""
    name, settings = address(spec)
    return NetlistPoint(
        design=name,
        settings=settings,
        target_ns=4.0,
        recipe="r",
        verilog_sha256="0",
        delay_ns=4.0,
        path_from="a",
        path_to="acc",
        blocks=(
            replace(UNIT, area_um2=1000.0 + 7 * rows),
            replace(UNIT, module=f"{TOP}_cell", instances=rows * cols, area_um2=20.0),
            replace(UNIT, module=f"{TOP}_skew_3", area_um2=5.0 * rows * (rows - 1) / 2),
        ),
        memories=tuple(
            Memory(module=TOP, words=held.words, width=held.width, copies=held.copies)
            for held in held_memories(spec)
            if held.is_memory
        ),
    )


DEFAULT = design(NAME)
SMALL = [
    built(spec, getattr(spec, "rows"), getattr(spec, "cols"))  # noqa: B009 - any engine's spec
    for spec in calibration_sizes(DEFAULT)
]


@given(rows=st.integers(1, 64), cols=st.integers(1, 64))
def test_areas_that_grow_as_arrays_do_are_composed_exactly(rows: int, cols: int) -> None:
    spec = design(NAME, [f"rows={rows}", f"cols={cols}"])
    ratios = area_ratios(spec, DEFAULT, SMALL)
    assert ratios["cell"] == pytest.approx(rows * cols / 256)
    assert ratios["top"] == pytest.approx((1000 + 7 * rows) / (1000 + 7 * 16))
    assert ratios["skew"] == pytest.approx(rows * (rows - 1) / (16 * 15), abs=1e-9)


def test_a_composed_size_is_costed_with_its_memories() -> None:
    default = design("systolic_ws/mac")
    small = [
        built(spec, getattr(spec, "rows"), getattr(spec, "cols"))  # noqa: B009 - as above
        for spec in calibration_sizes(default)
    ]
    data = Measurements(
        technology="sg13g2", header={}, netlists=(built(default, 16, 16), *small), energies=()
    )
    wide = design("systolic_ws/mac", ["rows=8", "cols=32"])
    cost = estimate(wide, data, clock_mhz=100)
    assert cost.area_um2.provenance is Provenance.COMPOSED
    assert cost.area_um2.total == pytest.approx(1056 + 20 * 256 + 5 * 28)
    held = held_memories(wide)
    assert list(cost.memory_um2.parts) == [f"{one.words}x{one.width}" for one in held]
    assert [one.copies for one in held] == [32, 32]
    with pytest.raises(ValueError, match="must come from a netlist"):
        estimate(design("systolic_ws/mac", ["rows=8", "pe.acc_width=40"]), data, clock_mhz=100)


def test_a_size_whose_own_netlist_is_too_slow_is_composed_of_a_faster_one() -> None:
    fast = replace(built(DEFAULT, 16, 16), target_ns=2.0, delay_ns=2.0)
    data = Measurements(technology="sg13g2", header={}, netlists=(fast, *SMALL), energies=())
    small = design(NAME, ["rows=4", "cols=4"])
    assert estimate(small, data, clock_mhz=200).area_um2.provenance is Provenance.MEASURED
    assert estimate(small, data, clock_mhz=400).area_um2.provenance is Provenance.COMPOSED
    alone = replace(data, netlists=tuple(SMALL))
    with pytest.raises(ValueError, match="must be at most 250 MHz"):
        estimate(small, alone, clock_mhz=400)


def test_quantities_count_cells_edges_and_skews() -> None:
    counts = quantities((3, 4))
    skew_of_rows = sum(range(3))
    skew_of_columns = sum(range(4))
    assert sorted(counts.values()) == sorted([12, 1, 3, skew_of_rows, 4, skew_of_columns])
    cube = quantities((2, 3, 4))
    assert cube["skew (0, 2)"] == sum(x + y for x in range(2) for y in range(4))


def test_components_are_modules_less_their_numbers() -> None:
    assert component(TOP, TOP) == "top"
    assert component(TOP, f"{TOP}_drain_port") == "drain_port"
    assert component(TOP, f"{TOP}_lane_12") == component(TOP, f"{TOP}_lane_3") == "lane"


@pytest.mark.parametrize("name", [*DESIGNS, "systolic_os/mac/int8xnf4"])
def test_every_engine_has_sizes_and_enough_small_netlists(name: str) -> None:
    spec = design(name)
    fields = size_fields(spec)
    small = calibration_sizes(spec)
    assert len({address(one) for one in small}) == len(small)
    assert all(default_size(one) == spec for one in small)
    # Sizes on one line could not tell what grows with which field.
    for field in fields:
        assert len({getattr(one, field) for one in small if "." not in field}) != 1

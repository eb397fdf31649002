from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitweight.cost_models.cost import Figure, Provenance, worst
from bitweight.cost_models.layer_time import (
    LayerCost,
    Limit,
    buffers_area_um2,
    joined,
    layer_cost,
)
from bitweight.cost_models.memory import Ports, memory_access_pj, memory_area_um2
from bitweight.cost_models.roofline import roof, roofline
from bitweight.cost_models.system import DRAMS, Buffer, System
from bitweight.sim import cycles, design
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.gemm import Gemm

_MHZ = 100.0
_NAMES = (
    "systolic_os/mac",
    "systolic_ws/carry_save/int8xint4",
    "cube/mac/int8xnf4",
    "adder_tree/same_weight/int8xdual_grained",
    "matrix_2d/same_weight",
    "column/shared_encoder",
    "decoder/seedlm4",
    "lookup/tl2",
)


def _energy(_spec: DesignSpec, activity: Activity) -> Figure:
    """Take 2 pJ for a busy slot and 1 pJ for an idle one."""
    return Figure(
        parts={"busy": 2.0 * activity.digits, "idle": 1.0 * activity.idle_slots},
        provenance=Provenance.MEASURED,
        source="test",
    )


def _cost(name: str, m: int, n: int, k: int, system: System | None = None) -> LayerCost:
    return layer_cost(
        design(name),
        Gemm(name="ffn_up", m=m, n=n, k=k),
        system=system or System(),
        technology="sg13g2",
        clock_mhz=_MHZ,
        array_energy=_energy,
    )


def _slow_dram(factor: float) -> System:
    dram = DRAMS["lpddr4"]
    return System(dram=replace(dram, rate=replace(dram.rate, value=dram.rate.value / factor)))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(_NAMES), st.integers(1, 40), st.sampled_from([96, 192]))
def test_the_slowest_sets_the_pace_and_parts_add_up(name: str, m: int, n: int) -> None:
    cost = _cost(name, m, n, 384)
    assert cost.time_us == max(cost.array_us, cost.buffers_us, cost.dram_us)
    assert cost.energy_pj.total == pytest.approx(sum(cost.energy_pj.parts.values()))
    assert all(part > 0 for part in cost.energy_pj.parts.values())
    spec = design(name)
    (point,) = roofline(roof(spec, DRAMS["lpddr4"], clock_mhz=_MHZ), [cost])
    assert 0 < point.attained_gmacs <= point.bound_gmacs


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(_NAMES), st.integers(1, 20))
def test_more_work_never_takes_less(name: str, m: int) -> None:
    less, rows, outputs, deeper = (
        _cost(name, m, 96, 384),
        _cost(name, m + 16, 96, 384),
        _cost(name, m, 192, 384),
        _cost(name, m, 96, 768),
    )
    for more in (rows, outputs, deeper):
        assert more.time_us > less.time_us
        assert more.energy_pj.total > less.energy_pj.total


def test_a_layer_worked_by_hand() -> None:
    # 32 x 64 by 64 x 32 on 16 x 16 PEs: four tiles.
    cost = _cost("systolic_os/mac", 32, 32, 64)
    clocks = cycles(design("systolic_os/mac"), m=32, n=32, k=64)
    assert cost.array_us == pytest.approx(clocks / 100)
    # 256 beats of 128 bits a port, one access a clock.
    assert cost.buffers_us == pytest.approx(2.56)
    # 2048 + 2112 + 1024 bytes at 25.6 GB/s, 8 pJ a bit.
    assert cost.dram_us == pytest.approx(5184 / 25_600)
    assert cost.energy_pj.parts["dram"] == pytest.approx(5184 * 64)
    macs = 32 * 32 * 64
    # A MAC of the PE is one slot.
    assert cost.energy_pj.parts["busy"] == 2 * macs
    assert cost.energy_pj.parts["idle"] == clocks * 256 - macs
    access = memory_access_pj("sg13g2", 1024, 128).parts
    # 256 beats read; 2048 bytes written in words of 16.
    assert cost.energy_pj.parts["buffer a"] == pytest.approx(
        256 * access["read"] + 128 * access["write"]
    )
    results = memory_access_pj("sg13g2", 1024, 512).parts
    # 64 rows of 16 sums of 32 bits, written and read once.
    assert cost.energy_pj.parts["buffer c"] == pytest.approx(
        64 * (results["read"] + results["write"])
    )
    assert cost.limit is Limit.ARRAY
    assert set(cost.energy_pj.parts) == {"busy", "idle", "dram", "buffer a", "buffer b", "buffer c"}


def test_slow_dram_limits_and_leaves_the_array_idling() -> None:
    fast = _cost("systolic_os/mac", 32, 32, 64)
    slow = _cost("systolic_os/mac", 32, 32, 64, _slow_dram(1000))
    assert slow.limit is Limit.DRAM
    assert slow.time_us == slow.dram_us == pytest.approx(1000 * fast.dram_us)
    waiting = slow.time_us - slow.array_us
    # 100 clocks a microsecond of 256 idle slots.
    assert slow.energy_pj.parts["array waiting"] == pytest.approx(waiting * 100 * 256, rel=1e-3)
    assert slow.energy_pj.parts["busy"] == fast.energy_pj.parts["busy"]


def test_a_narrow_buffer_limits() -> None:
    narrow = replace(System(), b=Buffer(capacity_bytes=1 << 19, width_bits=16))
    cost = _cost("systolic_os/mac", 32, 32, 64, narrow)
    # A beat of 128 bits takes eight accesses.
    assert cost.buffers_us == pytest.approx(8 * 2.56)
    assert cost.limit is Limit.BUFFERS


def test_control_limits_where_an_engine_mostly_loads_and_drains() -> None:
    # One row for each load of 16 columns of weights.
    assert _cost("adder_tree/same_weight", 1, 96, 384).limit is Limit.CONTROL
    assert _cost("adder_tree/same_weight", 256, 96, 384).limit is Limit.ARRAY


def test_drawn_activations_make_a_figure_assumed_and_scaled_memories_scaled() -> None:
    assert _cost("systolic_os/mac", 4, 32, 64).energy_pj.provenance is Provenance.PUBLISHED
    assert _cost("column/shared_encoder", 4, 32, 64).energy_pj.provenance is Provenance.ASSUMED
    scaled = layer_cost(
        design("systolic_os/mac"),
        Gemm(name="ffn_up", m=4, n=32, k=64),
        system=System(),
        technology="asap7",
        clock_mhz=500,
        array_energy=_energy,
    )
    assert scaled.energy_pj.provenance is Provenance.SCALED


def test_buffers_take_the_area_of_their_banks() -> None:
    moved = _cost("systolic_os/mac", 4, 32, 64).traffic
    area = buffers_area_um2(moved, System(), "sg13g2")
    bank = memory_area_um2("sg13g2", 1024, 128, ports=Ports.SINGLE).total
    # 512 KiB in words of 16 bytes: 32 banks.
    assert area.parts["buffer a"] == area.parts["buffer b"] == pytest.approx(32 * bank)
    wide = memory_area_um2("sg13g2", 1024, 512, ports=Ports.SINGLE).total
    # 64 KiB in words of 64 bytes fill one bank, and each half has its own.
    assert area.parts["buffer c"] == pytest.approx(2 * wide)


def test_equal_parts_add_up_and_the_worst_provenance_stays() -> None:
    one = Figure(parts={"x": 1.0, "y": 2.0}, provenance=Provenance.COMPOSED, source="one")
    two = Figure(parts={"x": 3.0}, provenance=Provenance.MEASURED, source="two")
    assert joined([one, two]) == Figure(
        parts={"x": 4.0, "y": 2.0}, provenance=Provenance.COMPOSED, source="one; two"
    )
    assert worst(Provenance) is Provenance.ASSUMED
    assert joined([]).total == 0, "no work costs nothing"


def test_the_roof_has_its_ridge_where_both_bounds_meet() -> None:
    over = roof(design("systolic_os/mac"), DRAMS["lpddr4"], clock_mhz=200)
    assert over.peak_gmacs == pytest.approx(51.2)
    assert over.ridge_macs_per_byte == pytest.approx(2.0)
    assert over.bound_gmacs(1) == pytest.approx(25.6)
    assert over.bound_gmacs(2) == over.bound_gmacs(50) == pytest.approx(51.2)


def test_a_clock_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="Clock must be positive, not 0 MHz"):
        layer_cost(
            design("systolic_os/mac"),
            Gemm(name="ffn_up", m=1, n=1, k=1),
            system=System(),
            technology="sg13g2",
            clock_mhz=0,
            array_energy=_energy,
        )

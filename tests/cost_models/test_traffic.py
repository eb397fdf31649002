from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitweight.cost_models.coefficient import coefficients
from bitweight.cost_models.system import DRAMS, Buffer, System
from bitweight.cost_models.traffic import gemm_lengths, traffic, weight_format
from bitweight.sim import DESIGNS, beats, design
from bitweight.sim.engine import PortBeats
from bitweight.sim.packed_layers import engine_of
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.weight_formats import FORMATS


def _system(*, a: int = 1 << 24, b: int = 1 << 24) -> System:
    return System(a=Buffer(capacity_bytes=2 * a), b=Buffer(capacity_bytes=2 * b))


def _gemm(m: int, n: int, k: int, *, weighted: bool = True) -> Gemm:
    return Gemm(name="ffn_up", m=m, n=n, k=k, weighted=weighted)


def _fetched(port: PortBeats, shape: tuple[int, int], capacity: int) -> int:
    """Return the elements that a buffer of ``capacity`` of them asks for, least recent out."""
    held: OrderedDict[tuple[int, int], None] = OrderedDict()
    fetched = 0
    rows, columns = np.broadcast_arrays(*port.locate(np.arange(port.count)))
    for element in zip(rows.ravel().tolist(), columns.ravel().tolist(), strict=True):
        if element[0] >= shape[0] or element[1] >= shape[1]:
            continue
        if element in held:
            held.move_to_end(element)
            continue
        fetched += 1
        held[element] = None
        if len(held) > capacity:
            held.popitem(last=False)
    return fetched


@pytest.mark.parametrize(
    "name",
    [
        "systolic_os/mac",
        "systolic_ws/mac",
        "cube/mac",
        "adder_tree/mac",
        "matrix_2d/same_weight",
        "column/shared_encoder",
        "bit_slice/laconic",
    ],
)
@settings(max_examples=15)
@given(data=st.data())
def test_dram_is_asked_for_what_a_buffer_no_longer_holds(name: str, data: st.DataObject) -> None:
    spec = DESIGNS[name].small
    # Whole tiles, blocks and folds: a ragged last one is let off with the size of a whole one.
    m, n, k = 60, data.draw(st.sampled_from([12, 24])), 48
    a, b = (data.draw(st.integers(20, size)) for size in (m * k, n * k))
    found = traffic(spec, _gemm(m, n, k), _system(a=a, b=b))
    for port, shape, capacity in (("a", (m, k), a), ("b", (k, 0), b)):
        expected = 0
        for outputs, count in found.runs:
            carried = beats(spec, m=m, n=outputs, k=k)[port]
            expected += count * _fetched(carried, (shape[0], shape[1] or outputs), capacity)
        if port == "a" and m * k <= a:
            expected = m * k  # stays from run to run
        assert found.port(port).buffered_bytes == expected


def test_a_layer_that_fits_its_buffers_moves_once() -> None:
    found = traffic(DESIGNS["systolic_os/mac"], _gemm(32, 32, 64), _system())
    # Four tiles of 64 beats of 16 lanes; two column tiles of 32 rows of results.
    assert [(port.port, port.beats, port.beat_bits) for port in found.ports] == [
        ("a", 256, 128),
        ("b", 256, 128),
        ("c", 64, 512),
    ]
    # An fp16 scale per output; results as int8.
    assert [port.dram_bytes for port in found.ports] == [32 * 64, 32 * 64 + 2 * 32, 32 * 32]
    assert found.dram_bytes == 2048 + 2112 + 1024
    assert found.runs == ((32, 1),)


def test_weights_that_do_not_fit_come_again_for_every_row_of_tiles() -> None:
    found = traffic(DESIGNS["systolic_os/mac"], _gemm(32, 32, 64), _system(a=1024, b=512))
    # 16 rows of 64 stay while they meet all columns; no 16 outputs of 66 bytes do.
    assert [port.fetches for port in found.ports] == [1, 2, 1]
    assert found.dram_bytes == 2048 + 2 * 2112 + 1024


def test_a_layer_is_cut_along_its_outputs_where_that_moves_less() -> None:
    found = traffic(DESIGNS["systolic_os/mac"], _gemm(64, 32, 64), _system(a=1024, b=1100))
    # Whole, weights come four times; in two runs they stay, and 4096 activations come twice.
    assert found.runs == ((16, 2),)
    assert [port.fetches for port in found.ports] == [2, 1, 1]
    assert found.dram_bytes == 2 * 4096 + 2112 + 64 * 32


@given(
    st.sampled_from(["systolic_os/mac", "column/shared_encoder/int8xnf4", "lookup/tl2"]),
    st.integers(1, 70),
    st.sampled_from([96, 192]),
    st.integers(64, 1 << 18),
)
def test_more_buffer_never_moves_more(name: str, m: int, n: int, size: int) -> None:
    less, more = (
        traffic(design(name), _gemm(m, n, 576), _system(a=bytes_, b=bytes_)).dram_bytes
        for bytes_ in (size, 2 * size)
    )
    assert more <= less


@pytest.mark.parametrize("name", FORMATS)
def test_weights_take_the_bytes_of_their_format(name: str) -> None:
    form = FORMATS[name]
    spec = design(f"cube/mac/int8x{name}") if name in ("int8", "int4") else engine_of(form)
    n, k = 192, 1152
    found = traffic(spec, _gemm(1, n, k), _system())
    expected = form.bits_per_weight(k=k, n=n) * k * n / 8
    assert found.port("b").dram_bytes == pytest.approx(expected, abs=1)
    assert weight_format(spec).name == name


def test_published_bits_per_weight_show_in_the_bytes_of_a_decode_step() -> None:
    # SeedLM stores 4 bits a weight, TL2 1.67 (arXiv 2410.10714; bitnet.cpp, arXiv 2502.11880).
    for name, bits in (("decoder/seedlm4", 4.0), ("lookup/tl2", 1.67)):
        moved = traffic(DESIGNS[name], _gemm(1, 4096, 3072), _system()).port("b").dram_bytes
        assert 8 * moved / (4096 * 3072) == pytest.approx(bits, rel=0.005)


def test_scale_groups_along_k_are_gemms_of_their_own_and_the_last_is_shorter() -> None:
    gemm = _gemm(1, 16, 576)
    assert gemm_lengths(design("systolic_os/mac/int8xint4"), gemm) == [128] * 4 + [64]
    assert gemm_lengths(design("systolic_os/mac/int8xnf4"), gemm) == [128] * 4 + [64]
    assert gemm_lengths(design("systolic_os/mac/int8xdual_grained"), gemm) == [576]
    found = traffic(design("systolic_os/mac/int8xint4"), gemm, _system())
    # A row of results for each of five groups.
    assert found.port("c").beats == 5
    assert found.port("a").beats == 576


def test_activations_in_place_of_weights_have_no_scales() -> None:
    spec = design("systolic_os/mac")
    found = traffic(spec, _gemm(4, 32, 64, weighted=False), _system())
    assert found.port("b").dram_bytes == 32 * 64


@pytest.mark.parametrize(
    "name",
    ["systolic_os/mac", "adder_tree/same_weight", "matrix_2d/same_weight", "column/shared_encoder"],
)
def test_side_integers_of_few_tiles_tell_those_of_all(name: str) -> None:
    spec = design(f"{name}/int8xdual_grained")
    n, k = 96, 256
    found = traffic(spec, _gemm(2, n, k), _system())
    assert found.port("s").beats == beats(spec, m=2, n=n, k=k)["s"].count
    assert found.port("s").dram_bytes == 0, "among the weights'"


def test_results_leave_as_narrow_as_asked() -> None:
    wide = replace(_system(), result_bits=32)
    found = traffic(DESIGNS["cube/mac"], _gemm(8, 8, 8), wide)
    assert found.port("c").dram_bytes == 8 * 8 * 4


def test_dram_interfaces_are_records_with_units_and_sources() -> None:
    assert {name: dram.bandwidth_gbs for name, dram in DRAMS.items()} == {
        "lpddr4": 25.6,
        "hbm2": 256,
        "gddr5": 32,
        "ddr3": 12.8,
    }
    for dram in DRAMS.values():
        for record, unit in (
            (dram.pins, "pin"),
            (dram.rate, "Mbit/s/pin"),
            (dram.energy, "pJ/bit"),
        ):
            assert record.unit == unit
            assert record.value > 0
            assert record.source
    for record in coefficients().values():
        assert record.unit
        assert record.source
        assert record.value > 0
    # 32 bits of DDR3 take 640 pJ (Horowitz).
    assert 4 * DRAMS["ddr3"].energy_pj_per_byte == 640
    assert DRAMS["lpddr4"].time_us(25_600) == pytest.approx(1)


def test_buffers_that_hold_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="Buffer must hold at least 2 bytes, not 1"):
        Buffer(capacity_bytes=1)
    with pytest.raises(ValueError, match="Buffer width must be at least 1 bit, not 0"):
        Buffer(capacity_bytes=64, width_bits=0)
    with pytest.raises(ValueError, match="Banks must have at least 1 word, not 0"):
        Buffer(capacity_bytes=64, bank_words=0)
    with pytest.raises(ValueError, match="Results must have at least 1 bit, not 0"):
        System(result_bits=0)


def test_a_k_that_a_format_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="decoder/seedlm3 must have k a multiple of 12, not 4096"):
        traffic(DESIGNS["decoder/seedlm3"], _gemm(1, 64, 4096), _system())

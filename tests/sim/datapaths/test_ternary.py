"""I2_S, TL1 and TL2: sums of products in Python integers, widths at the worst case, orders."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.sim import DATAPATHS, run, simulate
from bitweight.sim.datapath import contribute, decode, partials, prepare, units
from bitweight.sim.datapaths.i2_s import I2SSpec
from bitweight.sim.datapaths.ternary import TernarySpec
from bitweight.sim.datapaths.tl1 import Tl1Spec
from bitweight.sim.datapaths.tl2 import Tl2Spec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8, IntFormat
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.quantize import encode
from bitweight.workloads.trace import Trace

NAMES = ("addsub/i2_s", "lookup/tl1", "lookup/tl2")
SPECS: tuple[Any, ...] = (
    I2SSpec(),
    Tl1Spec(),
    Tl2Spec(),
    Tl2Spec(format=Tl2(tile_columns=192)),
)
ACTIVATIONS = (INT8, INT4, INT16, UINT8, IntFormat(width=3, symmetric=True))
SCALE = np.ones(1, np.float32)


def dot(x: NDArray[np.integer], w: NDArray[np.integer]) -> list[list[int]]:
    """Return x @ w by Python integers."""
    return [
        [sum(int(a) * int(b) for a, b in zip(row, column, strict=True)) for column in w.T]
        for row in x
    ]


def trits(rng: np.random.Generator, k: int, n: int) -> NDArray[np.int64]:
    return rng.integers(-1, 2, (k, n))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, NDArray[np.int64], NDArray[np.int64]]:
    """Draw a datapath, activations and weights."""
    pe = replace(draw(st.sampled_from(SPECS)), a=draw(st.sampled_from(ACTIVATIONS)))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    k = pe.walk.k_multiple * draw(st.integers(1, 300 // pe.walk.k_multiple))
    x = rng.integers(pe.a.min, pe.a.max + 1, (2, k))
    return pe, x, trits(rng, k, 3)


@given(case=cases())
def test_every_way_gives_the_sums_of_products(
    case: tuple[Any, NDArray[np.int64], NDArray[np.int64]],
) -> None:
    pe, x, w = case
    packed = pe.format.pack(w, SCALE)
    spec = BlockDotSpec(pe=pe, rows=2, columns=2)
    result = simulate(spec, x, packed)
    assert result.acc is not None
    assert result.acc.tolist() == dot(x, w)
    stepped, edges = run(spec, x, packed)
    assert stepped[:, :, 0, 0].tolist() == dot(x, w)
    assert edges == result.cycles


@pytest.mark.parametrize("name", NAMES)
def test_a_real_layer_gives_the_sums_of_products(name: str) -> None:
    spec = DATAPATHS[name]
    layer = Trace.example().integer_layers[0]
    scale = np.broadcast_to(1.0 if layer.w_scale is None else layer.w_scale, layer.n)
    packed = encode(spec.pe.format, layer.w_slice(slice(0, layer.k), slice(0, 4)) * scale[:4])
    x = layer.x_slice(slice(0, 2), slice(0, layer.k)).astype(np.int64)
    result = simulate(spec, x, packed)
    assert result.acc is not None
    assert result.acc.tolist() == dot(x, packed.format.unpack(packed))


@pytest.mark.parametrize("pe", SPECS[:3], ids=lambda pe: pe.name)
@pytest.mark.parametrize("a", [SPECS[0].a, *ACTIVATIONS], ids=str)
def test_the_greatest_sum_just_fits_the_accumulator(pe: TernarySpec, a: IntFormat) -> None:
    # All weights and activations at their ends, for the greatest k that is allowed.
    pe = replace(pe, a=a, max_k=96)
    half = 1 << (pe.acc_width - 1)
    sums = []
    for code in (a.min, a.max):
        for weight in (-1, 1):
            packed = pe.format.pack(np.full((96, 1), weight), SCALE)
            sums.append(int(partials(pe, np.full((1, 96), code), packed).item()))
    assert max(map(abs, sums)) == 96 * a.max_magnitude
    assert -half <= min(sums)
    assert half // 2 <= max(map(abs, sums)) < half
    with pytest.raises(ValueError, match=r"must keep k within 96 for its \d+-bit accumulators"):
        simulate(
            BlockDotSpec(pe=pe),
            np.zeros((1, 128), np.int64),
            pe.format.pack(np.zeros((128, 1), np.int8), SCALE),
        )


@pytest.mark.parametrize(
    ("spec", "a", "width"),
    [
        (Tl1Spec, SPECS[0].a, 9),
        (Tl1Spec, INT8, 10),
        (Tl1Spec, UINT8, 10),
        (Tl2Spec, SPECS[0].a, 10),
        (Tl2Spec, INT8, 10),
        (Tl2Spec, INT4, 6),
    ],
)
def test_entries_have_just_the_bits_of_their_worst_case(
    spec: type[Tl1Spec | Tl2Spec], a: IntFormat, width: int
) -> None:
    pe = spec(a=a)
    assert pe.entry_width == width
    size = 2 if spec is Tl1Spec else 3
    ends = [prepare(pe, [*x, *[0] * (len(pe.walk.lanes[0]) - size)]) for x in grid(a, size)]
    entries = [entry for table in ends for entry in table]
    half = 1 << (width - 1)
    assert -half <= min(entries)
    assert max(entries) < half
    assert min(entries) < -half // 2 or max(entries) >= half // 2


def grid(a: IntFormat, size: int) -> list[tuple[int, ...]]:
    """Return every choice of ends for ``size`` activations."""
    return list(product((a.min, a.max), repeat=size))


def test_tl1_entries_are_the_published_nine() -> None:
    # datapaths of microsoft/BitNet: index 3 w0 + w1 + 4; entry 4 is nothing and not stored.
    table = prepare(Tl1Spec(), [100, 3, *[0] * 14])[:8]
    assert table == (-103, -100, -97, -3, 3, 97, 100, 103)


def test_tl2_entries_are_the_published_fourteen() -> None:
    x0, x1, x2 = 100, 20, 3
    table = prepare(Tl2Spec(), [x0, x1, x2, *[0] * 21])[:13]
    assert table == (
        x2,
        x1 - x2,
        x1,
        x1 + x2,
        x0 - x1 - x2,
        x0 - x1,
        x0 - x1 + x2,
        x0 - x2,
        x0,
        x0 + x2,
        x0 + x1 - x2,
        x0 + x1,
        x0 + x1 + x2,
    )


@pytest.mark.parametrize("value", range(-13, 14))
def test_every_triple_is_its_entry_with_its_sign(value: int) -> None:
    pe = Tl2Spec()
    rest, c = divmod(value + 13, 3)
    a, b = divmod(rest, 3)
    w = np.zeros((96, 1), np.int64)
    w[:3, 0] = a - 1, b - 1, c - 1
    unit = int(units(pe, pe.format.pack(w, SCALE))[0, 0, 0])
    column = decode(pe, [unit], [])
    assert (column[0], column[8]) == (abs(value), int(value < 0))
    row = prepare(pe, [100, 20, 3, *[0] * 21])
    assert contribute(pe, row, column) == ((a - 1) * 100 + (b - 1) * 20 + (c - 1) * 3,)


@pytest.mark.parametrize("index", range(9))
def test_every_pair_of_the_tail_is_a_triple_without_its_first(index: int) -> None:
    pe = Tl2Spec()
    w = np.zeros((32, 1), np.int64)
    w[:2, 0] = index // 3 - 1, index % 3 - 1
    unit = int(units(pe, pe.format.pack(w, SCALE))[0, 0, 0])
    assert unit & 15 == index
    column = decode(pe, [unit], [], is_tail=True)
    row = prepare(pe, [0, 100, 3, *[0] * 21])
    assert contribute(pe, row, column) == (int(w[0, 0]) * 100 + int(w[1, 0]) * 3,)


def test_i2_s_takes_the_bytes_of_a_block_eight_at_a_time() -> None:
    pe = I2SSpec()
    assert pe.walk.lanes[1][:9] == (8, 9, 10, 11, 12, 13, 14, 15, 40)
    w = np.zeros((128, 1), np.int64)
    w[40] = 1
    beats = units(pe, pe.format.pack(w, SCALE))
    assert beats.shape == (4, 1, 8)
    assert decode(pe, beats[1, 0].tolist(), []) == (*[1] * 8, 2, *[1] * 23)


@pytest.mark.parametrize(
    ("pe", "tiled", "k", "n"),
    [
        (Tl1Spec(), Tl1(tile_rows=64, tile_columns=64), 256, 128),
        (Tl1Spec(), Tl1(tile_rows=64, tile_columns=16, slice_rows=64), 32, 64),
        (Tl2Spec(), Tl2(tile_rows=64), 256, 128),
        (Tl2Spec(format=Tl2(tile_columns=192)), Tl2(tile_rows=32, tile_columns=192), 416, 64),
    ],
    ids=str,
)
def test_the_converters_order_changes_addresses_but_no_beat(
    pe: Any, tiled: Any, k: int, n: int
) -> None:
    rng = np.random.default_rng(3)
    w, x = trits(rng, k, n), rng.integers(-127, 128, (2, k))
    logical, packed = pe.format.pack(w, SCALE), tiled.pack(w, SCALE)
    assert logical.words.tobytes() != packed.words.tobytes()
    tiled_pe = replace(pe, format=tiled)
    np.testing.assert_array_equal(units(tiled_pe, packed), units(pe, logical))
    result = simulate(BlockDotSpec(pe=tiled_pe), x, packed)
    np.testing.assert_array_equal(result.acc, x @ w)
    with pytest.raises(TypeError, match=rf"Operand b of lookup/{pe.name} must be"):
        simulate(BlockDotSpec(pe=pe), x, packed)


@pytest.mark.parametrize(
    ("name", "lookups", "adds"),
    [
        # 2 rows of 96 k and 5 outputs on 4 columns: tables for 2 x 2 tiles, cells for 10 outputs.
        ("addsub/i2_s", 0, 4 * (32 * 4 + 32 * 10)),
        ("lookup/tl1", 6 * 8 * 10, 6 * (48 * 4 + 8 * 10)),
        ("lookup/tl2", 4 * 8 * 10, 4 * (80 * 4 + 7 * 10 + 9 * 10)),
    ],
)
def test_operations_count_parts_once_per_row_column_or_cell(
    name: str, lookups: int, adds: int
) -> None:
    spec = replace(DATAPATHS[name], columns=4, rows=1)
    packed = spec.pe.format.pack(np.ones((96, 5), np.int8), SCALE)
    activity = simulate(spec, np.ones((2, 96), np.int64), packed).activity
    assert (activity.lookups, activity.adds, activity.multiplies) == (lookups, adds, 0)


def test_wrong_specs_and_operands_are_refused() -> None:
    with pytest.raises(ValueError, match="must have max_k at least 1, not 0"):
        Tl1Spec(max_k=0)
    with pytest.raises(
        ValueError, match=r"must have format.tile_columns a multiple of 96, not 120"
    ):
        Tl2Spec(format=Tl2(tile_columns=120))
    spec = BlockDotSpec(pe=Tl2Spec())
    x = np.zeros((1, 100), np.int64)
    with pytest.raises(ValueError, match="lookup/tl2 must have k a multiple of 32, not 100"):
        simulate(spec, x, Tl2().pack(np.zeros((100, 1), np.int8), SCALE))
    with pytest.raises(ValueError, match=r"int8_symmetric codes \(-127 to 127\), not -128 to"):
        simulate(spec, x[:, :96] - 128, Tl2().pack(np.zeros((96, 1), np.int8), SCALE))

"""Oracle: dot products with the weights that the format decodes, in Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim import cycles, simulate
from bitweight.sim.datapath import contribute, decode, draw, partials, prepare, side, units
from bitweight.sim.datapaths.half_table import KeyWidth
from bitweight.sim.datapaths.shift_add import ShiftAddSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8
from bitweight.workloads.formats.shift_add import NO_TERM, ShiftAdd, least_exponent
from bitweight.workloads.packed_weights import PackedWeights

specs = st.builds(
    ShiftAddSpec,
    a=st.sampled_from([INT4, INT8, UINT8, INT16]),
    format=st.builds(
        ShiftAdd, bits=st.integers(1, 4), terms=st.sampled_from([1, 3]), span=st.integers(0, 22)
    ),
    lanes=st.sampled_from([8, 16, 32]),
    mu=st.sampled_from(KeyWidth),
)


def integer_weights(packed: PackedWeights) -> list[list[int]]:
    """Return w in units of the least exponent, (k, n): exact, as Python integers."""
    unit = 2.0 ** -least_exponent(packed)
    return [[int(value * unit) for value in row] for row in packed.dequantise()]


@given(spec=specs, k=st.integers(1, 70), seed=st.integers(0, 99))
def test_parts_and_fast_sums_are_dot_products_with_the_weights(
    spec: ShiftAddSpec, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    packed = draw(spec, rng, k=k, n=16)
    x = rng.integers(spec.a.min, spec.a.max + 1, k)
    w = integer_weights(packed)
    wanted = [sum(int(x[i]) * w[i][j] for i in range(k)) for j in range(16)]
    assert partials(spec, x[None], packed).shape == (1, 16, 1, 1)
    assert partials(spec, x[None], packed).ravel().tolist() == wanted
    words, codes, padded = units(spec, packed), side(spec, packed), np.append(x, 0)
    for j in (0, 15):
        total = 0
        for beat, places in enumerate(spec.walk.lane_k(k)):
            row = prepare(spec, padded[places].tolist())
            column = decode(spec, words[beat, j].tolist(), codes[beat, j // 2].tolist())
            total += contribute(spec, row, column)[0]
        assert total == wanted[j]


def test_shift_codes_count_from_the_least_exponent_and_all_ones_is_no_term() -> None:
    spec = ShiftAddSpec(format=ShiftAdd(bits=1, terms=3, span=14))
    exponents = np.full((1, 1, 8, 3), NO_TERM, np.int8)
    exponents[0, 0, 2] = (5, -9, 0)
    packed = spec.format.pack(np.ones((1, 8, 8), int), exponents)
    codes = side(spec, packed)
    assert spec.side.bits == 4
    assert codes.shape == (1, 8, 3)
    assert codes[0, 2].tolist() == [14, 0, 9]
    assert set(codes[0, 0].tolist()) == {15}


@pytest.mark.parametrize(("span", "bits"), [(0, 1), (1, 2), (6, 3), (7, 4), (14, 4), (30, 5)])
def test_a_shift_code_has_the_bits_of_the_span_and_one_code_more(span: int, bits: int) -> None:
    assert ShiftAddSpec(format=ShiftAdd(span=span)).side.bits == bits


def test_the_accumulator_holds_the_extreme_sum_of_the_greatest_k() -> None:
    spec = ShiftAddSpec(format=ShiftAdd(bits=2, terms=3, span=14))
    # The first row block has every term at the greatest shift, the others at the least.
    exponents = np.zeros((1, 2, 8, 3), np.int8)
    exponents[:, :, 0] = 14
    packed = spec.format.pack(np.ones((2, 8, 8), int), exponents)
    of_eight = int(partials(spec, np.full((1, 8), -128), packed)[0, 0, 0, 0])
    assert of_eight == -8 * 128 * 2 * 3 * 2**14
    greatest = -of_eight * spec.max_k // 8
    assert 1 << (spec.acc_width - 2) <= greatest < 1 << (spec.acc_width - 1)


def test_columns_of_a_tile_read_the_scales_of_their_row_block() -> None:
    spec = BlockDotSpec(pe=ShiftAddSpec(format=ShiftAdd(bits=1, terms=1)), columns=2)
    exponents = np.arange(8).reshape(1, 1, 8, 1).astype(np.int8)
    packed = spec.pe.format.pack(np.ones((1, 8, 32), int), exponents)
    result = simulate(spec, np.ones((1, 8), int), packed)
    assert result.acc is not None
    assert result.acc.tolist() == [[8 << j // 4 for j in range(32)]]


def test_work_of_a_beat_is_counted() -> None:
    # Per output and 8 inputs: 3 look-ups, and an addition for each of 3 terms of 3 planes.
    spec = BlockDotSpec(pe=ShiftAddSpec(), columns=8)
    packed = draw(spec.pe, np.random.default_rng(0), k=128, n=64)
    activity = simulate(spec, np.ones((1, 128), int), packed).activity
    assert (activity.lookups, activity.multiplies) == (16 * 64 * 3, 0)
    assert activity.adds == 16 * 64 * 9 + 16 * 8 * 152


def test_wrong_input_gives_one_clear_line() -> None:
    with pytest.raises(ValueError, match="Lanes of shift_add must be 8, 16 or 32, not 4"):
        ShiftAddSpec(lanes=4)
    with pytest.raises(ValueError, match="Greatest k of shift_add must be at least 1, not 0"):
        ShiftAddSpec(max_k=0)
    with pytest.raises(
        ValueError, match="most 63 bits, not 64, as int16 at span 30 and k up to 65536 need"
    ):
        ShiftAddSpec(a=INT16, format=ShiftAdd(bits=1, terms=3, span=30))
    spec = BlockDotSpec(pe=ShiftAddSpec(), columns=16)
    with pytest.raises(
        ValueError,
        match=r"shift_add must have n a multiple of 128 \(8 equal runs of outputs, each whole "
        r"tiles of 16\), not 576",
    ):
        cycles(spec, m=1, n=576, k=576)
    with pytest.raises(ValueError, match="must keep k within 65536 for its 42-bit accumulators"):
        cycles(spec, m=1, n=128, k=65537)


def test_weights_without_any_term_are_zeros() -> None:
    form = ShiftAdd()
    packed = form.pack(
        np.ones((form.bits, 8, 8), int), np.full((1, form.bits, 8, form.terms), NO_TERM, np.int8)
    )
    assert not partials(ShiftAddSpec(format=form), np.full((2, 8), 127), packed).any()

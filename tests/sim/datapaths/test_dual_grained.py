from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim import simulate
from bitweight.sim.datapath import contribute, decode, draw, partials, prepare, side, units
from bitweight.sim.datapaths.dual_grained import DualGrainedSpec, GroupScale
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats import INT4, INT8, SYMMETRIC_INT8, UINT8, IntFormat
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.packed_weights import PackedWeights

DECODED = DualGrainedSpec()
FACTORED = DualGrainedSpec(group_scale=GroupScale.FACTORED)


@given(
    groups=st.integers(1, 5),
    a=st.sampled_from([INT8, INT4, UINT8]),
    k=st.integers(1, 70),
    seed=st.integers(0, 999),
)
def test_both_forms_are_the_dot_product_with_the_integer_weights(
    groups: int, a: IntFormat, k: int, seed: int
) -> None:
    form = DualGrained(group=8 * groups)
    rng = np.random.default_rng(seed)
    packed = draw(replace(DECODED, format=form), rng, k=k, n=2)
    x = rng.integers(a.min, a.max + 1, (2, k))
    weights = form.integers(packed).tolist()
    for scheme in (DECODED, FACTORED):
        spec = replace(scheme, a=a, format=form)
        found = partials(spec, x, packed)
        for i in range(2):
            for j in range(2):
                wanted = sum(int(x[i, at]) * weights[at][j] for at in range(k))
                assert found[i, j, 0, 0] == wanted == by_parts(spec, x[i], packed, j)


def by_parts(spec: Any, x: Any, packed: PackedWeights, output: int) -> int:
    """Add up what the parts make of the beats of one output."""
    words, integers, total = units(spec, packed), side(spec, packed), 0
    for beat, places in enumerate(spec.walk.lane_k(packed.k)):
        row = prepare(spec, [int(x[at]) if at < packed.k else 0 for at in places])
        beside = integers[beat // spec.side.beats, output].tolist()
        total += contribute(spec, row, decode(spec, words[beat, output].tolist(), beside))[0]
    return total


def test_every_code_zero_point_and_scale_that_fits_decodes_to_an_int8() -> None:
    count = 0
    for z in range(16):
        for s2 in range(1, 128):
            reach = 127 // s2
            for code in range(max(0, z - reach), min(15, z + reach) + 1):
                units_ = [code << 4 | code] * 4
                decoded = decode(DECODED, units_, (s2, z))
                assert decoded == ((code - z) * s2,) * 8
                assert -127 <= decoded[0] <= 127
                assert decode(FACTORED, units_, (s2, z)) == (*(code - z,) * 8, s2)
                count += 1
    products = np.subtract.outer(np.arange(16), np.arange(16))[:, :, None] * np.arange(1, 128)
    assert count == (np.abs(products) <= 127).sum() == 11612


def test_the_first_code_of_a_byte_is_its_high_nibble() -> None:
    assert decode(DECODED, (0x12, 0x34, 0x56, 0x78), (1, 0)) == (1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("a", [INT8, INT4, UINT8, SYMMETRIC_INT8])
@pytest.mark.parametrize("max_k", [8, 1000, 1 << 17])
def test_the_accumulator_has_the_bits_of_the_worst_sum_and_no_more(
    a: IntFormat, max_k: int
) -> None:
    spec = DualGrainedSpec(a=a, max_k=max_k)
    groups = -(-max_k // 128)
    extreme = a.min if -a.min > a.max else a.max
    sums = []
    for code in (7, 9):
        packed = spec.format.pack(
            np.full((max_k, 1), code),
            np.full((1, groups), 127),
            np.full((1, groups), 8),
            np.ones(1, np.float16),
        )
        sums.append(int(partials(spec, np.full((1, max_k), extreme, np.int64), packed)[0, 0, 0, 0]))
    half = 1 << (spec.acc_width - 1)
    assert all(-half <= total < half for total in sums)
    assert max(map(abs, sums)) >= half // 2


def test_int8_sums_of_131072_products_fit_32_bits() -> None:
    assert DECODED.acc_width == 32


def test_side_integers_come_once_per_group_and_output() -> None:
    packed = draw(DECODED, np.random.default_rng(0), k=200, n=3)
    assert side(DECODED, packed).shape == (2, 3, 2)
    assert DECODED.side.beats * 8 == 128
    np.testing.assert_array_equal(side(DECODED, packed)[1, :, 0], packed.side["S2"][:, 1])


def test_factoring_takes_one_product_in_place_of_one_per_weight() -> None:
    assert DECODED.column_part.operations.multiplies == 8
    assert FACTORED.column_part.operations.multiplies == 0
    assert FACTORED.cell.operations.multiplies == DECODED.cell.operations.multiplies + 1


def test_a_longer_sum_than_the_accumulator_holds_is_refused() -> None:
    spec = BlockDotSpec(pe=replace(DECODED, max_k=16))
    packed = draw(spec.pe, np.random.default_rng(0), k=24, n=1)
    with pytest.raises(ValueError, match="must keep k within 16 for its 19-bit accumulators"):
        simulate(spec, np.zeros((1, 24), np.int8), packed)


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="Group of dual_grained must be a multiple of 8, not 12"):
        DualGrainedSpec(format=DualGrained(group=12))
    with pytest.raises(ValueError, match="Greatest k must be 1 to 131072, not 131073"):
        DualGrainedSpec(max_k=131073)

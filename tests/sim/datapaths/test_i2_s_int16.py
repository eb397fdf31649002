"""I2_S in 16-bit lanes against the vector instructions of the AVX2 kernel, on numpy's int16."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.sim import run, simulate
from bitweight.sim.datapaths.i2_s import I2SSpec, LaneSums
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8, IntFormat
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.packed_weights import PackedWeights, apply_scales

PE = I2SSpec(lane_sums=LaneSums.INT16)
SPEC = BlockDotSpec(pe=PE, rows=2, columns=2)
SCALE = np.full(1, 0.5, np.float32)


def kernel(x: NDArray[np.int64], packed: PackedWeights) -> list[int]:
    """Return one row's sums as the kernel computes them, a 256-bit vector at a time.

    The products of unsigned codes and signed x are added in pairs (maddubs), then in 16 lanes that
    wrap; after 32 blocks, and at the end, the lanes are widened and emptied. The sum of x comes off
    the total.
    """
    blocks = packed.words.shape[1] // 32
    padded = np.pad(x, (0, blocks * 128 - len(x))).astype(np.int8).reshape(blocks, 4, 32)
    totals = []
    for words in packed.words.reshape(packed.n, blocks, 32):
        total = 0
        for start in range(0, blocks, 32):
            lanes = np.zeros(16, np.int16)
            for block in range(start, min(blocks, start + 32)):
                for quarter in range(4):
                    codes = (words[block] >> (6 - 2 * quarter) & 3).astype(np.int16)
                    products = codes * padded[block, quarter].astype(np.int16)
                    pairs = products[0::2] + products[1::2]
                    lanes = (lanes + pairs).astype(np.int16)
            total += sum(lanes.tolist())
        totals.append(total - sum(x.tolist()))
    return totals


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw activations, mostly great ones, and weights, mostly 1: lanes that wrap."""
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    k = draw(st.sampled_from([1, 33, 128, 2100, 4096, 4097, 5000]))
    x = rng.integers(draw(st.sampled_from([-128, 60, 120])), 128, (2, k))
    w = np.where(rng.random((k, 3)) < draw(st.sampled_from([0.3, 0.9])), 1, -1)
    return x * draw(st.sampled_from([1, -1])) // draw(st.sampled_from([1, 2])), w


@given(case=cases())
def test_sums_are_those_of_the_kernel(case: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    x, w = np.clip(case[0], -127, 127), case[1]
    packed = I2S().pack(w, SCALE)
    result = simulate(SPEC, x, packed)
    assert result.acc is not None
    assert result.acc.tolist() == [kernel(row, packed) for row in x]
    np.testing.assert_array_equal(apply_scales(result.results, packed), result.acc * 0.5)


def test_stepping_gives_the_same_sums_and_cycles() -> None:
    k = 4096 + 128 + 5
    packed = I2S().pack(np.ones((k, 3), np.int8), SCALE)
    x = np.stack([np.full(k, 127), np.arange(k) % 100])
    result = simulate(SPEC, x, packed)
    sums, edges = run(SPEC, x, packed)
    np.testing.assert_array_equal(sums, result.results)
    assert edges == result.cycles


def test_the_worst_lane_wraps_and_the_exact_sum_does_not() -> None:
    # Every lane reaches 256 x 2 x 127 = 65,024, which 16 bits hold as -512.
    packed = I2S().pack(np.ones((4096, 1), np.int8), SCALE)
    x = np.full((1, 4096), 127)
    wrapped, exact = (simulate(replace(SPEC, pe=pe), x, packed).acc for pe in (PE, I2SSpec()))
    assert exact == 4096 * 127
    assert wrapped == 16 * -512 - 4096 * 127


@pytest.mark.parametrize("form", [PE.a, INT8, INT4], ids=str)
def test_the_accumulator_holds_full_lanes_less_the_sum_of_x(form: IntFormat) -> None:
    pe = replace(PE, a=form)
    greatest = 16 * 32768 + 4096 * pe.a.max_magnitude
    assert greatest < 1 << (pe.acc_width - 1) <= 2 * greatest


def test_activations_that_the_kernel_does_not_take_are_refused() -> None:
    for form in (INT16, UINT8):
        with pytest.raises(ValueError, match=f"signed activations of at most 8 bits, not {form}"):
            replace(PE, a=form)

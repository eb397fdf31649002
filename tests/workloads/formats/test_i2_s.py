import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.packed_weights import PackedWeights, apply_scales

FORM = I2S()
SCALE = np.array([0.25], np.float32)


def drawn(seed: int, k: int, n: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(-1, 2, (k, n))


def block_bytes(**weights: int) -> bytes:
    """Pack one block whose weights are 0 but for those named w0, w1 ..."""
    trits = np.zeros((128, 1), np.int8)
    for name, value in weights.items():
        trits[int(name[1:])] = value
    return FORM.pack(trits, SCALE).words.tobytes()


@given(seed=st.integers(0, 999), k=st.integers(1, 300), n=st.integers(1, 5))
def test_unpacking_gives_back_the_weights_and_bytes_are_as_many_as_the_formula_says(
    seed: int, k: int, n: int
) -> None:
    trits = drawn(seed, k, n)
    packed = FORM.pack(trits, SCALE)
    np.testing.assert_array_equal(FORM.unpack(packed), trits)
    np.testing.assert_array_equal(packed.dequantise(), trits * 0.25)
    assert packed.bytes * 8 == pytest.approx(FORM.bits_per_weight(k=k, n=n) * k * n)


def test_a_byte_holds_four_weights_32_apart_the_first_one_highest() -> None:
    assert block_bytes() == bytes([0b01010101] * 32)
    assert block_bytes(w0=1, w32=-1, w96=1) == bytes([0b10000110] + [0x55] * 31)
    assert block_bytes(w31=-1, w63=1) == bytes([0x55] * 31 + [0b00100101])
    assert block_bytes(w65=-1, w127=1) == bytes([0x55, 0b01010001] + [0x55] * 29 + [0b01010110])


def test_outputs_follow_each_other_and_never_share_a_block() -> None:
    trits = np.zeros((130, 2), np.int8)
    trits[129, 0], trits[0, 1] = 1, -1
    words = FORM.pack(trits, SCALE).words
    assert words.shape == (2, 64)
    # Weight 129 is weight 1 of the second block; the rest of that block is padding, code 1.
    assert words[0].tobytes() == bytes([0x55] * 33 + [0b10010101] + [0x55] * 30)
    assert words[1].tobytes() == bytes([0b00010101] + [0x55] * 63)


def test_two_bits_per_weight_but_for_padding_and_the_scale() -> None:
    assert FORM.bits_per_weight(k=256, n=64) == 2 + 32 / (256 * 64)
    assert FORM.bits_per_weight(k=129, n=1) == (512 + 32) / 129


@given(seed=st.integers(0, 999))
def test_scaled_sums_are_the_product_with_the_real_weights(seed: int) -> None:
    packed = FORM.pack(drawn(seed, 140, 3), SCALE)
    x = np.random.default_rng(seed).integers(-127, 128, (2, 140))
    sums = (x @ FORM.unpack(packed)).reshape(2, 3, 1, 1)
    np.testing.assert_array_equal(apply_scales(sums, packed), x @ packed.dequantise())
    # However an engine splits them.
    split = np.concatenate([sums - 5, np.full_like(sums, 5)], axis=3)
    np.testing.assert_array_equal(apply_scales(split, packed), x @ packed.dequantise())


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"i2_s weights must be -1, 0 or 1, not -1 to 2"):
        FORM.pack(np.array([[-1], [2]]), SCALE)
    with pytest.raises(ValueError, match=r"i2_s weights must have shape \(k, n\), not \(3,\)"):
        FORM.pack(np.zeros(3, np.int8), SCALE)
    for scale, message in (
        (np.nan, "i2_s scale must be finite, not nan"),
        (-1.5, "i2_s scale must be at least 0, not -1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            FORM.pack(np.zeros((3, 1), np.int8), np.array([scale], np.float32))
    packed = FORM.pack(drawn(0, 100, 1), SCALE)
    for at, byte, message in (
        (0, 0b11010101, "i2_s words must hold codes 0 to 2, not 3"),
        (31, 0b01010110, r"i2_s words must be padded with weight 0 \(code 1\)"),
    ):
        words = packed.words.copy()
        words[0, at] = byte
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(packed, words=words)
    with pytest.raises(ValueError, match=r"i2_s words must have shape \(1, 32\), not \(1, 64\)"):
        PackedWeights(format=FORM, k=100, n=1, words=np.tile(packed.words, 2), scales=packed.scales)

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.gguf_blocks import BLOCK_FORMATS, float_values

TYPES = gguf.GGMLQuantizationType
# Bytes where float16 scales start: drawn scales must be numbers, since NaN equals nothing.
HALVES = {
    "Q8_0": (0,),
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q4_K": (0, 2),
    "Q6_K": (208,),
}


def drawn_rows(type_name: str, rows: int, blocks: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = BLOCK_FORMATS[type_name].size_bytes
    data = rng.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    for at in HALVES[type_name]:
        halves = rng.normal(0, 2, (rows, blocks, 1)).astype("<f2")
        data[..., at : at + 2] = halves.view(np.uint8)
    return data.reshape(rows, -1)


@pytest.mark.parametrize("type_name", BLOCK_FORMATS)
@given(rows=st.integers(1, 5), blocks=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_values_equal_the_gguf_packages_bit_for_bit(
    type_name: str, rows: int, blocks: int, seed: int
) -> None:
    data = drawn_rows(type_name, rows, blocks, seed)
    theirs = gguf.quants.dequantize(data, TYPES[type_name])
    ours = BLOCK_FORMATS[type_name].decode(data).dequantise()
    assert ours.shape == (rows, blocks * BLOCK_FORMATS[type_name].elements)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@pytest.mark.parametrize("type_name", BLOCK_FORMATS)
@given(seed=st.integers(0, 2**32))
def test_codes_fill_their_format_and_no_more(type_name: str, seed: int) -> None:
    decoded = BLOCK_FORMATS[type_name].decode(drawn_rows(type_name, 16, 16, seed))
    assert decoded.format.admits(decoded.codes)
    wide = decoded.format.width == 8
    assert wide or decoded.codes.min() == decoded.format.min
    assert wide or decoded.codes.max() == decoded.format.max
    assert decoded.scale.shape == (16, decoded.codes.shape[1] // decoded.group)


def test_a_hand_packed_q4_1_block_unpacks_low_nibbles_first() -> None:
    data = np.zeros((1, 20), np.uint8)
    data[0, 0:4] = np.array([0.5, -3.0], "<f2").view(np.uint8)
    data[0, 4] = 0x2F
    decoded = BLOCK_FORMATS["Q4_1"].decode(data)
    assert decoded.codes[0, 0] == 15
    assert decoded.codes[0, 16] == 2
    assert decoded.dequantise()[0, [0, 1, 16]].tolist() == [4.5, -3.0, -2.0]


@given(bits=st.lists(st.integers(0, 0x7F7F), min_size=1, max_size=9))
def test_bf16_is_the_upper_half_of_a_float32(bits: list[int]) -> None:
    data = np.array([bits], "<u2")
    ours = float_values("BF16", data.view(np.uint8))
    theirs = gguf.quants.dequantize(data.view(np.uint8), TYPES.BF16)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_f16_and_f32_values_are_kept(dtype: type[np.floating]) -> None:
    values = np.array([[1.5, -2.25, 0.0]], dtype)
    assert float_values("F16", values).tolist() == values.tolist()

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.packed_weights import apply_scales

FORM = Tl1()
SCALE = np.array([0.25], np.float32)
# The index of a pair of zeros, twice.
ZEROS = 0x44


def drawn(seed: int, k: int, n: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(-1, 2, (k, n))


def recorded(k: int, n: int) -> NDArray[np.int64]:
    """Return the weights that the converter's bytes were recorded with."""
    i, j = np.arange(k)[:, None], np.arange(n)
    return (i * i + 3 * j + i * j // 7) % 3 - 1


def digest(words: NDArray[np.uint8]) -> str:
    return hashlib.sha256(words.tobytes()).hexdigest()[:16]


def place(form: Tl1, k: int, n: int, *, row: int, column: int) -> tuple[int, int]:
    """Return where a lone weight +1 at k = column of output ``row`` is stored, and the byte."""
    trits = np.zeros((k, n), np.int8)
    trits[column, row] = 1
    words = form.pack(trits, SCALE).words
    (at,) = np.flatnonzero(words != ZEROS)
    return int(at), int(words[at])


@st.composite
def tiled(draw: st.DrawFn) -> tuple[Tl1, int, int]:
    """Draw a converter's order and a size that it takes."""
    slice_rows = draw(st.sampled_from([32, 64]))
    rows = slice_rows * draw(st.integers(1, 2))
    columns = 256 // slice_rows * draw(st.integers(1, 3))
    form = Tl1(tile_rows=rows, tile_columns=columns, slice_rows=slice_rows)
    return form, columns * draw(st.integers(1, 3)), rows * draw(st.integers(1, 2))


def loops(form: Tl1, k: int, n: int) -> list[tuple[int, int]]:
    """Return output and first k of each stored byte, one loop for each level of the order."""
    rows, columns, inner = form.tile_rows, form.tile_columns, form.slice_rows
    assert rows
    return [
        (tile + part + strip + row, tile_k + block + four)
        for tile in range(0, n, rows)
        for tile_k in range(0, k, columns)
        for part in range(0, rows, inner)
        for block in range(0, columns, 256 // inner)
        for strip in range(0, inner, 16)
        for four in range(0, 256 // inner, 4)
        for row in range(16)
    ]


@given(seed=st.integers(0, 999), k=st.integers(1, 40), n=st.integers(1, 5))
def test_unpacking_gives_back_the_weights_and_bytes_are_as_many_as_the_formula_says(
    seed: int, k: int, n: int
) -> None:
    trits = drawn(seed, k, n)
    packed = FORM.pack(trits, SCALE)
    np.testing.assert_array_equal(FORM.unpack(packed), trits)
    np.testing.assert_array_equal(packed.dequantise(), trits * 0.25)
    assert packed.bytes * 8 == pytest.approx(FORM.bits_per_weight(k=k, n=n) * k * n)


@given(seed=st.integers(0, 999), case=tiled())
def test_the_converters_order_is_its_loops_and_unpacks_too(
    seed: int, case: tuple[Tl1, int, int]
) -> None:
    form, k, n = case
    trits = drawn(seed, k, n)
    packed = form.pack(trits, SCALE)
    np.testing.assert_array_equal(form.unpack(packed), trits)
    logical = FORM.pack(trits, SCALE).words.reshape(n, k // 4)
    assert packed.words.tolist() == [logical[row, at // 4] for row, at in loops(form, k, n)]
    assert packed.bytes * 8 == pytest.approx(form.bits_per_weight(k=k, n=n) * k * n)


def test_each_pair_has_the_index_of_its_sum_in_the_table() -> None:
    pairs = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    trits = np.array([*pairs, (0, 0)], np.int8).reshape(-1, 1)
    assert FORM.pack(trits, SCALE).words.tobytes() == bytes([0x01, 0x23, 0x45, 0x67, 0x84])


def test_outputs_follow_each_other_padded_to_whole_bytes() -> None:
    trits = np.array([[1, -1], [1, -1], [-1, 0], [-1, 1], [1, 0]])
    assert FORM.pack(trits, SCALE).words.tobytes() == bytes([0x80, 0x74, 0x05, 0x44])


def test_the_converters_order_by_hand() -> None:
    form = Tl1(tile_rows=64, tile_columns=16)
    size = {"k": 32, "n": 128}
    # A slice of 32 outputs x 8 k is 64 bytes: outputs 0 to 15 at k 0, then at k 4, then 16 to 31.
    assert place(form, **size, row=0, column=0) == (0, 0x74)
    assert place(form, **size, row=15, column=3) == (15, 0x45)
    assert place(form, **size, row=0, column=4) == (16, 0x74)
    assert place(form, **size, row=16, column=2) == (32, 0x47)
    assert place(form, **size, row=0, column=8) == (64, 0x74)
    # A slice of the tile is 32 x 16 / 4 bytes, the tile twice that, all tiles along k twice more.
    assert place(form, **size, row=32, column=0) == (128, 0x74)
    assert place(form, **size, row=0, column=16) == (256, 0x74)
    assert place(form, **size, row=64, column=0) == (512, 0x74)
    # A slice of 64 outputs takes 4 k at a time, in strips of 16 outputs all the same.
    broad = Tl1(tile_rows=64, tile_columns=16, slice_rows=64)
    assert place(broad, **size, row=16, column=0) == (16, 0x74)
    assert place(broad, **size, row=0, column=4) == (64, 0x74)


@pytest.mark.parametrize(
    ("form", "k", "n", "expected"),
    [
        (Tl1(tile_rows=64), 256, 128, "7a2c6b96307968cf"),
        (Tl1(tile_rows=128, tile_columns=64, slice_rows=64), 128, 128, "01cac14501dd603e"),
    ],
)
def test_bytes_are_those_of_the_converter(form: Tl1, k: int, n: int, expected: str) -> None:
    # From preprocess_weights_tl1 of microsoft/BitNet at 16da220, run on the same weights.
    assert digest(form.pack(recorded(k, n), SCALE).words) == expected


def test_two_bits_per_weight_but_for_padding_and_the_scale() -> None:
    assert FORM.bits_per_weight(k=256, n=64) == 2 + 32 / (256 * 64)
    assert FORM.bits_per_weight(k=5, n=2) == (2 * 16 + 32) / 10


@given(seed=st.integers(0, 999))
def test_scaled_sums_are_the_product_with_the_real_weights(seed: int) -> None:
    packed = FORM.pack(drawn(seed, 13, 3), SCALE)
    x = np.random.default_rng(seed).integers(-127, 128, (2, 13))
    sums = (x @ FORM.unpack(packed)).reshape(2, 3, 1, 1)
    np.testing.assert_array_equal(apply_scales(sums, packed), x @ packed.dequantise())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"slice_rows": 16}, "tl1 slice_rows must be 32 or 64, not 16"),
        ({"tile_rows": 48}, "tl1 tile_rows must be a multiple of 32, not 48"),
        ({"tile_rows": 32, "slice_rows": 64}, "tl1 tile_rows must be a multiple of 64, not 32"),
        ({"tile_columns": 12}, "tl1 tile_columns must be a multiple of 8, not 12"),
        ({"tile_columns": 0}, "tl1 tile_columns must be a multiple of 8, not 0"),
    ],
)
def test_wrong_tiles_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tl1(**fields)


def test_wrong_input_is_refused() -> None:
    form = Tl1(tile_rows=64)
    with pytest.raises(ValueError, match="n must be a multiple of tl1's tile of 64, not 32"):
        form.pack(drawn(0, 128, 32), SCALE)
    with pytest.raises(ValueError, match="k must be a multiple of tl1's tile of 128, not 130"):
        form.bits_per_weight(k=130, n=64)
    with pytest.raises(ValueError, match=r"tl1 weights must be -1, 0 or 1, not -2 to 0"):
        FORM.pack(np.array([[-2], [0]]), SCALE)
    with pytest.raises(ValueError, match="tl1 scale must be finite, not inf"):
        FORM.pack(np.zeros((3, 1), np.int8), np.array([np.inf], np.float32))
    packed = FORM.pack(drawn(0, 6, 1), SCALE)
    for at, byte, message in (
        (0, 0x94, "tl1 words must hold pair indices 0 to 8, not 9"),
        (1, 0x45, "tl1 words must be padded with weight 0"),
    ):
        words = packed.words.copy()
        words[at] = byte
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(packed, words=words)

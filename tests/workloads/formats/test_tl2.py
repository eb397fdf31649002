import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.workloads.formats.tl2 import Sections, Tl2
from bitweight.workloads.packed_weights import apply_scales

FORM = Tl2()
SCALE = np.array([0.25], np.float32)
# Outputs 8 to 15 and 16 to 23 of a slice change places.
RUNS = [*range(8), *range(16, 24), *range(8, 16), *range(24, 32)]


def drawn(seed: int, k: int, n: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(-1, 2, (k, n))


def recorded(k: int, n: int) -> NDArray[np.int64]:
    """Return the weights that the converter's bytes were recorded with."""
    i, j = np.arange(k)[:, None], np.arange(n)
    return (i * i + 3 * j + i * j // 7) % 3 - 1


def digest(words: NDArray[np.uint8]) -> str:
    return hashlib.sha256(words.tobytes()).hexdigest()[:16]


def changed(form: Tl2, k: int, n: int, *, row: int, column: int, weight: int) -> dict[int, int]:
    """Return the bytes that a lone weight at k = column of output ``row`` changes, by place."""
    trits = np.zeros((k, n), np.int8)
    blank = form.pack(trits, SCALE).words
    trits[column, row] = weight
    words = form.pack(trits, SCALE).words
    return {int(at): int(words[at]) for at in np.flatnonzero(words != blank)}


@st.composite
def tiled(draw: st.DrawFn) -> tuple[Tl2, int, int]:
    """Draw a converter's order and a size that it takes."""
    form = Tl2(tile_rows=32 * draw(st.integers(1, 2)), tile_columns=24 * draw(st.integers(1, 5)))
    tails = range(0, form.tile_columns, 32)
    k = form.tile_columns * draw(st.integers(1, 2)) + draw(st.sampled_from(tails))
    assert form.tile_rows
    return form, k, form.tile_rows * draw(st.integers(1, 2))


def pair_bytes(form: Tl2, trits: NDArray[np.int64], three: int) -> list[int]:
    """Return the tail, one loop for each level of the order."""
    k, n = trits.shape
    assert form.tile_rows
    return [
        16 * (3 * w[at] + w[at + 1] + 4) + 3 * w[at + 2] + w[at + 3] + 4
        for tile in range(0, n, form.tile_rows)
        for block in range(three, k, 32)
        for part in range(tile, tile + form.tile_rows, 32)
        for at in range(block, block + 32, 4)
        for w in (trits[:, part + row].tolist() for row in RUNS)
    ]


def triple_bytes(form: Tl2, trits: NDArray[np.int64], three: int) -> list[int]:
    """Return indices and signs, one loop for each level of the order."""
    n = trits.shape[1]
    assert form.tile_rows

    def value(row: int, at: int) -> int:
        return int(trits[at : at + 3, row] @ [9, 3, 1])

    slices = [
        (part, range(tile_k, tile_k + form.tile_columns))
        for tile in range(0, n, form.tile_rows)
        for tile_k in range(0, three, form.tile_columns)
        for part in range(tile, tile + form.tile_rows, 32)
    ]
    indices = [
        16 * abs(value(part + row, at)) + abs(value(part + row, at + 3))
        for part, columns in slices
        for at in columns[::6]
        for row in RUNS
    ]
    signs = [
        sum(
            (value(part + row + 16 * half, at + 3 * t) < 0) << 15 - (2 * t + half)
            for t in range(8)
            for half in range(2)
        )
        for part, columns in slices
        for at in columns[::24]
        for row in range(16)
    ]
    return [*indices, *(byte for word in signs for byte in (word & 255, word >> 8))]


@given(
    seed=st.integers(0, 999),
    k=st.integers(1, 300),
    n=st.integers(1, 5),
    columns=st.sampled_from([24, 48, 96, 120, 192]),
)
def test_unpacking_gives_back_the_weights_and_bytes_are_as_many_as_the_formula_says(
    seed: int, k: int, n: int, columns: int
) -> None:
    form, trits = Tl2(tile_columns=columns), drawn(seed, k, n)
    packed = form.pack(trits, SCALE)
    np.testing.assert_array_equal(form.unpack(packed), trits)
    np.testing.assert_array_equal(packed.dequantise(), trits * 0.25)
    assert packed.bytes * 8 == pytest.approx(form.bits_per_weight(k=k, n=n) * k * n)


@given(seed=st.integers(0, 999), case=tiled())
def test_the_converters_order_is_its_loops_and_unpacks_too(
    seed: int, case: tuple[Tl2, int, int]
) -> None:
    form, k, n = case
    trits = drawn(seed, k, n)
    packed = form.pack(trits, SCALE)
    np.testing.assert_array_equal(form.unpack(packed), trits)
    three = k - k % form.tile_columns
    expected = triple_bytes(form, trits, three) + pair_bytes(form, trits, three)
    assert packed.words.tolist() == expected
    assert packed.bytes * 8 == pytest.approx(form.bits_per_weight(k=k, n=n) * k * n)


def test_each_triple_has_the_index_of_its_magnitude_and_a_sign() -> None:
    # The 27 triples in rising order: -13 to 13; then 5 triples of zeros.
    triples = [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
    trits = np.array(triples + [(0, 0, 0)] * 5, np.int8).reshape(96, 1)
    words = FORM.pack(trits, SCALE).words
    assert words[:16].tobytes().hex() == "dcba98765432101" + "23456789abcd00000"
    # 13 ones from the highest bit down, then zeros; words are little endian.
    assert words[16:].tobytes() == bytes([0b11111000, 0b11111111, 0, 0])


def test_what_tiles_of_triples_leave_is_stored_in_pairs() -> None:
    trits = np.zeros((128, 1), np.int8)
    trits[0], trits[95], trits[96], trits[127] = -1, 1, -1, 1
    words = FORM.pack(trits, SCALE).words
    assert words.tobytes() == bytes(
        [0x90, *[0] * 14, 0x01, *(0x00, 0x80), 0, 0, 0x14, *[0x44] * 6, 0x45]
    )


@pytest.mark.parametrize(
    ("form", "k", "expected"),
    [
        (FORM, 96, Sections(three=96, two=0, sign_bits=32)),
        (FORM, 2560, Sections(three=2496, two=64, sign_bits=832)),
        # Padding: to blocks of 32, and to a tile where that takes no more k.
        (FORM, 97, Sections(three=96, two=32, sign_bits=32)),
        (FORM, 64, Sections(three=0, two=64, sign_bits=0)),
        (FORM, 65, Sections(three=96, two=0, sign_bits=32)),
        (Tl2(tile_columns=24), 25, Sections(three=48, two=0, sign_bits=16)),
        # 8 signs fill half a word; in the converter's order two outputs share it.
        (Tl2(tile_columns=24), 24, Sections(three=24, two=0, sign_bits=16)),
        (Tl2(tile_columns=24, tile_rows=32), 24, Sections(three=24, two=0, sign_bits=8)),
    ],
)
def test_k_is_split_into_triples_and_pairs(form: Tl2, k: int, expected: Sections) -> None:
    assert form.sections(k=k, n=32) == expected


def test_the_converters_order_by_hand() -> None:
    form = Tl2(tile_rows=64, tile_columns=48)
    size = {"k": 128, "n": 128}
    # 96 k in triples: 16 index bytes per output, 2,048 in all; 512 bytes of signs; 32 k in pairs.
    assert changed(form, **size, row=0, column=0, weight=1) == {0: 0x90}
    assert changed(form, **size, row=0, column=3, weight=1) == {0: 0x09}
    assert changed(form, **size, row=8, column=2, weight=1) == {16: 0x10}
    assert changed(form, **size, row=16, column=2, weight=1) == {8: 0x10}
    assert changed(form, **size, row=31, column=6, weight=1) == {63: 0x90}
    # A slice of a tile is 32 x 48 / 6 bytes, a tile two of them, a row of tiles two of those.
    assert changed(form, **size, row=32, column=0, weight=1) == {256: 0x90}
    assert changed(form, **size, row=0, column=48, weight=1) == {512: 0x90}
    assert changed(form, **size, row=64, column=0, weight=1) == {1024: 0x90}
    # Sign words: 16 for 24 k of a slice. Output 0 has bit 15, output 16 bit 14 (high byte second).
    assert changed(form, **size, row=0, column=0, weight=-1) == {0: 0x90, 2049: 0x80}
    assert changed(form, **size, row=16, column=0, weight=-1) == {8: 0x90, 2049: 0x40}
    assert changed(form, **size, row=1, column=21, weight=-1) == {97: 0x09, 2050: 0x02}
    assert changed(form, **size, row=0, column=24, weight=-1) == {128: 0x90, 2048 + 33: 0x80}
    assert changed(form, **size, row=32, column=0, weight=-1) == {256: 0x90, 2048 + 65: 0x80}
    # The tail: 8 bytes of 4 k for each output, 32 outputs at a time.
    assert changed(form, **size, row=0, column=96, weight=1) == {2560: 0x74}
    assert changed(form, **size, row=8, column=96, weight=1) == {2560 + 16: 0x74}
    assert changed(form, **size, row=0, column=100, weight=1) == {2560 + 32: 0x74}
    assert changed(form, **size, row=32, column=127, weight=-1) == {2560 + 480: 0x43}


@pytest.mark.parametrize(
    ("form", "k", "n", "expected"),
    [
        (Tl2(tile_rows=64), 160, 128, "14e5569fdf7ebd8a"),
        (Tl2(tile_rows=32, tile_columns=192), 320, 64, "e73714e5444db89f"),
        (Tl2(tile_rows=64), 256, 64, "78da091d25968faf"),
    ],
)
def test_bytes_are_those_of_the_converter(form: Tl2, k: int, n: int, expected: str) -> None:
    # From preprocess_three_weights_tl2 and preprocess_two_weights_tl2 of microsoft/BitNet at
    # 16da220, run on the same weights; without the zeros that follow them in a file.
    assert digest(form.pack(recorded(k, n), SCALE).words) == expected


def test_five_thirds_of_a_bit_and_two_in_the_tail() -> None:
    assert FORM.bits_per_weight(k=192, n=64) == pytest.approx(5 / 3 + 32 / (192 * 64))
    mixed = (5 / 3 * 2496 + 2 * 64) / 2560 + 32 / 2560**2
    assert FORM.bits_per_weight(k=2560, n=2560) == pytest.approx(mixed)


@given(seed=st.integers(0, 999), k=st.integers(1, 200))
def test_scaled_sums_are_the_product_with_the_real_weights(seed: int, k: int) -> None:
    packed = FORM.pack(drawn(seed, k, 3), SCALE)
    x = np.random.default_rng(seed).integers(-127, 128, (2, k))
    sums = (x @ FORM.unpack(packed)).reshape(2, 3, 1, 1)
    np.testing.assert_array_equal(apply_scales(sums, packed), x @ packed.dequantise())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tile_columns": 64}, "tl2 tile_columns must be a multiple of 24, not 64"),
        ({"tile_rows": 48}, "tl2 tile_rows must be a multiple of 32, not 48"),
    ],
)
def test_wrong_tiles_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tl2(**fields)


def test_wrong_sizes_are_refused_in_the_converters_order() -> None:
    form = Tl2(tile_rows=64)
    with pytest.raises(ValueError, match="n must be a multiple of tl2's tile of 64, not 32"):
        form.pack(drawn(0, 96, 32), SCALE)
    with pytest.raises(
        ValueError, match="k must leave a multiple of 32 after tl2's tiles of 96, not 4"
    ):
        form.bits_per_weight(k=100, n=64)


@pytest.mark.parametrize(
    ("at", "byte", "message"),
    [
        (0, 0xE0, "tl2 words must hold triple indices 0 to 13, not 14"),
        (17, 0x80, "tl2 signs of zero triples and of padding must be 0, not 1"),
        (20, 0x49, "tl2 words must hold pair indices 0 to 8, not 9"),
        (27, 0x45, "tl2 words must be padded with weight 0"),
    ],
)
def test_words_that_no_weights_have_are_refused(at: int, byte: int, message: str) -> None:
    packed = FORM.pack(np.zeros((120, 1), np.int8), SCALE)
    words = packed.words.copy()
    words[at] = byte
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(packed, words=words)


def test_signs_in_the_padding_of_a_sign_word_are_refused() -> None:
    packed = Tl2(tile_columns=24).pack(np.zeros((24, 1), np.int8), SCALE)
    words = packed.words.copy()
    words[4] = 1
    with pytest.raises(ValueError, match="tl2 signs of zero triples and of padding must be 0"):
        dataclasses.replace(packed, words=words)

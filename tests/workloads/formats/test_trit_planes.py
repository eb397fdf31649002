"""Trit planes as memory holds them: codes survive, bytes are counted, nibbles lie as documented."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.packed_weights import PackedWeights, apply_scales

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 5))


def scales(n: int, groups: int) -> Any:
    values = st.floats(-4, 4, width=16)
    return npst.arrays(np.float16, (n, groups), elements=values)


@given(data=st.data(), sizes=SIZES, group=st.integers(1, 20))
def test_packing_keeps_both_planes(data: st.DataObject, sizes: Any, group: int) -> None:
    form = TritPlanes(group=group)
    trits = npst.arrays(np.int64, sizes, elements=st.integers(-1, 1))
    t1, t2 = data.draw(trits), data.draw(trits)
    factors = [data.draw(scales(sizes[1], -(-sizes[0] // group))) for _ in range(2)]
    packed = form.pack(t1, t2, *factors)
    found = form.unpack(packed)
    np.testing.assert_array_equal(found[0], t1)
    np.testing.assert_array_equal(found[1], t2)
    a1, a2 = (np.repeat(f.astype(float), group, axis=1)[:, : sizes[0]].T for f in factors)
    np.testing.assert_array_equal(packed.dequantise(), t1 * a1 + t2 * a2)
    k, n = sizes
    assert packed.bytes * 8 == round(form.bits_per_weight(k=k, n=n) * k * n, 6)


@given(data=st.data(), sizes=SIZES, group=st.integers(1, 20))
def test_packing_keeps_nine_level_codes(data: st.DataObject, sizes: Any, group: int) -> None:
    form = TritNine(group=group)
    codes = data.draw(npst.arrays(np.int64, sizes, elements=st.integers(-4, 4)))
    packed = form.pack(codes, data.draw(scales(sizes[1], -(-sizes[0] // group))))
    np.testing.assert_array_equal(form.unpack(packed), codes)
    k, n = sizes
    assert packed.bytes * 8 == round(form.bits_per_weight(k=k, n=n) * k * n, 6)


def test_bits_per_weight_are_the_published_ones() -> None:
    assert TritPlanes().bits_per_weight(k=1024, n=7) == 4.25
    assert TritNine().bits_per_weight(k=1024, n=7) == 4.125


def test_a_byte_holds_the_even_k_low_and_t1_below_t2() -> None:
    ones = np.ones((1, 1), np.float16)
    packed = TritPlanes().pack(np.array([[1], [0]]), np.array([[-1], [1]]), ones, ones)
    # k = 0: t1 = 01, t2 = 11; k = 1: t1 = 00, t2 = 01.
    assert packed.words.tolist() == [[0b0100_1101]]
    assert TritNine().pack(np.array([[-4], [3]]), ones).words.tolist() == [[0x3C]]


def test_sums_of_planes_and_groups_are_scaled_and_added() -> None:
    form = TritPlanes(group=2)
    a1, a2 = np.array([[2, 1]], np.float16), np.array([[0.5, -1]], np.float16)
    packed = form.pack(np.zeros((3, 1), int), np.zeros((3, 1), int), a1, a2)
    partials = np.array([[[[10, 20], [4, 8]]]])
    assert apply_scales(partials, packed).tolist() == [[2 * 10 + 20 + 0.5 * 4 - 8]]


@pytest.mark.parametrize(
    ("form", "word", "message"),
    [
        (TritPlanes(), 0b10, "trit_planes words must hold trits 00, 01 or 11, not 10"),
        (TritPlanes(), 0b1000, "trit_planes words must hold trits 00, 01 or 11, not 10"),
        (TritNine(), 5, "trit_nine words must hold codes -4 to 4, not 5 to 5"),
        (TritNine(), 8, "trit_nine words must hold codes -4 to 4, not -8 to -8"),
    ],
)
def test_codes_that_no_encoder_writes_are_refused(form: Any, word: int, message: str) -> None:
    factors = {name: np.ones((1, 1), np.float16) for name in form.layout(k=1, n=1).scales}
    with pytest.raises(ValueError, match=message):
        PackedWeights(format=form, k=1, n=1, words=np.array([[word]], np.uint8), scales=factors)


def test_scales_that_are_not_finite_and_wrong_arrays_are_refused() -> None:
    form, word = TritNine(), np.zeros((1, 1), np.uint8)
    scale = np.array([[np.inf]], np.float16)
    with pytest.raises(ValueError, match=r"^trit_nine scale must be finite, not inf$"):
        PackedWeights(format=form, k=1, n=1, words=word, scales={"scale": scale})
    with pytest.raises(ValueError, match=r"^trit_nine scales must be scale, not none$"):
        PackedWeights(format=form, k=1, n=1, words=word)
    with pytest.raises(TypeError, match=r"^trit_nine words must be uint8, not int64$"):
        PackedWeights(format=form, k=1, n=1, words=word.astype(np.int64))
    with pytest.raises(ValueError, match=r"words must have shape \(1, 2\), not \(1, 1\)$"):
        PackedWeights(format=form, k=3, n=1, words=word)
    with pytest.raises(ValueError, match=r"^Group must be at least 1 weight, not 0$"):
        TritPlanes(group=0)

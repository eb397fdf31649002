import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats.dual_grained import DualGrained

Case = tuple[DualGrained, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@st.composite
def matrices(draw: st.DrawFn) -> Case:
    """Draw a format, codes (k, n), S2 and z (n, groups), and s1 (n,)."""
    form = DualGrained(group=draw(st.integers(1, 20)))
    k, n = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    shape = (n, -(-k // form.group))
    s2 = draw(npst.arrays(np.int64, shape, elements=st.integers(1, 127)))
    z = draw(npst.arrays(np.int64, shape, elements=st.integers(0, 15)))
    codes = draw(npst.arrays(np.int64, (k, n), elements=st.integers(0, 15)))
    reach = 127 // s2
    at = np.arange(k) // form.group
    codes = np.clip(codes, (z - reach).T[at], (z + reach).T[at])
    s1 = draw(npst.arrays(np.float16, n, elements=st.floats(0, 60000, width=16)))
    return form, codes, s2, z, s1


@given(case=matrices())
def test_packing_keeps_every_code_and_side_integer(case: Case) -> None:
    form, codes, s2, z, s1 = case
    packed = form.pack(codes, s2, z, s1)
    np.testing.assert_array_equal(form.unpack(packed), codes)
    np.testing.assert_array_equal(packed.side["S2"], s2)
    np.testing.assert_array_equal(packed.side["z"], z)


@given(case=matrices())
def test_bits_by_formula_are_the_bytes_held(case: Case) -> None:
    form, codes, s2, z, s1 = case
    k, n = codes.shape
    packed = form.pack(codes, s2, z, s1)
    assert packed.bytes * 8 == round(form.bits_per_weight(k=k, n=n) * k * n, 6)


@given(case=matrices())
def test_weights_are_code_less_zero_point_times_both_scales(case: Case) -> None:
    form, codes, s2, z, s1 = case
    weights = form.pack(codes, s2, z, s1).dequantise()
    for (i, j), code in np.ndenumerate(codes):
        at = j, i // form.group
        assert weights[i, j] == int((code - z[at]) * s2[at]) * float(s1[j])


@given(case=matrices(), seed=st.integers(0, 99))
def test_scaled_sums_are_the_product_with_the_weights(case: Case, seed: int) -> None:
    form, codes, s2, z, s1 = case
    packed = form.pack(codes, s2, z, s1)
    x = np.random.default_rng(seed).integers(-128, 128, (2, len(codes)))
    sums = (x @ form.integers(packed))[:, :, None, None]
    expected = x @ packed.dequantise()
    np.testing.assert_allclose(form.apply_scales(sums, packed), expected, rtol=1e-9, atol=1e-6)


def test_the_first_code_is_in_the_high_nibble_and_padding_is_weight_0() -> None:
    form = DualGrained(group=2)
    codes = np.array([[1], [2], [3]])
    packed = form.pack(codes, np.array([[1, 1]]), np.array([[9, 4]]), np.ones(1, np.float16))
    assert packed.words.tolist() == [[0x12, 0x34]]


def test_storage_is_the_published_rate() -> None:
    assert DualGrained().bits_per_weight(k=4096, n=1) == 4.125 + 16 / 4096


@pytest.mark.parametrize(
    ("code", "s2", "z", "text"),
    [
        (8, 0, 8, "dual_grained S2 must be 1 to 127, not 0 to 0"),
        (8, -3, 8, "dual_grained S2 must be 1 to 127, not -3 to -3"),
        (8, 1, 16, "dual_grained z must be 0 to 15, not 16 to 16"),
        (8, 1, -1, "dual_grained z must be 0 to 15, not -1 to -1"),
        (0, 16, 8, r"weights \(u4 - z\) S2 must be -127 to 127, not -128 to -128"),
    ],
)
def test_integers_that_no_encoder_writes_are_refused(code: int, s2: int, z: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        DualGrained().pack(
            np.array([[code], [code]]), np.array([[s2]]), np.array([[z]]), np.ones(1, np.float16)
        )


def test_wrong_scales_and_groups_are_refused() -> None:
    codes, s2 = np.array([[8], [8]]), np.array([[1]])
    with pytest.raises(ValueError, match="dual_grained s1 must be finite, not inf"):
        DualGrained().pack(codes, s2, s2, np.array([np.inf], np.float16))
    with pytest.raises(ValueError, match=r"dual_grained s1 must be at least 0, not -1\.0"):
        DualGrained().pack(codes, s2, s2, np.array([-1], np.float16))
    with pytest.raises(ValueError, match="Group must be at least 1 weight, not 0"):
        DualGrained(group=0)

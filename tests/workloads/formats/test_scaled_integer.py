import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats import INT4, INT8, UINT4, IntFormat
from bitweight.workloads.formats.scaled_integer import ScaledInteger

Case = tuple[ScaledInteger, np.ndarray, np.ndarray]


@st.composite
def matrices(draw: st.DrawFn) -> Case:
    """Draw a format, codes (k, n) and scales (n, groups)."""
    code = draw(st.sampled_from([INT8, INT4, IntFormat(width=3)]))
    form = ScaledInteger(code=code, group=draw(st.none() | st.integers(1, 20)))
    k, n = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    codes = draw(npst.arrays(np.int64, (k, n), elements=st.integers(-code.max, code.max)))
    groups = 1 if form.group is None else -(-k // form.group)
    elements = st.floats(0, 60000, width=16)
    return form, codes, draw(npst.arrays(np.float16, (n, groups), elements=elements))


@given(case=matrices())
def test_packing_keeps_every_code(case: Case) -> None:
    form, codes, scale = case
    np.testing.assert_array_equal(form.unpack(form.pack(codes, scale)), codes)


@given(case=matrices())
def test_bits_by_formula_are_the_bytes_held(case: Case) -> None:
    form, codes, scale = case
    k, n = codes.shape
    assert form.pack(codes, scale).bytes * 8 == round(form.bits_per_weight(k=k, n=n) * k * n, 6)


@given(case=matrices(), seed=st.integers(0, 99))
def test_scaled_group_sums_are_the_product_with_the_weights(case: Case, seed: int) -> None:
    form, codes, scale = case
    packed = form.pack(codes, scale)
    k = len(codes)
    group = form.group or k
    x = np.random.default_rng(seed).integers(-128, 128, (2, k))
    parts = [x[:, at : at + group] @ codes[at : at + group] for at in range(0, k, group)]
    outputs = form.apply_scales(np.stack(parts, axis=2)[:, :, None], packed)
    np.testing.assert_allclose(outputs, x @ packed.dequantise(), rtol=1e-9, atol=1e-6)


def test_codes_follow_from_bit_0_in_twos_complement() -> None:
    form = ScaledInteger(code=INT4, group=128)
    packed = form.pack(np.array([[1], [-2], [7]]), np.ones((1, 1), np.float16))
    assert packed.words.tolist() == [[0xE1, 0x07]]
    eight = ScaledInteger().pack(np.array([[-1], [127]]), np.ones((1, 1), np.float16))
    assert eight.words.tolist() == [[0xFF, 0x7F]]


def test_storage_is_the_width_and_the_scales() -> None:
    assert ScaledInteger().bits_per_weight(k=576, n=1) == 8 + 16 / 576
    assert ScaledInteger(code=INT4, group=128).bits_per_weight(k=576, n=1) == 4 + 16 * 5 / 576


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="Codes must be signed, not uint4"):
        ScaledInteger(code=UINT4)
    with pytest.raises(ValueError, match="Group must be at least 1 weight, not 0"):
        ScaledInteger(group=0)


def test_the_least_code_and_wrong_scales_are_refused() -> None:
    form, one = ScaledInteger(), np.ones((1, 1), np.float16)
    with pytest.raises(ValueError, match="int8 words must hold codes -127 to 127, not -128"):
        form.pack(np.array([[-128]]), one)
    with pytest.raises(ValueError, match=r"int8 scale must be at least 0, not -1\.0"):
        form.pack(np.array([[1]]), -one)
    with pytest.raises(ValueError, match="int8 scale must be finite, not nan"):
        form.pack(np.array([[1]]), one * np.float16("nan"))

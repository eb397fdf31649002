import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.packed_weights import PackedWeights, apply_scales
from bitweight.workloads.weight_formats import FORMATS

forms = st.builds(
    Bcq, bits=st.integers(1, 5), group=st.sampled_from([1, 8, 24, 100]), offset=st.booleans()
)


def drawn(form: Bcq, k: int, n: int, seed: int = 0) -> PackedWeights:
    rng = np.random.default_rng(seed)
    groups = -(-k // form.group)
    alpha = rng.normal(0, 1, (groups, form.bits, n)).astype(np.float16)
    offset = rng.normal(0, 1, (groups, n)).astype(np.float16)
    signs = rng.choice([-1, 1], (form.bits, k, n))
    return form.pack(signs, alpha, offset if form.offset else None)


@given(form=forms, k=st.integers(1, 70), n=st.integers(1, 4), seed=st.integers(0, 99))
def test_codes_survive_packing_and_their_bytes_are_the_formulas(
    form: Bcq, k: int, n: int, seed: int
) -> None:
    packed = drawn(form, k, n, seed)
    again = form.pack(form.unpack(packed), packed.scales["alpha"], packed.scales.get("offset"))
    assert np.array_equal(again.words, packed.words)
    assert packed.bytes * 8 == pytest.approx(form.bits_per_weight(k=k, n=n) * k * n, rel=1e-12)


@given(form=forms, k=st.integers(1, 40), seed=st.integers(0, 99))
def test_scaled_plane_sums_are_the_product_with_the_real_weights(
    form: Bcq, k: int, seed: int
) -> None:
    packed = drawn(form, k, 3, seed)
    x = np.random.default_rng(seed).integers(-128, 128, (2, k))
    starts = np.arange(0, k, form.group)
    signs = [*form.unpack(packed), *([np.ones((k, 3), np.int64)] if form.offset else [])]
    sums = np.stack(
        [np.add.reduceat(x[:, :, None] * plane, starts, axis=1) for plane in signs], axis=-1
    )
    partials = sums.transpose(0, 2, 3, 1)
    assert np.allclose(apply_scales(partials, packed), x @ packed.dequantise(), atol=1e-9)


def test_a_weight_is_the_signed_sum_of_its_scales_and_the_offset() -> None:
    form = Bcq(bits=2, group=2)
    alpha = np.array([[[1.0], [0.25]], [[2.0], [0.5]]], np.float16)
    offset = np.array([[0.0], [3.0]], np.float16)
    signs = np.array([[[1], [-1], [1]], [[1], [1], [-1]]])
    packed = form.pack(signs, alpha, offset)
    assert packed.dequantise().ravel().tolist() == [1.25, -0.75, 4.5]
    assert packed.words.ravel().tolist() == [0b101, 0b011]


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_uniform_integers_are_a_case_of_it(bits: int) -> None:
    scale, zero_point = 2.0**-6, 5
    codes = np.arange(1 << bits).reshape(-1, 1)
    k = len(codes)
    signs = np.stack([2 * (codes >> i & 1) - 1 for i in range(bits)])
    alpha = (scale * 2.0 ** (np.arange(bits) - 1)).astype(np.float16).reshape(1, bits, 1)
    offset = np.full((1, 1), scale * (((1 << bits) - 1) / 2 - zero_point), np.float16)
    packed = Bcq(bits=bits, group=k).pack(signs, alpha, offset)
    assert np.array_equal(packed.dequantise(), scale * (codes - zero_point))


@pytest.mark.parametrize(
    ("bits", "offset", "stored"),
    [(3, True, 3.5), (4, True, 4.625), (3, False, 3.375), (1, False, 1.125)],
)
def test_storage_is_the_published_formula(bits: int, offset: bool, stored: float) -> None:
    assert Bcq(bits=bits, offset=offset).bits_per_weight(k=1024, n=7) == stored


def test_named_formats_have_one_to_four_bits() -> None:
    assert [FORMATS[f"bcq{bits}"] for bits in (1, 2, 3, 4)] == [
        Bcq(bits=bits) for bits in (1, 2, 3, 4)
    ]


def test_wrong_input_gives_one_clear_line() -> None:
    with pytest.raises(ValueError, match="Binary codes must have 1 to 8 bits, not 0"):
        Bcq(bits=0)
    with pytest.raises(ValueError, match="Group must be at least 1 weight, not 0"):
        Bcq(group=0)
    packed = drawn(Bcq(bits=1, group=8), 16, 2)
    endless = dict(packed.scales, alpha=np.full((2, 1, 2), np.inf, np.float16))
    with pytest.raises(ValueError, match="bcq1 alpha must be finite, not inf"):
        dataclasses.replace(packed, scales=endless)
    short = dict(packed.scales, alpha=packed.scales["alpha"][:1])
    with pytest.raises(
        ValueError, match=r"bcq1 alpha must have shape \(2, 1, 2\), not \(1, 1, 2\)"
    ):
        dataclasses.replace(packed, scales=short)
    with pytest.raises(ValueError, match="bcq1 scales must be alpha, offset, not alpha"):
        dataclasses.replace(packed, scales={"alpha": packed.scales["alpha"]})
    with pytest.raises(ValueError, match="bcq1 words must hold 0 in the bits past k = 16, not 1"):
        dataclasses.replace(packed, words=packed.words | np.uint32(1 << 16))

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.shift_add import NO_TERM, ShiftAdd, scales_of
from bitweight.workloads.quantize import encode
from bitweight.workloads.quantize.shift_add import _terms

forms = st.builds(ShiftAdd, bits=st.integers(1, 4), terms=st.sampled_from([1, 3]))


def relative_error(form: ShiftAdd, w: np.ndarray) -> float:
    return float(np.linalg.norm(encode(form, w).dequantise() - w) / np.linalg.norm(w))


@given(form=forms, k=st.integers(1, 40), seed=st.integers(0, 99))
def test_encoded_weights_lie_on_the_nearest_of_their_levels(
    form: ShiftAdd, k: int, seed: int
) -> None:
    w = np.random.default_rng(seed).normal(0, 0.02, (k, 16))
    packed = encode(form, w)
    signs = np.array(np.meshgrid(*[[-1, 1]] * form.bits)).reshape(form.bits, -1)
    scales = scales_of(packed.side["exponents"])
    for key, block in itertools.product(range(-(-k // 8)), range(8)):
        part = np.s_[key * 8 : key * 8 + 8, block * 2 : block * 2 + 2]
        levels = scales[key, :, block] @ signs
        least = np.abs(w[part][..., None] - levels).min(axis=2)
        assert np.allclose(np.abs(w[part] - packed.dequantise()[part]), least, atol=1e-15)


def test_one_term_is_the_nearest_power_in_the_logarithm() -> None:
    scales = np.array([1.0, 1.414, 1.4143, 3.0, 0.0])
    assert _terms(scales, 1).ravel().tolist() == [0, 0, 1, 2, NO_TERM]


@given(scale=st.floats(1e-6, 1e6))
def test_three_terms_add_and_are_as_near_as_any_three(scale: float) -> None:
    exponents = _terms(np.array([scale]), 3)
    first = int(exponents[0, 0])
    every = [0.0, *(2.0**e for e in range(first - 12, first + 2))]
    best = min(abs(scale - sum(terms)) for terms in itertools.product(every, repeat=3))
    # The last term is nearest in the logarithm: 1.5 of a power may go up where 1.42 is as far.
    assert abs(scale - float(scales_of(exponents)[0])) <= best * 1.5 + scale * 2**-10


@pytest.mark.parametrize(("terms", "bits", "most"), [(1, 3, 0.28), (3, 3, 0.2), (3, 4, 0.12)])
def test_error_on_normal_weights(terms: int, bits: int, most: float) -> None:
    w = np.random.default_rng(0).normal(0, 0.02, (128, 1024))
    form = ShiftAdd(bits=bits, terms=terms)
    assert 0.9 * most < relative_error(form, w) < most


def test_scales_that_are_sums_of_powers_are_found_exactly() -> None:
    rng = np.random.default_rng(1)
    signs = rng.choice([-1, 1], (2, 32, 64))
    w = signs[0] * 0.8125 + signs[1] * 0.25
    assert np.array_equal(encode(ShiftAdd(bits=2), w).dequantise(), w)


def test_terms_below_the_span_are_dropped() -> None:
    w = np.full((16, 8), 1.0)
    w[8:] = 2.0**-5
    assert np.array_equal(encode(ShiftAdd(span=5), w).dequantise(), w)
    packed = encode(ShiftAdd(span=4), w)
    assert np.array_equal(packed.dequantise()[:8], w[:8])
    assert not packed.dequantise()[8:].any()


def test_zero_weights_have_no_terms() -> None:
    packed = encode(ShiftAdd(), np.zeros((9, 8)))
    assert (packed.side["exponents"] == NO_TERM).all()
    assert not packed.dequantise().any()


def test_same_weights_give_the_same_bytes_and_progress_is_told() -> None:
    w = np.random.default_rng(0).normal(0, 1, (20, 16))
    steps: list[tuple[int, int]] = []
    first = encode(ShiftAdd(), w, on_done=lambda done, total: steps.append((done, total)))
    again = encode(ShiftAdd(), np.asfortranarray(w))
    assert np.array_equal(first.words, again.words)
    assert np.array_equal(first.side["exponents"], again.side["exponents"])
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_wrong_input_gives_one_clear_line() -> None:
    with pytest.raises(ValueError, match="must have a multiple of 8 outputs, not 12"):
        encode(ShiftAdd(), np.ones((8, 12)))
    with pytest.raises(ValueError, match=r"Scales must be below 2\*\*127.5, not 1e\+200"):
        encode(ShiftAdd(), np.full((8, 8), 1e200))
    with pytest.raises(ValueError, match="Weights to encode must be finite, not inf"):
        encode(ShiftAdd(), np.full((8, 8), np.inf))

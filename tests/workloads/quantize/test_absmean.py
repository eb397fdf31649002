from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.quantize import encode

FORMS = [I2S(), Tl1(), Tl2(), Tl1(tile_rows=32, tile_columns=8), Tl2(tile_rows=32)]
VALUES = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 5)),
    elements=st.floats(-1000, 1000, width=32),
)


def normal(k: int, n: int, *, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 0.02, (k, n))


@given(values=VALUES)
def test_scale_is_the_mean_magnitude_and_each_code_the_nearest_trit(
    values: NDArray[np.float32],
) -> None:
    form = I2S()
    packed = encode(form, values)
    exact = [Fraction(float(v)) for v in values.flat]
    mean = sum(abs(v) for v in exact) / len(exact)
    scale = packed.scales["scale"][0]
    assert scale == np.float32(float(mean))
    for value, trit in zip(exact, form.unpack(packed).flat, strict=True):
        ratio = value / Fraction(float(scale)) if scale else Fraction(0)
        # Where float64's quotient rounds onto a tie, both neighbours are as near.
        if abs(abs(ratio) % 1 - Fraction(1, 2)) > Fraction(1, 10**12):
            assert trit == max(-1, min(1, round(ratio)))


@given(values=VALUES)
def test_all_three_formats_hold_the_same_weights(values: NDArray[np.float32]) -> None:
    first, *others = (encode(form, values).dequantise() for form in (I2S(), Tl1(), Tl2()))
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_same_weights_give_the_same_bytes_however_they_lie_in_memory(form: Any) -> None:
    w = normal(96, 64)
    first, second = encode(form, w), encode(form, np.asfortranarray(w))
    assert first.words.tobytes() == second.words.tobytes()
    assert first.scales["scale"] == second.scales["scale"]


def test_a_weight_of_half_the_scale_becomes_zero() -> None:
    # Mean magnitude 2: 1 and -1 are ties.
    w = np.array([[1.0], [-1.0], [3.0], [-3.0]])
    packed = encode(I2S(), w)
    assert packed.scales["scale"] == 2
    assert I2S().unpack(packed).ravel().tolist() == [0, 0, 1, -1]


def test_a_tensor_of_zeros_has_scale_and_weights_zero() -> None:
    packed = encode(Tl2(), np.zeros((40, 3)))
    assert packed.scales["scale"] == 0
    assert not packed.dequantise().any()


def test_normal_weights_lose_what_the_integrals_say() -> None:
    # With s = E|w| = sqrt(2/pi) sigma, weights beyond s/2 become +-s. P(|w| > s/2) = 0.690 and
    # E(|w|; |w| > s/2) = sqrt(2/pi) exp(-1/(4 pi)) sigma, so the relative squared error is
    # 1 - 2 s^2 exp(-1/(4 pi)) + 0.690 s^2 = 0.263: 0.513 in Frobenius norms.
    w = normal(512, 512)
    error = np.linalg.norm(encode(I2S(), w).dequantise() - w) / np.linalg.norm(w)
    assert error == pytest.approx(0.513, abs=0.002)
    zeros = (I2S().unpack(encode(I2S(), w)) == 0).mean()
    assert zeros == pytest.approx(0.310, abs=0.003)


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    encode(Tl1(), normal(8, 3), on_done=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="Weights to encode must be finite, not nan"):
        encode(I2S(), np.array([[np.nan]]))
    with pytest.raises(ValueError, match="Ternary weights must fit float32, not up to 1e\\+39"):
        encode(Tl1(), np.array([[-1e39], [0.0]]))
    with pytest.raises(ValueError, match="k must be a multiple of tl1's tile of 128, not 130"):
        encode(Tl1(tile_rows=32), normal(130, 32))

"""PTQTP's fit: what it finds on planes that exist, and that it is no worse than its own steps."""

from typing import Any

import numpy as np
import pytest

from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.quantize import encode

RNG = np.random.default_rng(7)
NORMAL = RNG.normal(0, 0.02, (200, 6))


def relative_error(form: Any, w: np.ndarray) -> float:
    return float(np.linalg.norm(encode(form, w).dequantise() - w) / np.linalg.norm(w))


def test_weights_that_are_two_trit_planes_are_found_again() -> None:
    # Not any two: the alternation may settle elsewhere, as it does for most other ratios.
    t1, t2 = RNG.integers(-1, 2, (2, 64, 3))
    w = 0.25 * t1 + 0.125 * t2
    np.testing.assert_array_equal(encode(TritPlanes(group=64), w).dequantise(), w)


def test_weights_that_are_nine_levels_are_found_again() -> None:
    codes = RNG.integers(-4, 5, (96, 3))
    codes[0] = 4  # the first guess is the greatest magnitude over four
    w = codes * 0.25
    np.testing.assert_array_equal(encode(TritNine(group=96), w).dequantise(), w)


def test_normal_weights_lose_what_nine_levels_must() -> None:
    # The best nine-level uniform quantiser of a normal variable has a relative error of 0.17.
    assert 0.15 < relative_error(TritPlanes(), NORMAL) < 0.18
    assert 0.15 < relative_error(TritNine(), NORMAL) < 0.19


@pytest.mark.parametrize("form", [TritPlanes(group=50), TritNine(group=50)])
def test_every_code_is_the_nearest_of_its_scales(form: Any) -> None:
    packed = encode(form, NORMAL)
    wanted = packed.dequantise()
    if isinstance(form, TritPlanes):
        pairs = [(s, t) for s in (-1, 0, 1) for t in (-1, 0, 1)]
        factors = [packed.scales["a1"].astype(float), packed.scales["a2"].astype(float)]
        levels = np.array([s * factors[0] + t * factors[1] for s, t in pairs])
    else:
        levels = np.arange(-4, 5)[:, None, None] * packed.scales["scale"].astype(float)
    levels = np.repeat(levels, 50, axis=2)[:, :, : len(NORMAL)].transpose(0, 2, 1)
    nearest = np.abs(levels - NORMAL).min(axis=0)
    np.testing.assert_allclose(np.abs(wanted - NORMAL), nearest, rtol=1e-12, atol=1e-15)


def test_a_ragged_last_group_has_its_own_scales() -> None:
    w = np.concatenate([np.full((128, 1), 0.5), np.full((3, 1), 0.03125)])
    packed = encode(TritPlanes(), w)
    np.testing.assert_array_equal(packed.dequantise(), w)
    assert packed.scales["a1"].shape == (1, 2)


@pytest.mark.parametrize("form", [TritPlanes(), TritNine()])
def test_zeros_stay_zeros_and_the_same_weights_give_the_same_bytes(form: Any) -> None:
    assert not encode(form, np.zeros((9, 2))).dequantise().any()
    first, again = (encode(form, NORMAL) for _ in range(2))
    assert first.words.tobytes() == again.words.tobytes()
    done: list[tuple[int, int]] = []
    encode(form, NORMAL, on_done=lambda *step: done.append(step))
    assert done[-1] == (6, 6)


@pytest.mark.parametrize(
    ("w", "error", "message"),
    [
        (np.full((2, 2), np.nan), ValueError, "Weights to encode must be finite, not nan"),
        (np.zeros((2, 2), int), TypeError, "Weights to encode must be an array of floats, not int"),
        (np.zeros(4), ValueError, r"Weights to encode must have shape \(k, n\), not \(4,\)"),
        (np.full((2, 2), 1e9), ValueError, "fit fp16"),
    ],
)
def test_weights_that_cannot_be_encoded_are_refused(
    w: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        encode(TritPlanes(), w)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.quantize import encode

# Lloyd-Max errors of 2, 4, 8 and 16 levels for normal values: no scalar quantiser is better.
# Source: Max, "Quantizing for Minimum Distortion", IRE Trans. IT-6(1), 1960, table I.
_LLOYD_MAX = {1: 0.3634, 2: 0.1175, 3: 0.03454, 4: 0.009497}


def relative_error(form: Bcq, w: np.ndarray) -> float:
    return float(np.linalg.norm(encode(form, w).dequantise() - w) / np.linalg.norm(w))


@given(
    form=st.builds(
        Bcq, bits=st.integers(1, 4), group=st.sampled_from([3, 8, 40]), offset=st.booleans()
    ),
    k=st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_encoded_weights_lie_on_the_nearest_of_their_levels(form: Bcq, k: int, seed: int) -> None:
    w = np.random.default_rng(seed).normal(0.2, 1, (k, 3))
    packed = encode(form, w)
    signs = np.array(np.meshgrid(*[[-1, 1]] * form.bits)).reshape(form.bits, -1)
    for group in range(-(-k // form.group)):
        part = slice(group * form.group, (group + 1) * form.group)
        levels = packed.scales["alpha"][group].astype(float).T @ signs
        if form.offset:
            levels = levels + packed.scales["offset"][group].astype(float)[:, None]
        least = np.abs(w[part, :, None] - levels).min(axis=2)
        assert np.allclose(np.abs(w[part] - packed.dequantise()[part]), least, atol=1e-12)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_error_on_normal_weights_is_close_to_the_best_scalar_quantiser(bits: int) -> None:
    w = np.random.default_rng(bits).normal(0, 0.02, (4096, 16))
    best = _LLOYD_MAX[bits] ** 0.5
    # One group for the whole column: only the levels' form costs, 2**bits from bits scales.
    error = relative_error(Bcq(bits=bits, group=4096), w)
    assert best - 0.01 < error < 1.12 * best


def test_an_offset_serves_weights_that_are_not_centred() -> None:
    w = np.random.default_rng(0).normal(1, 0.5, (256, 8))
    without = relative_error(Bcq(bits=2, offset=False), w)
    assert relative_error(Bcq(bits=2), w) < 0.75 * without


def test_a_uniform_grid_is_found_exactly() -> None:
    codes = np.random.default_rng(0).integers(0, 4, (128, 6))
    codes[:4] = np.arange(4)[:, None]
    w = (codes - 1.5) / 8
    assert np.array_equal(encode(Bcq(bits=2, offset=False), w).dequantise(), w)


def test_constant_and_zero_groups_are_exact() -> None:
    w = np.zeros((256, 3))
    w[128:] = -0.75
    assert np.array_equal(encode(Bcq(bits=4), w).dequantise(), w)


def test_same_weights_give_the_same_bytes_and_progress_is_told() -> None:
    w = np.random.default_rng(0).normal(0, 1, (300, 5))
    steps: list[tuple[int, int]] = []
    first = encode(Bcq(), w, on_done=lambda done, total: steps.append((done, total)))
    again = encode(Bcq(), np.asfortranarray(w))
    assert np.array_equal(first.words, again.words)
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_wrong_input_gives_one_clear_line() -> None:
    with pytest.raises(ValueError, match=r"Scales must fit fp16 \(at most 65504\), not 100000"):
        encode(Bcq(bits=1, offset=False), np.full((8, 1), 1e5))
    with pytest.raises(ValueError, match="Weights to encode must be finite, not nan"):
        encode(Bcq(), np.full((8, 1), np.nan))

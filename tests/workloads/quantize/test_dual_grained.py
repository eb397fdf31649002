import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.quantize import encode
from bitweight.workloads.quantize.dual_grained import encode_dual_grained

F = np.float32


@st.composite
def weights(draw: st.DrawFn) -> np.ndarray:
    """Draw weights (k, n): normal ones, at times with an outlier, zeros or one sign."""
    k, n = draw(st.integers(1, 24)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    w = rng.normal(0, draw(st.sampled_from([1e-9, 1e-3, 0.02, 30.0])), (k, n))
    kind = draw(st.sampled_from(["normal", "outlier", "zeros", "positive"]))
    if kind == "outlier":
        w[rng.integers(k), rng.integers(n)] *= 50
    if kind == "zeros":
        w[: k // 2] = 0
        w[:, 0] = 0
    return np.abs(w) if kind == "positive" else w


def searched(w: list[Any], x: np.ndarray | None, group: int) -> tuple[Any, ...]:
    """Search both grids for one output, one weight at a time, as the encoder's page says."""
    groups = [slice(at, at + group) for at in range(0, len(w), group)]
    scales, points = [], []
    for part in groups:
        high, low = max(*w[part], F(0)), min(*w[part], F(0))
        best = (math.inf, F(0), F(0))
        for i in range(20):
            ratio = F(1.009 - i * 0.011)
            scale = (high * ratio - low * ratio) / F(15)
            step = scale if scale > 0 else F(1)
            z = np.rint(-low * ratio / step)
            decoded = []
            for value in w[part]:
                clipped = min(max(value, low * ratio), high * ratio)
                decoded.append(scale * (min(max(np.rint(clipped / step) + z, F(0)), F(15)) - z))
            error = squared_error(w[part], decoded, None if x is None else x[:, part])
            if error < best[0]:
                best = (error, scale, z)
        scales.append(best[1])
        points.append(best[2])
    greatest = max(abs(value) for value in w)
    best_error, best_s1 = math.inf, F(0)
    for i in range(80):
        s1 = greatest * F(1.00975 - i * 0.01025) / F(127)
        codes, s2 = coded(w, scales, points, s1, group)
        decoded = [
            s2[i // group] * s1 * (F(code) - points[i // group]) for i, code in enumerate(codes)
        ]
        error = squared_error(w, decoded, x)
        if error < best_error:
            best_error, best_s1 = error, s1
    stored = np.float16(best_s1)
    codes, s2 = coded(w, scales, points, F(stored), group)
    return codes, [int(s) for s in s2], [int(z) for z in points], stored


def coded(w: list[Any], scales: list[Any], points: list[Any], s1: Any, group: int) -> Any:
    """Return codes and S2 under one s1."""
    if s1 == 0:
        return [int(points[i // group]) for i in range(len(w))], [F(1)] * len(scales)
    s2 = [min(max(np.rint(scale / s1), F(1)), F(127)) for scale in scales]
    codes = []
    for i, value in enumerate(w):
        step, z = s2[i // group], points[i // group]
        reach = 127 // int(step)
        clipped = min(max(value, F(-127) * s1), F(127) * s1)
        code = int(np.rint(clipped / (step * s1)) + z)
        codes.append(min(max(code, int(z) - reach, 0), int(z) + reach, 15))
    return codes, s2


def squared_error(w: list[Any], decoded: list[Any], x: np.ndarray | None) -> float:
    missing = [float(a) - float(b) for a, b in zip(w, decoded, strict=True)]
    if x is not None:
        missing = [sum_in_order(row * d for row, d in zip(t, missing, strict=True)) for t in x]
    return sum_in_order(d * d for d in missing)


def sum_in_order(values: Any) -> float:
    """Return the float64 sum from first to last; ``sum`` of Python 3.12 compensates."""
    total = 0.0
    for value in values:
        total += float(value)
    return total


@given(w=weights(), group=st.integers(1, 12), seed=st.none() | st.integers(0, 99))
def test_the_search_is_that_of_one_weight_at_a_time(
    w: np.ndarray, group: int, seed: int | None
) -> None:
    x = None if seed is None else np.random.default_rng(seed).normal(size=(3, len(w)))
    form = DualGrained(group=group)
    packed = encode_dual_grained(form, w, activations=x)
    for j in range(w.shape[1]):
        codes, s2, z, s1 = searched(list(w[:, j].astype(F)), x, group)
        assert packed.scales["s1"][j] == s1
        assert packed.side["z"][j].tolist() == z
        assert packed.side["S2"][j].tolist() == s2
        assert form.unpack(packed)[:, j].tolist() == codes


@given(
    w=npst.arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.integers(1, 3)),
        elements=st.floats(-60000, 60000, width=32),
    ),
    group=st.integers(1, 16),
)
def test_integer_weights_stay_within_127(w: np.ndarray, group: int) -> None:
    form = DualGrained(group=group)
    packed = encode(form, w)
    assert np.abs(form.integers(packed)).max() <= 127
    assert packed.side["S2"].max() <= 85  # 2 * 1.009 / 15 over 0.2 / 127


def test_zeros_stay_zeros() -> None:
    w = np.random.default_rng(0).normal(size=(20, 2))
    w[:8, 0] = w[:, 1] = 0
    weights = encode(DualGrained(group=8), w).dequantise()
    assert (weights[:8, 0] == 0).all()
    assert (weights[:, 1] == 0).all()
    assert (weights[8:, 0] != 0).any()


def test_error_on_normal_weights_is_below_that_of_symmetric_codes() -> None:
    w = np.random.default_rng(0).normal(0, 0.02, (1024, 128))
    missing = encode(DualGrained(), w).dequantise() - w
    assert np.linalg.norm(missing) / np.linalg.norm(w) == pytest.approx(0.0956, abs=0.002)


def test_activations_lower_the_error_of_the_outputs() -> None:
    rng = np.random.default_rng(0)
    w, x = rng.normal(0, 0.02, (512, 64)), rng.normal(size=(48, 512)) * np.exp(rng.normal(size=512))
    errors = [
        np.linalg.norm(
            x @ (encode_dual_grained(DualGrained(), w, activations=given).dequantise() - w)
        )
        for given in (None, x)
    ]
    assert errors[1] < 0.9 * errors[0]


def test_progress_counts_outputs() -> None:
    seen: list[tuple[int, int]] = []
    w = np.ones((4, 130))
    encode(DualGrained(), w, on_done=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 130), (128, 130), (130, 130)]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.ones((2, 3)), r"Activations must have shape \(tokens, 4\), not \(2, 3\)"),
        (np.ones((0, 4)), r"Activations must have shape \(tokens, 4\), not \(0, 4\)"),
        (np.full((2, 4), np.inf), "Activations must be finite, not inf"),
    ],
)
def test_wrong_activations_are_refused(x: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        encode_dual_grained(DualGrained(), np.ones((4, 1)), activations=x)


def test_scales_beyond_fp16_are_refused() -> None:
    with pytest.raises(ValueError, match="Scales must fit fp16"):
        encode(DualGrained(), np.full((4, 1), 1e300))

"""DGQ: searches a grid of clippings for each group, then one of s1 for each output.

Phase 1, per group and output: each of 20 ratios, 1.009 down to 0.8, shrinks [min, max] (0 included)
to a 4-bit scale and a zero point z. Phase 2, per output: each of 80 ratios, 1.00975 down to 0.2,
shrinks max|w| / 127 to s1; then S2 = scale / s1 rounded, at least 1, and codes are chosen again
within z +- floor(127 / S2). A phase keeps the ratio of least squared error, the greatest of
equals: of the outputs for given activations, else of the weights. Weights are finally coded once
more under s1 as stored, in fp16.

Scales, quotients and roundings (half to even) are float32. Errors are float64, summed in index
order, so that every machine chooses alike.

Source: DGQ, arXiv 2310.04836, and its public code, quantizer_helper.py, which keeps scales in
bfloat16 and leaves 0 out of min and max.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.dual_grained import CODE_MAX, WEIGHT_MAX, DualGrained
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import (
    Progress,
    check_weights,
    encode,
    fp16_scales,
    no_progress,
)

_GROUP_RATIOS = tuple(1.02 - i / 20 * 0.22 for i in range(1, 21))
_ROW_RATIOS = tuple(1.02 - i / 80 * 0.82 for i in range(1, 81))
_OUTPUTS_AT_ONCE = 64

Reals = NDArray[np.float32]


class _Coded(NamedTuple):
    """Codes of some outputs: u4 (k, outputs), S2 and z (groups, outputs), s1 (outputs,)."""

    codes: Reals
    s2: Reals
    z: Reals
    s1: Reals


def encode_dual_grained(
    form: DualGrained,
    w: NDArray[np.floating[Any]],
    *,
    activations: NDArray[Any] | None = None,
    on_done: Progress = no_progress,
) -> PackedWeights:
    """Encode real weights, for given activations if there are any.

    Args:
        form: The format.
        w: Weights, shape (k, n), finite floats.
        activations: Activations to keep the outputs of, shape (tokens, k), or None to keep the
            weights.
        on_done: Called now and then with the outputs done and all outputs.

    Raises:
        ValueError: If a value is not finite, shapes disagree, or a scale is beyond fp16.
    """
    values = check_weights(w)
    x = None if activations is None else _check_activations(activations, len(values))
    fp16_scales(np.abs(values).max(axis=0) * (_ROW_RATIOS[0] / WEIGHT_MAX))
    n = values.shape[1]
    parts = []
    for start in range(0, n, _OUTPUTS_AT_ONCE):
        part = np.ascontiguousarray(values[:, start : start + _OUTPUTS_AT_ONCE], np.float32)
        parts.append(_fit(part, form.group, x))
        on_done(min(n, start + _OUTPUTS_AT_ONCE), n)
    return form.pack(
        np.concatenate([part.codes for part in parts], axis=1),
        np.concatenate([part.s2 for part in parts], axis=1).T,
        np.concatenate([part.z for part in parts], axis=1).T,
        np.concatenate([part.s1 for part in parts]).astype(np.float16),
    )


@encode.register
def _(
    form: DualGrained, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    return encode_dual_grained(form, w, on_done=on_done)


def _check_activations(activations: NDArray[Any], k: int) -> NDArray[np.float64]:
    if activations.ndim != 2 or activations.shape[1] != k or not len(activations):
        raise ValueError(f"Activations must have shape (tokens, {k}), not {activations.shape}")
    x = np.ascontiguousarray(activations, np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"Activations must be finite, not {x[~np.isfinite(x)].flat[0]}")
    return x


def _fit(w: Reals, group: int, x: NDArray[np.float64] | None) -> _Coded:
    """Search both grids for some outputs; w has shape (k, outputs)."""
    groups = groups_along(len(w), group)
    scale = np.empty((groups, w.shape[1]), np.float32)
    z = np.empty_like(scale)
    for at in range(groups):
        rows = slice(at * group, (at + 1) * group)
        inputs = None if x is None else np.ascontiguousarray(x[:, rows])
        scale[at], z[at] = _fit_group(w[rows], inputs)
    s1 = _fit_row(w, scale, z, x, group)
    return _code(w, scale, z, s1.astype(np.float16).astype(np.float32), group)


def _fit_group(w: Reals, x: NDArray[np.float64] | None) -> tuple[Reals, Reals]:
    """Return the scale and the zero point of each output's group."""
    greatest, least = np.maximum(w.max(axis=0), 0), np.minimum(w.min(axis=0), 0)
    best = np.full(w.shape[1], np.inf)
    kept_scale, kept_z = np.zeros_like(greatest), np.zeros_like(greatest)
    for ratio in np.array(_GROUP_RATIOS, np.float32):
        scale = (greatest * ratio - least * ratio) / np.float32(CODE_MAX)
        divisor = np.where(scale > 0, scale, np.float32(1))
        z = np.rint(-least * ratio / divisor)
        clipped = np.clip(w, least * ratio, greatest * ratio)
        codes = np.clip(np.rint(clipped / divisor) + z, 0, CODE_MAX)
        error = _squared_error(w, scale * (codes - z), x)
        is_better = error < best
        best = np.where(is_better, error, best)
        kept_scale = np.where(is_better, scale, kept_scale)
        kept_z = np.where(is_better, z, kept_z)
    return kept_scale, kept_z


def _fit_row(w: Reals, scale: Reals, z: Reals, x: NDArray[np.float64] | None, group: int) -> Reals:
    """Return s1 of each output."""
    greatest = np.abs(w).max(axis=0)
    best = np.full(w.shape[1], np.inf)
    kept: Reals = np.zeros_like(greatest)
    for ratio in np.array(_ROW_RATIOS, np.float32):
        s1: Reals = greatest * ratio / np.float32(WEIGHT_MAX)
        coded = _code(w, scale, z, s1, group)
        steps, points = _per_weight(coded.s2 * s1, group, len(w)), _per_weight(z, group, len(w))
        error = _squared_error(w, steps * (coded.codes - points), x)
        is_better = error < best
        best = np.where(is_better, error, best)
        kept = np.where(is_better, s1, kept)
    return kept


def _code(w: Reals, scale: Reals, z: Reals, s1: Reals, group: int) -> _Coded:
    """Choose S2 and the codes under s1; where s1 is 0 every weight is 0."""
    divisor = np.where(s1 > 0, s1, np.float32(1))
    s2 = np.clip(np.rint(np.where(s1 > 0, scale, 0) / divisor), 1, WEIGHT_MAX)
    reach = np.floor(WEIGHT_MAX / s2)
    low, high = np.maximum(z - reach, 0), np.minimum(z + reach, CODE_MAX)
    steps, points = _per_weight(s2 * divisor, group, len(w)), _per_weight(z, group, len(w))
    clipped = np.clip(w, -WEIGHT_MAX * s1, WEIGHT_MAX * s1)
    codes = np.clip(
        np.rint(clipped / steps) + points,
        _per_weight(low, group, len(w)),
        _per_weight(high, group, len(w)),
    )
    return _Coded(codes=codes, s2=s2, z=z, s1=s1)


def _per_weight(values: Reals, group: int, k: int) -> Reals:
    """Return one value per weight, shape (k, outputs), of one per group, (groups, outputs)."""
    return np.repeat(values, group, axis=0)[:k]


def _squared_error(
    w: Reals, decoded: NDArray[np.floating[Any]], x: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return each output's squared error: of its values for x, else of its weights."""
    missing = w.astype(np.float64) - decoded
    errors: NDArray[np.float64] = _sum_of_squares(missing if x is None else _product(x, missing))
    return errors


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore] # numba has no types
def _sum_of_squares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over rows, first to last, of squares, shape (columns,)."""
    total = np.zeros(values.shape[1])
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            total[j] += values[i, j] * values[i, j]
    return total


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore] # numba has no types
def _product(x: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x @ w, each sum from the first index to the last, which BLAS does not promise."""
    out = np.zeros((x.shape[0], w.shape[1]))
    for t in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(w.shape[1]):
                out[t, j] += x[t, i] * w[i, j]
    return out

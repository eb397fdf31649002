"""PTQTP: fits two trit planes and two scales to each group, in turns; and the tied form.

For fixed trits the scales are a ridge regression in two unknowns, in closed form; for fixed scales
each weight takes the best of the nine trit pairs. It starts at t1 = sign(w) and t2 = sign of the
residual, and stops when the scales move by less than 1e-4 or after 50 rounds. The ridge is 1e-8,
times 10 while the condition number exceeds 1e6, at most 1. Ties prefer the smaller |t1|, then |t2|.
The scales are then rounded to fp16 and the trits chosen once more, since those scales decode them.

Source: PTQTP, arXiv 2509.16989 (alternation); start, ridge steps and ties are our reading.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import (
    Progress,
    check_weights,
    encode,
    fp16_scales,
    no_progress,
)

_ROUNDS = 50
_SETTLED = 1e-4
_LEAST_RIDGE, _MOST_RIDGE, _MOST_CONDITION = 1e-8, 1.0, 1e6
# The smaller |t| first: argmin takes the first of equals.
_PAIRS = np.array(
    sorted(
        ((s, t) for s in (-1, 0, 1) for t in (-1, 0, 1)), key=lambda p: (abs(p[0]), abs(p[1]), p)
    )
)
_ROWS_AT_ONCE = 64


@encode.register
def _(
    form: TritPlanes, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    groups = groups_along(k, form.group)
    trits = np.zeros((2, n, groups * form.group), np.int64)
    scales = np.zeros((2, n, groups), np.float16)
    padded = _padded(values, form.group, groups)
    is_real = np.arange(groups * form.group).reshape(groups, -1) < k
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        part = padded[rows].reshape(-1, form.group)
        mask = np.broadcast_to(is_real, (len(padded[rows]), *is_real.shape)).reshape(part.shape)
        fitted, a = _fit(part, mask)
        trits[:, rows] = fitted.reshape(2, -1, groups * form.group)
        scales[:, rows] = a.reshape(2, -1, groups)
        on_done(min(n, start + _ROWS_AT_ONCE), n)
    return form.pack(trits[0, :, :k].T, trits[1, :, :k].T, scales[0], scales[1])


@encode.register
def _(
    form: TritNine, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    groups = groups_along(k, form.group)
    parts = _padded(values, form.group, groups).reshape(n * groups, form.group)
    scale = np.abs(parts).max(axis=1) / 4
    for _round in range(_ROUNDS):
        codes = _nine(parts, scale)
        squares = (codes * codes).sum(axis=1)
        fitted = np.where(squares > 0, (parts * codes).sum(axis=1) / np.maximum(squares, 1), scale)
        moved, scale = np.abs(fitted - scale).max(), fitted
        if moved < _SETTLED * np.abs(parts).max():
            break
    half = fp16_scales(scale)
    codes = _nine(parts, half.astype(np.float64)).reshape(n, -1)[:, :k]
    on_done(n, n)
    return form.pack(codes.T, half.reshape(n, groups))


def _padded(values: NDArray[np.float64], group: int, groups: int) -> NDArray[np.float64]:
    """Return the weights, shape (n, groups * group), zeros after k."""
    k = values.shape[0]
    return np.pad(values.T, ((0, 0), (0, groups * group - k)))


def _nine(parts: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.int64]:
    safe = np.where(scale > 0, scale, 1.0)[:, None]
    return np.clip(np.rint(parts / safe), -4, 4).astype(np.int64)


def _fit(
    w: NDArray[np.float64], is_real: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """Fit groups, shape (groups, g); return trits (2, groups, g) and scales (2, groups)."""
    t1 = np.sign(w)
    count = np.maximum(is_real.sum(axis=1), 1)
    residual = w - t1 * (np.abs(w).sum(axis=1) / count)[:, None]
    trits = np.stack([t1, np.where(is_real, np.sign(residual), 0)])
    a = np.zeros((2, len(w)))
    active = np.arange(len(w))
    for _round in range(_ROUNDS):
        fitted = _regress(w[active], trits[:, active])
        moved = np.hypot(*(fitted - a[:, active]))
        a[:, active] = fitted
        trits[:, active] = _choose(w[active], fitted, is_real[active])
        active = active[moved >= _SETTLED]
        if not len(active):
            break
    half = fp16_scales(a)
    return _choose(w, half.astype(np.float64), is_real).astype(np.int64), half


def _regress(w: NDArray[np.float64], trits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scales, shape (2, groups), of the ridge regression of w on both planes."""
    t1, t2 = trits
    n1, n2, cross = (t1 * t1).sum(axis=1), (t2 * t2).sum(axis=1), (t1 * t2).sum(axis=1)
    b1, b2 = (w * t1).sum(axis=1), (w * t2).sum(axis=1)
    half_gap = np.sqrt(((n1 - n2) / 2) ** 2 + cross**2)
    greatest, least = (n1 + n2) / 2 + half_gap, (n1 + n2) / 2 - half_gap
    ridge = np.full(len(w), _LEAST_RIDGE)
    while True:
        is_ill = (greatest + ridge > _MOST_CONDITION * (least + ridge)) & (ridge < _MOST_RIDGE)
        if not is_ill.any():
            break
        ridge = np.where(is_ill, np.minimum(ridge * 10, _MOST_RIDGE), ridge)
    n1, n2 = n1 + ridge, n2 + ridge
    scales: NDArray[np.float64] = np.stack([n2 * b1 - cross * b2, n1 * b2 - cross * b1])
    scales /= n1 * n2 - cross**2
    return scales


def _choose(
    w: NDArray[np.float64], a: NDArray[np.float64], is_real: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the best trit pair of every weight, shape (2, groups, g); padding has none."""
    levels = a.T @ _PAIRS.T  # (groups, 9)
    best = np.abs(w[:, :, None] - levels[:, None, :]).argmin(axis=2)
    return np.where(is_real, np.moveaxis(_PAIRS[best], 2, 0), 0).astype(np.float64)

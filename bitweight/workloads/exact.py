"""Exact integer products with numpy alone: what golden accumulators are made with.

Slow (no BLAS) and obviously right: 64-bit integers hold every sum of 16-bit products below
2**31 terms. No engine model and no kernel of ours is involved.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Value = TypeVar("_Value", bound=np.generic)


def groups_along(k: int, group: int | None) -> int:
    """Return how many groups of length ``group`` cover ``k``; the last may be shorter."""
    return 1 if group is None else -(-k // group)


def per_weight(values: NDArray[_Value], group: int | None, k: int) -> NDArray[_Value]:
    """Return one value for each weight, shape (k, n), of one for each group, shape (n, groups)."""
    # By index, not by repeating: a group may be longer than any memory.
    return np.take(values, np.arange(k) // (group or k), axis=1).T


def exact_product(
    x: NDArray[Any],
    w: NDArray[Any],
    *,
    group: int | None = None,
    x_zero_point: NDArray[np.int64] | None = None,
    w_zero_point: NDArray[np.int64] | None = None,
    acc_bits: int = 64,
) -> NDArray[np.int64]:
    """Return the sums over k of ``(x - x_zero_point) * (w - w_zero_point)``.

    Args:
        x: Codes, shape (m, k).
        w: Codes, shape (k, n).
        group: If given, one sum for each group of this length along k.
        x_zero_point: Shape (), (m,) or (m, groups).
        w_zero_point: Shape (), (n,) or (groups, n).
        acc_bits: Sums wrap to this width.

    Returns:
        Shape (m, n), or (m, n, groups) if ``group`` is given.
    """
    k = x.shape[1]
    left, right = x.astype(np.int64), w.astype(np.int64)
    if x_zero_point is not None:
        # Along x's rows a zero point is one column; w's channels already broadcast as one row.
        points = x_zero_point[:, None] if x_zero_point.ndim == 1 else x_zero_point
        left -= _along_k(points, axis=1, group=group, k=k)
    if w_zero_point is not None:
        right -= _along_k(w_zero_point, axis=0, group=group, k=k)
    if group is None:
        return wrap(left @ right, acc_bits)
    parts = [left[:, at : at + group] @ right[at : at + group] for at in range(0, k, group)]
    return wrap(np.stack(parts, axis=2), acc_bits)


def _along_k(
    points: NDArray[np.int64], *, axis: int, group: int | None, k: int
) -> NDArray[np.int64]:
    """Repeat one value per group to one per element of ``k``; broadcast shapes pass through."""
    if group is None or points.ndim < 2 or points.shape[axis] == 1 != groups_along(k, group):
        return points
    return np.take(points, np.arange(k) // group, axis=axis)


def wrap(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return ``values`` as ``bits``-wide two's complement registers hold them."""
    if bits >= 64:
        return values
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half

"""Steps that fit sign planes to groups of weights: greedy start, scales, signs.

Weights come as rows, one group each; a code holds the sign of plane i in bit i, 1 for +1. Every
step is in float64 with a fixed order of sums, so the same weights give the same codes anywhere.

Source: LUT-GEMM's and ShiftAddLLM's solvers (examples/bcq.py, bcq_shift.py). They solve the least
squares by conjugate gradients and let sign(0) be 0; ours is closed, and sign(0) is +1.
"""

import numpy as np
from numpy.typing import NDArray

# Times the group's length. The pivot of a plane that others already make up would be exactly 0.
_LEAST_PIVOT = 1e-9


def greedy(w: NDArray[np.float64], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Take plane after plane the signs and the mean magnitude of what is left.

    Args:
        w: Weights, shape (groups, g).
        bits: Planes.

    Returns:
        Codes, shape (groups, g), and scales, shape (groups, bits), none negative.
    """
    codes = np.zeros(w.shape, np.uint8)
    alpha = np.zeros((len(w), bits))
    rest = w.copy()
    for plane in range(bits):
        is_plus = rest >= 0
        alpha[:, plane] = np.abs(rest).sum(axis=1) / w.shape[1]
        codes |= is_plus.astype(np.uint8) << np.uint8(plane)
        rest -= np.where(is_plus, 1.0, -1.0) * alpha[:, plane, None]
    return codes, alpha


def least_squares(
    w: NDArray[np.float64], codes: NDArray[np.uint8], bits: int, *, offset: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scales, shape (groups, bits), and offsets, shape (groups,), that fit best.

    A plane that the planes before it make up gets scale 0. Without ``offset`` the offset is 0.
    """
    planes = [np.where(codes >> np.uint8(i) & 1, 1.0, -1.0) for i in range(bits)]
    if offset:
        planes.append(np.ones(w.shape))
    size = len(planes)
    products = np.zeros((len(w), size, size + 1))
    for i, left in enumerate(planes):
        for j, right in enumerate(planes):
            products[:, i, j] = (left * right).sum(axis=1)
        products[:, i, size] = (left * w).sum(axis=1)
    solved = _solve(products, _LEAST_PIVOT * w.shape[1])
    return solved[:, :bits], solved[:, bits] if offset else np.zeros(len(w))


def by_magnitude(alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scales' magnitudes, the greatest first: the same levels under other codes."""
    return -np.sort(-np.abs(alpha), axis=1)


def nearest_codes(w: NDArray[np.float64], alpha: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the code of each weight's nearest level, shape (groups, g); ties go up.

    Args:
        w: Weights less their offset, shape (groups, g).
        alpha: Scales, shape (groups, bits); all sums of plus or minus them are the levels.
    """
    bits = alpha.shape[1]
    patterns = np.arange(1 << bits)
    levels = np.zeros((len(w), 1 << bits))
    for plane in range(bits):
        levels += np.where(patterns >> plane & 1, 1.0, -1.0) * alpha[:, plane, None]
    order = np.argsort(levels, axis=1, kind="stable")
    levels = np.take_along_axis(levels, order, axis=1)
    middles = (levels[:, :-1] + levels[:, 1:]) / 2
    rank = np.zeros(w.shape, np.int64)
    for middle in middles.T:
        rank += w >= middle[:, None]
    return np.take_along_axis(order, rank, axis=1).astype(np.uint8)


def signs_of(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int8]:
    """Return the signs -1 and +1 of each plane, shape (bits, *codes.shape)."""
    return np.stack([np.where(codes >> np.uint8(i) & 1, 1, -1) for i in range(bits)]).astype(
        np.int8
    )


def _solve(system: NDArray[np.float64], least_pivot: float) -> NDArray[np.float64]:
    """Solve a batch of symmetric systems, shape (batch, size, size + 1), by elimination in order.

    Not LAPACK: its order of operations, and so the last bit, changes from machine to machine.
    """
    size = system.shape[1]
    for i in range(size):
        pivot = system[:, i, i]
        is_free = pivot <= least_pivot
        system[is_free, i] = 0.0
        safe = np.where(is_free, 1.0, pivot)
        for j in range(i + 1, size):
            factor = np.where(is_free, 0.0, system[:, j, i] / safe)
            system[:, j] -= factor[:, None] * system[:, i]
    solved = np.zeros(system.shape[:2])
    for i in reversed(range(size)):
        rest = system[:, i, size].copy()
        for j in range(i + 1, size):
            rest -= system[:, i, j] * solved[:, j]
        pivot = system[:, i, i]
        solved[:, i] = np.where(pivot == 0, 0.0, rest / np.where(pivot == 0, 1.0, pivot))
    return solved

"""Clocks of digit passes: non-zero digits of every group, counted for all bit-weights at once.

The numbers of non-zero digits at each bit-weight are small, so a code's are packed side by side in
one word: adding the words of a group adds all its counts.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FIELD = 3  # bits of a packed count: up to four digits in a group


def packed_digits(table: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Pack which digits of each code are not zero, ``_FIELD`` bits each.

    Args:
        table: Digits of every code, shape (codes, digits), least significant first; digits <= 21.
    """
    fields = np.uint64(1) << (np.uint64(_FIELD) * np.arange(table.shape[1], dtype=np.uint64))
    packed: NDArray[np.uint64] = ((table != 0) * fields).sum(axis=1, dtype=np.uint64)
    return packed


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def pass_clocks(
    patterns: NDArray[np.int64],
    packed: NDArray[np.uint64],
    digits: int,
    depth: int,
    lanes: int,
) -> NDArray[np.int64]:
    """Count the clocks of every pass: groups of four k, a clock per non-zero digit, at least one.

    Args:
        patterns: Codes of ``a`` as bit patterns, shape (m, k).
        packed: ``packed_digits`` of every pattern.
        digits: Digits of a code.
        depth: k of a fold, a multiple of 4.
        lanes: Group g of a fold goes to lane ``g % lanes``; a pass ends with its slowest lane.

    Returns:
        Shape (folds, m, digits).
    """
    m, k = patterns.shape
    folds = (k + depth - 1) // depth
    clocks = np.zeros((folds, m, digits), np.int64)
    lane_clocks = np.zeros((lanes, digits), np.int64)
    for fold in range(folds):
        stop = min(k, (fold + 1) * depth)
        for row in range(m):
            lane_clocks[:] = 0
            lane = 0
            for first in range(fold * depth, stop, 4):
                counts = np.uint64(0)
                for at in range(first, min(first + 4, stop)):
                    counts += packed[patterns[row, at]]
                for digit in range(digits):
                    count = np.int64((counts >> np.uint64(3 * digit)) & np.uint64(7))
                    lane_clocks[lane, digit] += max(count, 1)
                lane = (lane + 1) % lanes
            for digit in range(digits):
                for other in range(lanes):
                    clocks[fold, row, digit] = max(
                        clocks[fold, row, digit], lane_clocks[other, digit]
                    )
    return clocks

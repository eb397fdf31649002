"""Clocks of an array whose lanes take one pair of non-zero digits each: sums of greatest products.

A lane shared by some rows and columns takes as many clocks as its greatest count of digits along m
times its greatest along n; a group of lanes ends with its slowest lane, after at least one clock.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore] # numba has no types
def pair_clocks(a_most: NDArray[np.uint8], b_most: NDArray[np.uint8], lanes: int) -> int:
    """Return the clocks of all groups of all tiles.

    Args:
        a_most: Greatest number of non-zero digits in a tile's rows, shape (row tiles, k).
        b_most: The same in a tile's columns, shape (column tiles, k).
        lanes: Neighbours along k that make a group; divides k.
    """
    total = np.int64(0)
    for i in range(a_most.shape[0]):
        for j in range(b_most.shape[0]):
            for start in range(0, a_most.shape[1], lanes):
                slowest = np.int32(1)
                for at in range(start, start + lanes):
                    pairs = np.int32(a_most[i, at]) * np.int32(b_most[j, at])
                    slowest = max(slowest, pairs)
                total += slowest
    return int(total)

"""Dealing digits to lanes beat by beat, and when the segments of a GEMM issue.

``deal`` makes each beat's choice of layout as the engine does and returns the clocks that each
segment's fullest lane takes. ``time_segments`` is a recurrence over segments, not over clocks.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Sizes(NamedTuple):
    """What the times of segments depend on, next to their digits.

    Attributes:
        n: Columns of C.
        k: Length of the sums.
        pes: Outputs of a tile.
        beat: k of one beat.
        k_depth: k of one segment.
        tiles_held: Tiles of b that the engine holds, 1 or 2.
    """

    n: int
    k: int
    pes: int
    beat: int
    k_depth: int
    tiles_held: int


class Times(NamedTuple):
    """Edges of a GEMM; edge 1 accepts the command.

    Attributes:
        start: Reads the first words of the queues.
        end: Issues the last digit.
        result: Delivers the last result.
    """

    start: int
    end: int
    result: int


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def deal(counts: NDArray[np.uint8], lanes: int, beat: int, k_depth: int) -> NDArray[np.int64]:
    """Return the digits of the fullest lane of each segment.

    Args:
        counts: Non-zero digits of every element of ``a``, shape (m, k).
        lanes: Lanes.
        beat: k of one beat, a multiple of ``lanes``.
        k_depth: k of one segment, a multiple of ``beat``.

    Returns:
        Shape (m, folds).
    """
    m, k = counts.shape
    folds = -(-k // k_depth)
    most = np.zeros((m, folds), np.int64)
    share = beat // lanes
    loads = np.zeros((2, lanes), np.int64)
    for row in range(m):
        for start in range(0, k, beat):
            if start % k_depth == 0:
                loads[:] = 0
            for place in range(min(beat, k - start)):
                digits = np.int64(counts[row, start + place])
                loads[0, place % lanes] += digits
                loads[1, place // share] += digits
            chosen = 1 if loads[1].max() < loads[0].max() else 0
            loads[1 - chosen] = loads[chosen]
            most[row, start // k_depth] = loads[chosen].max()
    return most


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def time_segments(issue: NDArray[np.int64], by: Sizes) -> Times:
    """Return when the segments of a GEMM start and end.

    Args:
        issue: Clocks that each segment issues, shape (m, folds), at least 1.
        by: The engine and the other sizes.
    """
    m, folds = issue.shape
    a_last = b_last = 1  # edges of the last beats accepted
    ends = np.zeros(2, np.int64)  # of the last two segments
    releases = np.zeros(by.tiles_held, np.int64)  # when each place for a tile became free
    tile, segment, first_start, end, outputs = 0, 0, 0, 0, 0
    row_free = 0  # the edge from which on a row may end: the one before has left
    for column in range(0, by.n, by.pes):
        outputs = min(by.pes, by.n - column)
        for row in range(m):
            for fold in range(folds):
                beats = -(-min(by.k_depth, by.k - fold * by.k_depth) // by.beat)
                a_last = max(a_last, ends[segment % 2]) + beats
                if folds > 1 or row == 0:
                    b_last = max(b_last, releases[tile % by.tiles_held]) + beats
                    tile += 1
                start = max(end, a_last + 2, b_last + 1)
                if segment == 0:
                    first_start = start
                end = start + issue[row, fold]
                if fold == folds - 1:
                    end = max(end, row_free)
                    row_free = end + outputs + 4
                ends[segment % 2] = end
                if folds > 1 or row == m - 1:
                    releases[(tile - 1) % by.tiles_held] = end
                segment += 1
    return Times(first_start, end, end + 4 + outputs)

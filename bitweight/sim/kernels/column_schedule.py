"""Edges of a column engine: its tiles as a recurrence over what each of them waits for."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_LONG_AGO = -(1 << 62)


class Schedule(NamedTuple):
    """What tiles wait for, apart from their digits.

    Attributes:
        n: Columns of the result.
        k: Length of the sums.
        columns: Columns of PEs.
        pes: PEs of a column.
        k_depth: k of a fold.
        acc_depth: Rows whose sums the engine holds.
        c_depth: Row tiles of results that it holds.
        double_buffer: Whether a b tile loads while the one before it computes.
        fetch_latency: Edges from a row tile's last beat of ``a`` to its start.
        drain_latency: Edges from a row's last digit to its first result being read, less ``pes``.
    """

    n: int
    k: int
    columns: int
    pes: int
    k_depth: int
    acc_depth: int
    c_depth: int
    double_buffer: bool
    fetch_latency: int
    drain_latency: int


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def count_edges(row_clocks: NDArray[np.int64], by: Schedule) -> int:
    """Return the edge that delivers the last result; edge 1 accepts the command.

    Args:
        row_clocks: Clocks that a column takes for each row, shape (folds, m).
        by: The engine and the other sizes.
    """
    folds, m = row_clocks.shape
    a_loaded, b_loaded = 1, 1  # edges of the last beats so far
    end, end_before = 0, _LONG_AGO  # of the last two row tiles
    tile_end, tile_end_before = _LONG_AGO, _LONG_AGO  # of the last two b tiles
    read = 0  # last result read out of the engine's memory
    tile_read = np.full(by.c_depth, _LONG_AGO)  # of the last row tiles, by turns
    place = 0
    for block in range(0, m, by.acc_depth):
        block_end = min(m, block + by.acc_depth)
        for column in range(0, by.n, by.pes):
            lanes = min(by.pes, by.n - column)
            for fold in range(folds):
                length = min(by.k_depth, by.k - fold * by.k_depth)
                b_free = tile_end_before if by.double_buffer else tile_end
                # The last PE reads b ``pes`` clocks after the column's last digit.
                b_loaded = max(b_loaded, b_free + by.pes) + length
                for row in range(block, block_end, by.columns):
                    a_loaded = max(a_loaded, end_before) + (length + 3) // 4
                    start = max(end, a_loaded + by.fetch_latency)
                    if row == block:
                        start = max(start, b_loaded + 1)
                    if fold == folds - 1:
                        start = max(start, tile_read[place] + 1)
                    clocks = 0
                    for one in range(row, min(row + by.columns, block_end)):
                        clocks = max(clocks, row_clocks[fold, one])
                        if fold == folds - 1:
                            ready = start + row_clocks[fold, one] + by.pes + by.drain_latency
                            read = max(read + 1, ready) + lanes - 1
                    if fold == folds - 1:
                        tile_read[place] = read
                        place = (place + 1) % by.c_depth
                    end_before, end = end, start + clocks
                tile_end_before, tile_end = tile_end, end
    return read + 1

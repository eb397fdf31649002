"""When the groups of a block engine leave it, in steps that do not grow with the GEMM.

Each group turns three edges (last beat accepted, last result left, the same of the group before)
into three others by additions and maxima: a matrix product in the max-plus algebra. So all tiles
alike are a power of one tile's matrix, by repeated squaring.

Source: max-plus algebra as in Baccelli et al., "Synchronization and Linearity", Wiley 1992, ch. 1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Minus infinity: small enough to lose every maximum, large enough not to wrap when doubled.
_NEVER = -(1 << 60)


class Drain(NamedTuple):
    """What a GEMM's end depends on, next to the clocks of its groups.

    Attributes:
        m: Rows of the result.
        tiles_n: Tiles along n.
        rows: Rows of a tile.
        planes: Result beats of one row of a group.
        latency: Edges from an accepted beat to the accumulators.
        start: Edge from which the first group's clocks count.
    """

    m: int
    tiles_n: int
    rows: int
    planes: int
    latency: int
    start: int


def last_result(clocks: NDArray[np.int64], drain: Drain) -> int:
    """Return the edge that delivers a GEMM's last result beat.

    Args:
        clocks: Clocks that each group along k takes to be accepted.
        drain: The rest.
    """
    whole, ragged = divmod(drain.m, drain.rows)
    edges = np.array([[drain.start], [0], [0]], np.int64)
    for rows, tiles in ((drain.rows, whole * drain.tiles_n), (ragged, drain.tiles_n)):
        if rows and tiles:
            tile = _tile(clocks, rows * drain.planes, drain.latency)
            edges = _times(_power(tile, tiles), edges)
    return int(edges[1, 0])


def _tile(clocks: NDArray[np.int64], results: int, latency: int) -> NDArray[np.int64]:
    """Return the matrix of one tile: its groups' matrices, the first group's rightmost."""
    product = _unit()
    for accept in clocks.tolist():
        # A copy reaches an idle c one edge after it was made; results leave one an edge.
        leave = latency + 1 + results
        group = np.array(
            [
                [accept, _NEVER, 1],
                [accept + leave, results, 1 + leave],
                [_NEVER, 0, _NEVER],
            ],
            np.int64,
        )
        product = _times(group, product)
    return product


def _unit() -> NDArray[np.int64]:
    return np.where(np.eye(3, dtype=bool), np.int64(0), np.int64(_NEVER))


def _power(matrix: NDArray[np.int64], exponent: int) -> NDArray[np.int64]:
    product = _unit()
    while exponent:
        if exponent & 1:
            product = _times(matrix, product)
        matrix = _times(matrix, matrix)
        exponent >>= 1
    return product


def _times(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Multiply in the max-plus algebra."""
    product: NDArray[np.int64] = (left[:, :, None] + right[None, :, :]).max(axis=1)
    return np.maximum(product, _NEVER)

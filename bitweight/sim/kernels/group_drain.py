"""When the groups of a block engine leave it: a recurrence over groups, not over clocks."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


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


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def last_result(clocks: NDArray[np.int64], drain: Drain) -> int:
    """Return the edge that delivers a GEMM's last result beat.

    Args:
        clocks: Clocks that each group along k takes to be accepted.
        drain: The rest.
    """
    accepted, left, left_before = drain.start, 0, 0
    for row in range(0, drain.m, drain.rows):
        results = min(drain.rows, drain.m - row) * drain.planes
        for _tile in range(drain.tiles_n):
            for group in range(len(clocks)):
                accepted = max(accepted + clocks[group], left_before + 1)
                left_before = left
                left = max(accepted + drain.latency + 1, left) + results
    return left

"""Temporal trips of a nest without running it: closed form, or from the digits' statistics.

Dense nests take the product of their temporal loops' steps. A sparse nest's trips are an array of
group costs with one axis per loop, folded from the innermost loop outwards: a temporal loop sums,
spatial positions run side by side until a ``sync`` takes their maximum. The interpreter counts the
same by walking.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.notation.loops import Dim, Loop, split_of, temporal_trips
from bitweight.sim.notation.lowering import Program
from bitweight.sim.notation.primitives import Sparse, Sync


def dense_trips(loops: Sequence[Loop], sizes: Mapping[Dim, int]) -> int:
    """Return the product of all temporal steps; spatial loops of width P make ceil(size / P)."""
    trips = 1
    for dim, size in sizes.items():
        trips *= temporal_trips(loops, dim, size)
    return trips


def sparse_trips(program: Program, sparse: Sparse, nonzero: NDArray[np.bool_], n: int) -> int:
    """Return the trips of a sparse nest.

    Args:
        program: The nest.
        sparse: Its ``sparse``.
        nonzero: Whether each digit of the recoded operand is non-zero, shape (m, k, bw).
        n: Columns of b.
    """
    axes, costs = _group_costs(program.loops, sparse, nonzero)
    synced = {statement.loop for statement, _ in program.paths if isinstance(statement, Sync)}
    spatial_axes: set[str] = set()
    for loop in reversed(program.loops):
        if loop.name in axes and loop.spatial:
            spatial_axes.add(loop.name)
        elif loop.name in axes:
            costs = costs.sum(axis=axes.index(loop.name))
            axes.remove(loop.name)
        if loop.name in synced:
            costs = costs.max(axis=tuple(axes.index(name) for name in spatial_axes))
            axes = [name for name in axes if name not in spatial_axes]
            spatial_axes.clear()
    return int(costs.max()) * temporal_trips(program.loops, Dim.N, n)


def _group_costs(
    loops: Sequence[Loop], sparse: Sparse, nonzero: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the clocks of every group, with the names of the loops that are its axes.

    Args:
        loops: All loops.
        sparse: Names the loop that walks a group's non-zero digits.
        nonzero: Whether each digit is non-zero, shape (m, k, bw).
    """
    axes: list[str] = []
    shape: list[int] = []
    padding: list[tuple[int, int]] = []
    for dim, size in zip((Dim.M, Dim.K, Dim.BW), nonzero.shape, strict=True):
        parts = split_of(loops, dim)
        counts = [loop.iterations(size) for loop in parts]
        axes += [loop.name for loop in parts]
        shape += counts
        padding.append((0, int(np.prod(counts)) - size))
    walked = axes.index(sparse.loop)
    exists = np.pad(np.ones_like(nonzero), padding).reshape(shape).any(axis=walked)
    counts_in_group = np.pad(nonzero, padding).reshape(shape).sum(axis=walked, dtype=np.int64)
    least = 0 if sparse.skip_empty else 1
    costs = np.where(exists, np.maximum(counts_in_group, least), 0)
    return [name for name in axes if name != sparse.loop], costs

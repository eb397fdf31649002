"""Questions about a nest's data flow, and the small edits that rewrites are made of."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypeVar

from bitweight.sim.notation.loops import Dim, Loop
from bitweight.sim.notation.nest import Nest
from bitweight.sim.notation.primitives import Accumulate, Computation, HalfReduce, Statement, Sync

Found = TypeVar("Found", bound=Statement)


def find(nest: Nest, primitive: type[Found]) -> Found:
    """Return the first statement of a kind.

    Raises:
        ValueError: If there is none.
    """
    for statement in nest.statements:
        if isinstance(statement, primitive):
            return statement
    raise ValueError(f"A nest to rewrite must have a primitive {primitive.__name__}")


def reader_of(nest: Nest, producer: Computation) -> Computation | None:
    """Return the first computation that reads a value."""
    computations = (s for s in nest.statements if not isinstance(s, Sync))
    return next((s for s in computations if s.source == producer.out), None)


def loops_over(nest: Nest, dim: Dim) -> tuple[Loop, ...]:
    """Return the loops over a dimension, outermost first."""
    return tuple(loop for loop in nest.loops if loop.dim is dim)


def summed_loops(nest: Nest, total: HalfReduce | Accumulate, dim: Dim) -> tuple[Loop, ...]:
    """Return the loops over a dimension that a reduction sums, outermost first."""
    return tuple(loop for loop in loops_over(nest, dim) if loop.name in total.over)


def before(nest: Nest, outer: Sequence[Loop], inner: Sequence[Loop]) -> bool:
    """Tell whether all of some loops stand outside all of others."""
    return max(map(nest.loops.index, outer)) < min(map(nest.loops.index, inner))


def rewritten(
    nest: Nest,
    changes: Mapping[Statement, tuple[Statement, ...]],
    *,
    loops: tuple[Loop, ...] | None = None,
) -> Nest:
    """Return the nest with statements exchanged for others, or none, and maybe with new loops."""
    statements = (changes.get(statement, (statement,)) for statement in nest.statements)
    return Nest(
        loops=nest.loops if loops is None else loops,
        statements=tuple(chain.from_iterable(statements)),
    )

"""From loops and primitives to the nest that runs: each primitive's place follows from its data.

A primitive depends on loops: ``encode`` on those over m and k, ``map`` on n and bw as well,
``shift`` on bw, and a reduction no longer on the loops that it sums over. It stands as far out as
its operands let it, so *where np is in the loop order decides whether PEs share an encoder*::

    for mp, np (p):                      for mp (p):
      for k (t):                           for k (t):
        d = encode(A[m,k])                   d = encode(A[m,k])      one for all np
        pp = map(d[bw], B[k,n])              for np (p):
                                               pp = map(d[bw], B[k,n])

Whatever reads a sum stands after the loops summed over. Spatial loops inside those are opened
again there, which costs wires; opening a temporal loop again would cost clocks and a buffer of
unfinished sums, and is refused. Every illegal order of loops shows up as one of the refusals here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from bitweight.sim.notation.loops import Dim, Loop
from bitweight.sim.notation.primitives import (
    Accumulate,
    Computation,
    Encode,
    HalfReduce,
    Kind,
    Map,
    Shift,
    Sparse,
    Statement,
    Sync,
    name_of,
)

Path = tuple[Loop, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A loop and what stands inside it, in order."""

    loop: Loop
    body: "tuple[Block | Statement, ...]"


Body = tuple[Block | Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A nest with every primitive in its place.

    Attributes:
        loops: All loops, outermost first.
        indices: For each value, the names of the loops that it depends on.
        paths: For each primitive, in order, the loops around it.
        body: The same as a tree.
    """

    loops: tuple[Loop, ...]
    indices: Mapping[str, frozenset[str]]
    paths: tuple[tuple[Statement, Path], ...]
    body: Body

    def path_of(self, statement: Statement) -> Path:
        """Return the loops around a primitive, outermost first."""
        return next(path for other, path in self.paths if other == statement)

    @property
    def sparse(self) -> Sparse | None:
        """The primitive that makes trips depend on the operands, if there is one."""
        return next((s for s, _ in self.paths if isinstance(s, Sparse)), None)

    @property
    def output(self) -> str:
        """Name of the value that the last computation gives."""
        return [s.out for s, _ in self.paths if not isinstance(s, Sync)][-1]


def lower(loops: tuple[Loop, ...], statements: tuple[Statement, ...]) -> Program:
    """Place every primitive.

    Raises:
        ValueError: If an operand is missing or of a wrong kind, or if no place satisfies the
            dependences.
    """
    needs, indices = _dependences(loops, statements)
    summed: dict[str, frozenset[str]] = {"A": frozenset()}
    paths: list[tuple[Statement, Path]] = []
    for statement in statements:
        if isinstance(statement, Sync):
            paths.append((statement, _path_of_sync(loops, statement)))
            continue
        paths.append((statement, _path(loops, statement, needs, summed[statement.source])))
        summed[statement.out] = summed[statement.source] | frozenset(statement.over)
    for sparse in (s for s in statements if isinstance(s, Sparse)):
        _check_barriers(loops, statements, indices[sparse.out])
    return Program(loops=loops, indices=indices, paths=tuple(paths), body=_tree(paths, 0))


def _dependences(
    loops: Sequence[Loop], statements: Sequence[Statement]
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Return, by output, the loops each primitive needs around it and those its value keeps."""
    needs: dict[str, frozenset[str]] = {}
    indices = {"A": _names(loops, Dim.M, Dim.K)}
    kinds = {"A": Kind.OPERANDS}
    for statement in statements:
        if isinstance(statement, Sync):
            continue
        if statement.source not in kinds or statement.out in kinds:
            raise ValueError(
                f"{name_of(statement)} must read a value given before and give a new one, "
                f"not {statement.out!r} from {statement.source!r}"
            )
        if kinds[statement.source] not in statement.takes:
            raise ValueError(
                f"{name_of(statement)} must take a {' or '.join(k.value for k in statement.takes)},"
                f" not {statement.source!r}, a {kinds[statement.source].value}"
            )
        needed = indices[statement.source] | _own_indices(loops, statement)
        if isinstance(statement, Encode):
            needed -= {statement.group}
        if not needed.issuperset(statement.over):
            raise ValueError(
                f"{name_of(statement)} must sum over loops that {statement.source!r} depends on, "
                f"not {', '.join(statement.over)}"
            )
        needs[statement.out] = needed
        indices[statement.out] = needed - frozenset(statement.over)
        kinds[statement.out] = statement.gives
    return needs, indices


def _names(loops: Sequence[Loop], *dims: Dim) -> frozenset[str]:
    return frozenset(loop.name for loop in loops if loop.dim in dims)


def _own_indices(loops: Sequence[Loop], statement: Computation) -> frozenset[str]:
    """Return the loops that a primitive depends on beyond those of its input."""
    if isinstance(statement, Map):  # B[k, n]; k also picks the element of an encoded group
        return _names(loops, Dim.K, Dim.N, Dim.BW)
    if isinstance(statement, Shift | Sparse):
        return _names(loops, Dim.BW)
    return frozenset()


def _path(
    loops: tuple[Loop, ...],
    statement: Computation,
    needs: Mapping[str, frozenset[str]],
    summed: frozenset[str],
) -> Path:
    """Return the loops around a primitive whose input has been summed over ``summed``."""
    needed = needs[statement.out]
    if lost := needed & summed:
        raise ValueError(
            f"{name_of(statement)} depends on {_listed(loops, lost)}, "
            f"which {statement.source!r} has been summed over"
        )
    depth = max((i + 1 for i, loop in enumerate(loops) if loop.name in needed), default=0)
    outside = loops[:depth]
    walked = statement.loop if isinstance(statement, Sparse) else None
    if isinstance(statement, Encode):
        walked = statement.group
    if walked in {loop.name for loop in outside}:
        raise ValueError(
            f"{name_of(statement)} covers all of {walked} at once, "
            f"so {walked} must be inside {outside[-1].name}"
        )
    done = next((i for i, loop in enumerate(outside) if loop.name in summed), depth)
    reopened = tuple(loop for loop in outside[done:] if loop.name in needed)
    if waiting := [loop.name for loop in reopened if not loop.spatial]:
        raise ValueError(
            f"{name_of(statement)} would read {statement.source!r} at each {waiting[0]} "
            f"before its sum over {outside[done].name} is complete"
        )
    return outside[:done] + reopened


def _path_of_sync(loops: tuple[Loop, ...], sync: Sync) -> Path:
    """Return the loops outside the one that is waited for."""
    at = next((i for i, loop in enumerate(loops) if loop.name == sync.loop), None)
    if at is None or not loops[at].spatial:
        raise ValueError(f"sync must wait for a spatial loop, not {sync.loop!r}")
    return loops[:at]


def _check_barriers(
    loops: Sequence[Loop], statements: Sequence[Statement], uneven: frozenset[str]
) -> None:
    """Demand a ``sync`` before a sum over spatial positions that end at different times is read."""
    spatial = {loop.name for loop in loops if loop.spatial}
    for at, statement in enumerate(statements):
        if not isinstance(statement, HalfReduce | Accumulate):
            continue
        readers = (
            i
            for i, s in enumerate(statements)
            if not isinstance(s, Sync) and s.source == statement.out
        )
        synced = {s.loop for s in statements[at : next(readers, None)] if isinstance(s, Sync)}
        if late := uneven & spatial & set(statement.over) - synced:
            raise ValueError(
                f"{name_of(statement)} sums over {_listed(loops, late)}, whose positions end at "
                f"different times: a sync must follow it"
            )


def _listed(loops: Sequence[Loop], names: frozenset[str] | set[str]) -> str:
    return ", ".join(loop.name for loop in loops if loop.name in names)


def _tree(paths: Sequence[tuple[Statement, Path]], depth: int) -> Body:
    """Merge the common loops of consecutive primitives."""
    body: list[Block | Statement] = []
    entered: set[str] = set()
    for loop, group in groupby(paths, key=lambda p: p[1][depth] if len(p[1]) > depth else None):
        inside = list(group)
        if loop is None:
            body.extend(statement for statement, _ in inside)
            continue
        if loop.name in entered and not loop.spatial:
            raise ValueError(
                f"{name_of(inside[0][0])} would walk {loop.name} a second time: "
                f"temporal loops must be walked once"
            )
        entered.add(loop.name)
        body.append(Block(loop, _tree(inside, depth + 1)))
    return tuple(body)

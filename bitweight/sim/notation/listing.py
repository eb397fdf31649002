"""Print a nest in the manner of the bit-weight paper: ``(t)`` temporal, ``(p)`` spatial loops.

The spelling is ours. ``half_reduce[k,bw](w)`` sums ``w`` over k and bw into the pair named on its
left, which starts at zero for every iteration of the loops around.
"""

from collections.abc import Iterator, Sequence

from bitweight.sim.notation.loops import Dim, Loop, split_of, split_text
from bitweight.sim.notation.lowering import Block, Body, Program
from bitweight.sim.notation.primitives import (
    Accumulate,
    Add,
    Encode,
    HalfReduce,
    Map,
    Shift,
    Sparse,
    Statement,
    Sync,
    name_of,
)


def listing(program: Program) -> str:
    """Return the nest as text, one line per loop group or primitive, without a last newline."""
    splits = [split_text(program.loops, dim) for dim in Dim if _is_split(program.loops, dim)]
    lines = [", ".join(splits)] if splits else []
    return "\n".join([*lines, *_lines(program, program.body, 0)])


def _is_split(loops: Sequence[Loop], dim: Dim) -> bool:
    return len(split_of(loops, dim)) > 1


def _lines(program: Program, body: Body, depth: int) -> Iterator[str]:
    for node in body:
        if isinstance(node, Block):
            loops, inside = _directly_nested(node)
            yield "  " * depth + _head(loops, program)
            yield from _lines(program, inside, depth + 1)
        else:
            yield "  " * depth + _primitive(node, program)


def _directly_nested(block: Block) -> tuple[list[Loop], Body]:
    """Return the loops that fit one line, ``for mt, nt (t):``, and what is inside them."""
    loops, body = [block.loop], block.body
    while (
        len(body) == 1 and isinstance(body[0], Block) and body[0].loop.spatial == block.loop.spatial
    ):
        loops.append(body[0].loop)
        body = body[0].body
    return loops, body


def _head(loops: Sequence[Loop], program: Program) -> str:
    sparse = program.sparse
    if sparse is not None and loops[0].name == sparse.loop:
        idle = "" if sparse.skip_empty else ", at least one"
        return f"for {sparse.loop} in {sparse.out} (t{idle}):"
    bounds = [_bound(loop) for loop in loops]
    return f"for {', '.join(bounds)} ({'p' if loops[0].spatial else 't'}):"


def _bound(loop: Loop) -> str:
    return loop.name if loop.extent is None else f"{loop.name} < {loop.extent}"


def _primitive(statement: Statement, program: Program) -> str:
    match statement:
        case Sync():
            return f"sync({statement.loop})"
        case Encode():
            operands = f"A[m,k{_last_of_group(statement, program)}]"
        case Sparse():
            operands = f"{statement.source}[bw]"
        case Map():
            group_index = _group_index(statement.source, program)
            operands = f"{statement.source}[{group_index}bw], B[k,n]"
        case Shift():
            operands = f"{statement.source}, bw"
        case HalfReduce() | Accumulate() | Add():
            operands = statement.source
    summed = [loop.name for loop in program.loops if loop.name in statement.over]
    over = f"[{','.join(summed)}]" if summed else ""
    target = f"{statement.out}[m,n]" if statement.out == program.output else statement.out
    return f"{target} = {name_of(statement)}{over}({operands})"


def _last_of_group(encode: Encode, program: Program) -> str:
    extents = [loop.extent for loop in program.loops if loop.name == encode.group]
    return "".join(f"..k+{extent - 1}" for extent in extents if extent)


def _group_index(digits: str, program: Program) -> str:
    encodes = [s for s, _ in program.paths if isinstance(s, Encode)]
    return "".join(f"{s.group}," for s in encodes if s.out == digits and s.group)

"""Block dot-product engine clock by clock, from the parts' own functions.

Each turn of the loop is one edge: what leaves first, since it reads registers as they were before
it. No formula of ``sim.engines.block_dot`` is used here: this is what checks them.

RTL twin: ``rtl.engines.block_dot``.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import contribute, decode, prepare, settle, side, units
from bitweight.sim.engine import run
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.packed_weights import PackedWeights

_GROUPS_HELD = 2

Cells = list[list[tuple[int, ...]]]
"""Sums of every cell, by row and column."""


class Beat(NamedTuple):
    """One beat on its way to the accumulators: what each cell adds, and the tags with it."""

    sums: list[list[tuple[int, ...]]]
    first: bool
    last: bool
    row: int
    column: int
    group: int


class ResultRow(NamedTuple):
    """One beat of c: a plane of a row of a tile."""

    row: int
    column: int
    plane: int
    group: int
    sums: list[int]


@run.register
def _(
    spec: BlockDotSpec, a: NDArray[np.integer], b: PackedWeights
) -> tuple[NDArray[np.int64], int]:
    m, n = len(a), b.n
    todo = deque(_beats(spec, a, b))
    results = np.zeros((m, n, spec.pe.planes, 1 + todo[-1].group), np.int64)
    missing = results.size
    # Stage 0 is the input register; what leaves the last stage updates the accumulators.
    stages: deque[Beat | None] = deque([None] * spec.latency)
    cells: Cells = [[()] * spec.columns for _ in range(spec.rows)]
    complete: Beat | None = None
    held: deque[deque[ResultRow]] = deque()
    on_their_way, wait, edge = 0, 0, 1
    while missing:
        edge += 1
        has_room = on_their_way < _GROUPS_HELD
        if held:
            missing -= _deliver(results, held[0].popleft())
            if not held[0]:
                held.popleft()
                on_their_way -= 1
        if complete is not None:
            assert len(held) < _GROUPS_HELD, "a group has nowhere to go"
            held.append(_copy(spec, cells, complete, m, n))
        leaving = stages.pop()
        if leaving is not None:
            cells = _add(cells, leaving)
        complete = leaving if leaving is not None and leaving.last else None
        entering = None
        wait = max(0, wait - 1)
        if todo and not wait and (has_room or not todo[0].last):
            entering = todo.popleft()
            on_their_way += entering.last
            wait = spec.pe.walk.interval
        stages.appendleft(entering)
    return results, edge


def _beats(spec: BlockDotSpec, a: NDArray[np.integer], b: PackedWeights) -> Iterator[Beat]:
    """Yield the beats of a GEMM: tiles of rows outside, tiles of columns inside, then k."""
    m, k = a.shape
    pe = spec.pe
    lane_k = pe.walk.lane_k(k)
    groups = [0 if pe.group is None else int(places[0]) // pe.group for places in lane_k]
    decoded = _decode_all(spec, b)
    padded = np.pad(a.astype(np.int64), ((0, spec.rows), (0, 1)))
    for row in range(0, m, spec.rows):
        for column in range(0, b.n, spec.columns):
            for beat, places in enumerate(lane_k):
                rows = [prepare(pe, padded[row + i, places].tolist()) for i in range(spec.rows)]
                columns = decoded[beat][column : column + spec.columns]
                yield Beat(
                    sums=[[contribute(pe, x, w) for w in columns] for x in rows],
                    first=groups[beat] not in groups[:beat],
                    last=groups[beat] not in groups[beat + 1 :],
                    row=row,
                    column=column,
                    group=groups[beat],
                )


def _decode_all(spec: BlockDotSpec, packed: PackedWeights) -> list[list[tuple[int, ...]]]:
    """Return what column parts make of every beat of every output."""
    pe = spec.pe
    words, integers, is_tail = units(pe, packed), side(pe, packed), pe.walk.tails(packed.k)
    return [
        [
            decode(
                pe,
                words[beat, j].tolist(),
                _side_of(spec, integers, beat, j, packed.n),
                is_tail=bool(is_tail[beat]),
            )
            for j in range(packed.n)
        ]
        for beat in range(len(words))
    ]


def _side_of(
    spec: BlockDotSpec, integers: NDArray[np.int64], beat: int, column: int, n: int
) -> list[int]:
    form = spec.pe.side
    if form is None:
        return []
    owner = column * form.sets // n if form.sets else column
    values: list[int] = integers[beat // form.beats, owner].tolist()
    return values


def _add(cells: Cells, beat: Beat) -> Cells:
    """Return the sums of every cell after a beat; padded columns keep what they hold."""
    return [
        [
            added if beat.first else tuple(old + new for old, new in zip(held, added, strict=True))
            for held, added in zip(row, sums, strict=False)
        ]
        + row[len(sums) :]
        for row, sums in zip(cells, beat.sums, strict=True)
    ]


def _copy(spec: BlockDotSpec, cells: Cells, beat: Beat, m: int, n: int) -> deque[ResultRow]:
    """Return the result beats of a complete group: valid rows only, plane by plane."""
    columns, rows = min(spec.columns, n - beat.column), min(spec.rows, m - beat.row)
    settled = [[settle(spec.pe, sums) for sums in row[:columns]] for row in cells[:rows]]
    return deque(
        ResultRow(
            row=beat.row + i,
            column=beat.column,
            plane=plane,
            group=beat.group,
            sums=[accumulators[plane] for accumulators in row],
        )
        for i, row in enumerate(settled)
        for plane in range(spec.pe.planes)
    )


def _deliver(results: NDArray[np.int64], beat: ResultRow) -> int:
    """Store a result beat; return how many sums it carried."""
    columns = slice(beat.column, beat.column + len(beat.sums))
    results[beat.row, columns, beat.plane, beat.group] = beat.sums
    return len(beat.sums)

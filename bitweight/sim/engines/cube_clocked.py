"""The 3D cube clock by clock: PEs, face, buffer and control as registers.

Every ``clock`` method reads registers as they were before the edge and stores what they hold after
it. No formula of ``sim.engines.cube`` is used here: this is what checks them.

RTL twin: ``rtl.engines.cube``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.compressor import compress
from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.pe.chained import ChainedState, initial_chained, step_chained
from bitweight.sim.pe.step import wrap
from bitweight.sim.results import clamp

_Matrix = tuple[tuple[int, ...], ...]


class _Beat(NamedTuple):
    """What enters in one clock; a bubble is all zeros and no tag."""

    a: _Matrix
    b: _Matrix
    clear: bool = False
    last_rows: int = 0  # on a tile's last beat: its rows, so that padding is not caught


class _Cell(NamedTuple):
    """Registers of one place in the cube: operands on their way, and the PE."""

    a: int
    b: int
    pe: ChainedState


class _Place(NamedTuple):
    """Registers of one place of the face: tags on their way, and the accumulator."""

    clear: bool
    last: bool
    words: tuple[int, ...]


class _Cube:
    """Skew registers, PEs and face."""

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        self.chain = spec.chain
        # A lane reads the beat accepted as many edges ago as its place is hops from the corner,
        # and one more; the face is one PE further.
        span = max(spec.rows, spec.cols) + spec.depth + spec.pe.latency
        self.history = [_bubble(spec)] * span
        idle = _Cell(0, 0, initial_chained(self.chain))
        self.cells = [[[idle] * spec.cols for _ in range(spec.depth)] for _ in range(spec.rows)]
        empty = _Place(False, False, (0,) * len(spec.pe.words))
        self.face = [[empty] * spec.cols for _ in range(spec.rows)]

    def clock(self, beat: _Beat) -> None:
        spec = self.spec
        cells = [
            [[self._clock_cell(i, y, j) for j in range(spec.cols)] for y in range(spec.depth)]
            for i in range(spec.rows)
        ]
        face = [[self._clock_place(i, j) for j in range(spec.cols)] for i in range(spec.rows)]
        self.cells, self.face = cells, face
        self.history = [beat, *self.history[:-1]]

    def _clock_cell(self, i: int, y: int, j: int) -> _Cell:
        cells = self.cells
        a = self.history[i + y].a[i][y] if j == 0 else cells[i][y][j - 1].a
        b = self.history[j + y].b[y][j] if i == 0 else cells[i - 1][y][j].b
        incoming = self.chain.start if y == 0 else cells[i][y - 1][j].pe.words
        return _Cell(a, b, step_chained(self.chain, cells[i][y][j].pe, a, b, incoming))

    def _clock_place(self, i: int, j: int) -> _Place:
        if j == 0:
            beat = self.history[i + self.spec.depth + self.spec.pe.latency - 1]
            clear, last = beat.clear, i < beat.last_rows
        else:
            clear, last = self.face[i][j - 1].clear, self.face[i][j - 1].last
        kept = (0,) * len(self.spec.pe.words) if clear else self.face[i][j].words
        end = self.cells[i][self.spec.depth - 1][j].pe.words
        return _Place(clear, last, _accumulate(self.spec, kept, end))

    def value(self, i: int, j: int) -> int:
        total = wrap(sum(self.face[i][j].words), self.spec.pe.acc_width)
        return clamp(total, self.spec.saturate_to)


def _accumulate(spec: CubeSpec, kept: tuple[int, ...], end: tuple[int, ...]) -> tuple[int, ...]:
    """Add a chain's end to a face accumulator.

    Args:
        spec: The engine.
        kept: The accumulator's words, or zeros.
        end: Words of the last PE, narrower.

    Returns:
        The accumulator's words.
    """
    width = spec.pe.acc_width
    if len(kept) == 1:
        return ((kept[0] + wrap(end[0], spec.chain.width)) % (1 << width),)
    bits = [word >> bit & 1 for word in kept for bit in range(width)]
    bits += [end[0] >> bit & 1 for bit in range(spec.chain.width)]
    bits += [end[1] >> bit & 1 for bit in range(1, spec.chain.width)]
    return compress(spec.face_tree, bits + [1] * spec.face_constant.bit_count())


class _Buffer:
    """Catches each output on the edge after its last addition, and delivers whole rows."""

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        self.caught: list[tuple[int, int] | None] = [None] * spec.cols
        self.buffer: list[list[int]] = [[0] * spec.cols for _ in range(spec.rows)]
        self.written = self.read = self.rows_left = 0
        self.out: list[int] | None = None

    def start(self, rows: int) -> None:
        self.written = self.read = 0
        self.rows_left = rows

    def clock(self, cube: _Cube) -> list[int] | None:
        delivered, self.out = self.out, None
        if delivered is not None:
            self.rows_left -= 1
        if self.read < self.written:
            self.out = list(self.buffer[self.read])
            self.read += 1
        for j, caught in enumerate(self.caught):
            if caught is not None:
                self.buffer[caught[0]][j] = caught[1]
        if self.caught[-1] is not None:
            self.written += 1
        self.caught = [self._catch(cube, j) for j in range(self.spec.cols)]
        return delivered

    def _catch(self, cube: _Cube, j: int) -> tuple[int, int] | None:
        done = [i for i in range(self.spec.rows) if cube.face[i][j].last]
        assert len(done) <= 1, "two outputs of a column are complete in the same clock"
        return (done[0], cube.value(done[0], j)) if done else None


@run.register
def _(
    spec: CubeSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    tiles = [(i, j) for i in range(0, m, spec.rows) for j in range(0, n, spec.cols)]
    cube, buffer = _Cube(spec), _Buffer(spec)
    rows_out: list[list[int]] = []
    edge, step_k = 1, 0  # edge 1 accepts cmd
    while tiles or buffer.rows_left:
        edge += 1
        beat, ended = _bubble(spec), 0
        is_last = step_k + spec.depth >= k
        if tiles and not (is_last and buffer.rows_left):
            i, j = tiles[0]
            ended = min(spec.rows, m - i) if is_last else 0
            beat = _Beat(
                a=_cut(a, i, step_k, spec.rows, spec.depth),
                b=_cut(b, step_k, j, spec.depth, spec.cols),
                clear=step_k == 0,
                last_rows=ended,
            )
            tiles, step_k = (tiles[1:], 0) if is_last else (tiles, step_k + spec.depth)
        delivered = buffer.clock(cube)
        if delivered is not None:
            rows_out.append(delivered)
        cube.clock(beat)
        if ended:
            buffer.start(ended)
    return _assemble(spec, rows_out, m, n), edge


def _bubble(spec: CubeSpec) -> _Beat:
    """Return what enters when nothing does."""
    return _Beat(a=((0,) * spec.depth,) * spec.rows, b=((0,) * spec.cols,) * spec.depth)


def _cut(values: NDArray[np.integer], row: int, column: int, rows: int, columns: int) -> _Matrix:
    """Return a tile of a matrix; zeros past its ends."""
    return tuple(
        tuple(
            int(values[i, j]) if i < values.shape[0] and j < values.shape[1] else 0
            for j in range(column, column + columns)
        )
        for i in range(row, row + rows)
    )


def _assemble(spec: CubeSpec, rows_out: list[list[int]], m: int, n: int) -> NDArray[np.int64]:
    acc = np.zeros((m, n), np.int64)
    rows = iter(rows_out)
    for i in range(0, m, spec.rows):
        for j in range(0, n, spec.cols):
            for row in range(i, min(i + spec.rows, m)):
                acc[row, j : j + spec.cols] = next(rows)[: min(spec.cols, n - j)]
    return acc

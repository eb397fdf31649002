"""The output-stationary engine clock by clock: array, control and drain as registers.

Every ``clock`` method reads registers as they were before the edge and stores what they hold after
it. No formula of ``sim.engines.systolic_os`` is used here: this is what checks them.

RTL twin: ``rtl.engines.systolic_os``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.pe.step import initial_state, resolve, step
from bitweight.sim.results import clamp


class _Beat(NamedTuple):
    """What enters the array in one clock; a bubble is all zeros and no tag."""

    a: tuple[int, ...]
    b: tuple[int, ...]
    clear: bool = False
    last_rows: int = 0  # on a tile's last beat: its rows, so that padding is not caught


class _Cell(NamedTuple):
    """Registers of one place in the array: operands and tags on their way, and the PE."""

    a: int
    b: int
    clear: bool
    last: bool
    pe: Any


class _Array:
    """Skew registers and PEs."""

    def __init__(self, spec: SystolicOsSpec) -> None:
        self.spec = spec
        # One beat deeper for each lane: lane i reads the beat accepted i + 1 edges ago.
        bubble = _Beat(a=(0,) * spec.rows, b=(0,) * spec.cols)
        self.history = [bubble] * max(spec.rows, spec.cols)
        idle = _Cell(0, 0, False, False, initial_state(spec.pe))
        self.cells = [[idle] * spec.cols for _ in range(spec.rows)]
        # Cells of the clocks before: a pipelined PE ends its tile after the tag has passed.
        self.past = [self.cells] * spec.pe.latency

    def clock(self, beat: _Beat) -> None:
        before = self.cells
        self.cells = [
            [self._clock_cell(before, i, j) for j in range(self.spec.cols)]
            for i in range(self.spec.rows)
        ]
        self.history = [beat, *self.history[:-1]]
        self.past = [self.cells, *self.past[:-1]]

    def _clock_cell(self, before: list[list[_Cell]], i: int, j: int) -> _Cell:
        a, clear, last = (
            (self.history[i].a[i], self.history[i].clear, i < self.history[i].last_rows)
            if j == 0
            else (before[i][j - 1].a, before[i][j - 1].clear, before[i][j - 1].last)
        )
        b = self.history[j].b[j] if i == 0 else before[i - 1][j].b
        pe = step(self.spec.pe, before[i][j].pe, a, b, clear=clear)
        return _Cell(a, b, clear, last, pe)

    def is_done(self, i: int, j: int) -> bool:
        return self.past[-1][i][j].last

    def value(self, i: int, j: int) -> int:
        return clamp(resolve(self.spec.pe, self.cells[i][j].pe), self.spec.saturate_to)


class _TileDrain:
    """Reads complete rows one by one after the tile (``overlap_drain`` off)."""

    def __init__(self, spec: SystolicOsSpec) -> None:
        self.spec = spec
        self.wait = 0
        self.rows_left = 0
        self.row = 0
        # Rows on their way out: one register, and for a redundant pair one more after the adder.
        self.stages: list[list[int] | None] = [None] * (1 + spec.pe.resolve_latency)

    def start(self, rows: int) -> None:
        self.wait = self.spec.cols + self.spec.pe.latency - 1
        self.rows_left, self.row = rows, 0

    @property
    def blocks_last_beat(self) -> bool:
        return False

    @property
    def blocks_next_tile(self) -> bool:
        return self.rows_left > 0

    @property
    def is_empty(self) -> bool:
        return self.rows_left == 0 and not any(self.stages)

    def clock(self, array: _Array) -> list[int] | None:
        delivered = self.stages[-1]
        read = None
        if self.rows_left and self.wait == 0:
            read = [array.value(self.row, j) for j in range(self.spec.cols)]
            self.row, self.rows_left = self.row + 1, self.rows_left - 1
        self.wait = max(0, self.wait - 1)
        self.stages = [read, *self.stages[:-1]]
        return delivered


class _ResultBuffer:
    """Catches each PE's sum on the edge after its last product (``overlap_drain`` on)."""

    def __init__(self, spec: SystolicOsSpec) -> None:
        self.spec = spec
        self.caught: list[tuple[int, int] | None] = [None] * spec.cols
        self.buffer: list[list[int]] = [[0] * spec.cols for _ in range(spec.rows)]
        self.written = self.read = self.rows_left = 0
        self.out: list[int] | None = None

    def start(self, rows: int) -> None:
        self.written = self.read = 0
        self.rows_left = rows

    @property
    def blocks_last_beat(self) -> bool:
        return self.rows_left > 0

    @property
    def blocks_next_tile(self) -> bool:
        return False

    @property
    def is_empty(self) -> bool:
        return self.rows_left == 0

    def clock(self, array: _Array) -> list[int] | None:
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
        self.caught = [self._catch(array, j) for j in range(self.spec.cols)]
        return delivered

    def _catch(self, array: _Array, j: int) -> tuple[int, int] | None:
        done = [i for i in range(self.spec.rows) if array.is_done(i, j)]
        assert len(done) <= 1, "two PEs of a column end their tiles in the same clock"
        return (done[0], array.value(done[0], j)) if done else None


@run.register
def _(
    spec: SystolicOsSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    tiles = [(i, j) for i in range(0, m, spec.rows) for j in range(0, n, spec.cols)]
    array = _Array(spec)
    drain = _ResultBuffer(spec) if spec.overlap_drain else _TileDrain(spec)
    rows_out: list[list[int]] = []
    edge, step_k = 1, 0  # edge 1 accepts cmd
    while tiles or not drain.is_empty:
        edge += 1
        beat = _Beat(a=(0,) * spec.rows, b=(0,) * spec.cols)
        ended = 0
        if tiles and not drain.blocks_next_tile:
            is_last = step_k == k - 1
            if not (is_last and drain.blocks_last_beat):
                ended = min(spec.rows, m - tiles[0][0]) if is_last else 0
                beat = _tile_beat(spec, a, b, tiles[0], step_k)._replace(last_rows=ended)
                step_k += 1
                if is_last:
                    tiles, step_k = tiles[1:], 0
        delivered = drain.clock(array)
        if delivered is not None:
            rows_out.append(delivered)
        array.clock(beat)
        if ended:
            drain.start(ended)
    return _assemble(spec, rows_out, m, n), edge


def _tile_beat(
    spec: SystolicOsSpec,
    a: NDArray[np.integer],
    b: NDArray[np.integer],
    tile: tuple[int, int],
    k: int,
) -> _Beat:
    i, j = tile
    m, n = a.shape[0], b.shape[1]
    return _Beat(
        a=tuple(int(a[i + lane, k]) if i + lane < m else 0 for lane in range(spec.rows)),
        b=tuple(int(b[k, j + lane]) if j + lane < n else 0 for lane in range(spec.cols)),
        clear=k == 0,
    )


def _assemble(spec: SystolicOsSpec, rows_out: list[list[int]], m: int, n: int) -> NDArray[np.int64]:
    acc = np.zeros((m, n), np.int64)
    rows = iter(rows_out)
    for i in range(0, m, spec.rows):
        for j in range(0, n, spec.cols):
            for row in range(i, min(i + spec.rows, m)):
                acc[row, j : j + spec.cols] = next(rows)[: min(spec.cols, n - j)]
    return acc

"""The weight-stationary engine clock by clock: array, accumulators and control as registers.

Every ``clock`` method reads registers as they were before the edge and stores what they hold after
it. No formula of ``sim.engines.systolic_ws`` is used here: this is what checks them.

RTL twin: ``rtl.engines.systolic_ws``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.pe.chained import ChainedState, initial_chained, step_chained
from bitweight.sim.pe.step import wrap
from bitweight.sim.results import clamp


class _Row(NamedTuple):
    """A beat of a on its way to the edge: its row in the fold, and what its sums are for."""

    row: int
    adds: bool  # to the accumulators: not the first tile of k
    ends: bool  # the sums: the last tile of k


class _Inputs(NamedTuple):
    """What enters the array in one clock; a bubble of a is zeros."""

    a: tuple[int, ...]
    b: tuple[int, ...] | None = None
    reach: int = 0  # rows that this beat of b passes through
    swap: bool = False  # a is a tile's first row


class _Cell(NamedTuple):
    """Registers of one place; ``shadow`` and the tags exist with ``double_buffer``."""

    a: int
    weight: int
    shadow: int
    load: bool
    swap: bool
    pe: ChainedState


class _Array:
    """Skew registers, weights and PEs."""

    def __init__(self, spec: SystolicWsSpec) -> None:
        self.spec = spec
        self.chain = spec.chain
        # One beat deeper for each lane: lane i of a reads the beat accepted i + 1 edges ago.
        self.history = [_Inputs(a=(0,) * spec.rows)] * (max(spec.rows, spec.cols) + 1)
        idle = _Cell(0, 0, 0, False, False, initial_chained(self.chain))
        self.cells = [[idle] * spec.cols for _ in range(spec.rows)]

    def clock(self, inputs: _Inputs) -> None:
        """Take one edge."""
        before, current = self.cells, [inputs, *self.history]
        weigh = self._second_weights if self.spec.double_buffer else self._single_weight
        self.cells = [
            [
                self._clock_pe(before, i, j, weigh(before, current, i, j))
                for j in range(self.spec.cols)
            ]
            for i in range(self.spec.rows)
        ]
        self.history = current[:-1]

    def _clock_pe(self, before: list[list[_Cell]], i: int, j: int, cell: _Cell) -> _Cell:
        a = self.history[i].a[i] if j == 0 else before[i][j - 1].a
        incoming = before[i - 1][j].pe.words if i else self.spec.chain_start
        pe = step_chained(self.chain, before[i][j].pe, a, before[i][j].weight, incoming)
        return cell._replace(a=a, pe=pe)

    def _single_weight(
        self, before: list[list[_Cell]], current: list[_Inputs], i: int, j: int
    ) -> _Cell:
        """Shift all weights down, one edge after a beat of b came."""
        cell, loaded = before[i][j], current[1].b
        if loaded is None:
            return cell
        return cell._replace(weight=before[i - 1][j].weight if i else loaded[j])

    def _second_weights(
        self, before: list[list[_Cell]], current: list[_Inputs], i: int, j: int
    ) -> _Cell:
        """Move a beat of b down as a wave, and take weights over with the swap tag."""
        cell = before[i][j]
        load, swap = (
            (before[i][j - 1].load, before[i][j - 1].swap)
            if j
            else (current[i].reach > i, current[i].swap)
        )
        loaded = current[j].b
        above = before[i - 1][j].shadow if i else (loaded[j] if loaded else 0)
        return cell._replace(
            load=load,
            swap=swap,
            shadow=above if load else cell.shadow,
            weight=cell.shadow if swap else cell.weight,
        )

    def sum_of(self, j: int) -> int:
        """Return the value that column ``j`` ends with."""
        return wrap(sum(self.cells[-1][j].pe.words), self.chain.width)


class _Edge:
    """Accumulators and result buffer below the array."""

    def __init__(self, spec: SystolicWsSpec) -> None:
        self.spec = spec
        array_edges = spec.rows + (1 if spec.pe.latency > 1 else 0)
        self.depth = array_edges + spec.pe.resolve_latency
        # Tag d left the control d + 1 edges ago.
        self.tags: list[_Row | None] = [None] * (self.depth + spec.cols + 2)
        columns = range(spec.cols)
        self.memory = [[0] * spec.acc_depth for _ in columns]
        self.read = [0 for _ in columns]
        self.resolved = [0 for _ in columns]
        self.sums = [0 for _ in columns]
        self.results: list[list[int]] = [[] for _ in columns]
        self.out: list[int] | None = None
        self.delivered = 0
        self.reserved = 0

    @property
    def is_full(self) -> bool:
        return self.reserved - self.delivered >= self.spec.result_depth

    @property
    def is_empty(self) -> bool:
        return self.reserved == self.delivered

    def clock(self, tag: _Row | None, array: _Array) -> list[int] | None:
        """Take one edge; return the row of results that it delivers."""
        delivered, self.out = self.out, None
        taken = self.delivered + (delivered is not None)
        if len(self.results[-1]) > taken:
            self.out = [column[taken] for column in self.results]
        self.delivered = taken
        for j in range(self.spec.cols):
            self._clock_column(j, array.sum_of(j))
        self.tags = [tag, *self.tags[:-1]]
        if tag is not None and tag.ends:
            self.reserved += 1
        return delivered

    def _clock_column(self, j: int, value: int) -> None:
        reads, adds, writes = self.tags[self.depth + j - 1 : self.depth + j + 2]
        if writes is not None and writes.ends:
            self.results[j].append(clamp(self.sums[j], self.spec.saturate_to))
        elif writes is not None:
            self.memory[j][writes.row] = self.sums[j]
        partial = self.resolved[j] if self.spec.pe.resolve_latency else value
        if adds is not None:
            kept = self.read[j] if adds.adds else 0
            self.sums[j] = wrap(kept + partial, self.spec.pe.acc_width)
        if reads is not None and reads.adds:
            # A synchronous read: a word written on the same edge would be missed.
            assert not (writes and writes.row == reads.row and not writes.ends)
            assert not (adds and adds.row == reads.row and not adds.ends)
            self.read[j] = self.memory[j][reads.row]
        self.resolved[j] = value


class _Tile(NamedTuple):
    """One load of weights and the rows of a that meet them."""

    column: int
    first_row: int
    rows: int
    k: int


class _Control:
    """Walks the tiles: which beats are accepted on an edge."""

    def __init__(self, spec: SystolicWsSpec, tiles: Sequence[_Tile]) -> None:
        self.spec = spec
        self.tiles = list(tiles)
        self.row = 0
        self.loaded = False
        self.load_step = 0
        self.settling = 0
        self.since_start = spec.add_period  # edges since the last tile started

    def accepts_a(self, is_full: bool, ends: bool) -> bool:
        may_start = self.loaded and self.since_start >= self.spec.add_period
        return (self.row > 0 or may_start) and not (is_full and ends)

    def accepts_b(self, starts: bool) -> int | None:
        """Return the number (from now) of the tile whose weights may come, if any may."""
        if not self.spec.double_buffer:
            return 0 if not self.row and not self.loaded and not self.settling else None
        if starts or self.row:
            is_free = starts or not self.loaded
            return 1 if is_free and len(self.tiles) > 1 else None
        return None if self.loaded else 0

    def clock(self, *, takes_a: bool, takes_b: bool) -> None:
        """Take one edge."""
        starts = takes_a and self.row == 0
        self.since_start = 1 if starts else self.since_start + 1
        self.settling = max(0, self.settling - 1)
        self.loaded = self.loaded and not starts
        if takes_b:
            self.load_step = (self.load_step + 1) % self.spec.rows
            self.loaded = self.loaded or self.load_step == 0
        if takes_a:
            self.row += 1
            if self.row == self.tiles[0].rows:
                self.tiles, self.row = self.tiles[1:], 0
                # Until the last PE has taken its last product.
                self.settling = self.spec.rows + self.spec.cols - 2


@run.register
def _(
    spec: SystolicWsSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    tiles = [
        _Tile(column, row, min(spec.acc_depth, m - row), depth)
        for column in range(0, n, spec.cols)
        for row in range(0, m, spec.acc_depth)
        for depth in range(0, k, spec.rows)
    ]
    array, edge, control = _Array(spec), _Edge(spec), _Control(spec, tiles)
    rows_out: list[list[int]] = []
    clock = 1  # edge 1 accepts cmd
    while control.tiles or not edge.is_empty:
        clock += 1
        inputs, tag = _Inputs(a=(0,) * spec.rows), None
        if control.tiles:
            inputs, tag = _accept(control, edge.is_full, a, b)
            control.clock(takes_a=tag is not None, takes_b=inputs.b is not None)
        delivered = edge.clock(tag, array)
        if delivered is not None:
            rows_out.append(delivered)
        array.clock(inputs)
    acc = np.zeros((m, n), np.int64)
    for number, row in enumerate(rows_out):
        column = number // m * spec.cols
        acc[number % m, column : column + spec.cols] = row[: min(spec.cols, n - column)]
    return acc, clock


def _accept(
    control: _Control, is_full: bool, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[_Inputs, _Row | None]:
    """Return what the coming edge accepts."""
    spec, tile = control.spec, control.tiles[0]
    inputs, tag = _Inputs(a=(0,) * spec.rows), None
    row = _Row(control.row, adds=tile.k > 0, ends=tile.k + spec.rows >= a.shape[1])
    if control.accepts_a(is_full, row.ends):
        lanes = range(tile.k, tile.k + spec.rows)
        inputs = inputs._replace(
            a=tuple(_element(a, tile.first_row + control.row, lane) for lane in lanes),
            swap=control.row == 0,
        )
        tag = row
    loading = control.accepts_b(inputs.swap)
    if loading is not None:
        tile = control.tiles[loading]
        reach = spec.rows - control.load_step
        lanes = range(tile.column, tile.column + spec.cols)
        weights = tuple(_element(b, tile.k + reach - 1, lane) for lane in lanes)
        inputs = inputs._replace(b=weights, reach=reach)
    return inputs, tag


def _element(matrix: NDArray[np.integer], row: int, column: int) -> int:
    is_inside = row < matrix.shape[0] and column < matrix.shape[1]
    return int(matrix[row, column]) if is_inside else 0

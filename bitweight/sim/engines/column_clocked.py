"""The column engine clock by clock: buffers, lists of digits, hopping PEs, adders and drain.

Every ``clock`` reads registers as they were before the edge and stores what they hold after it. No
count of digits and no formula of ``sim.engines.column`` is used here: this is what checks them.

RTL twin: ``rtl.engines.column``.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.pe.digit import GROUP, Lane, State, advance, idle, pass_sum
from bitweight.sim.pe.step import wrap
from bitweight.sim.results import check_depth, clamp


class _Tile(NamedTuple):
    """A row tile of a fold."""

    rows: range  # of C
    columns: range  # of C
    depth: range  # of k
    b_tile: int  # number of its b tile
    slot: int  # place of its rows in the block of sums
    result: int  # number of row tiles before it that deliver results
    is_first_row: bool
    is_last_row: bool
    is_first_fold: bool
    is_last_fold: bool


def _walk(spec: ColumnSpec, m: int, n: int, k: int) -> Iterator[_Tile]:
    b_tile, result = -1, 0
    for start in range(0, m, spec.acc_depth):
        rows = range(start, min(m, start + spec.acc_depth))
        for column in range(0, n, spec.pes):
            for fold in range(0, k, spec.k_depth):
                b_tile += 1
                for slot, row in enumerate(rows[:: spec.columns]):
                    stop = min(rows.stop, row + spec.columns)
                    yield _Tile(
                        rows=range(row, stop),
                        columns=range(column, min(n, column + spec.pes)),
                        depth=range(fold, min(k, fold + spec.k_depth)),
                        b_tile=b_tile,
                        slot=slot,
                        result=result,
                        is_first_row=slot == 0,
                        is_last_row=stop == rows.stop,
                        is_first_fold=fold == 0,
                        is_last_fold=fold + spec.k_depth >= k,
                    )
                    result += fold + spec.k_depth >= k


class _Place(NamedTuple):
    """A group of digits that a lane lists; a lane without groups has an empty one."""

    tile: int
    digit: int
    group: range  # of k
    is_last: bool


class _Digit(NamedTuple):
    """A digit on its way to the PEs, and where its b stands."""

    half: int
    place: int
    value: int


class _Lane:
    """One list of digits: the group that is issued now, and the next one, fetched."""

    def __init__(self, spec: ColumnSpec, tiles: list[_Tile], number: int) -> None:
        self.tiles, self.buffers = tiles, 1 + spec.double_buffer
        self.places = self._all_places(spec, tiles, number)
        self.coming: _Place | None = next(self.places)
        self.fetched: _Place | None = None
        self.listed: list[_Digit] = []
        self.is_last = True

    @staticmethod
    def _all_places(spec: ColumnSpec, tiles: list[_Tile], number: int) -> Iterator[_Place]:
        for index, tile in enumerate(tiles):
            firsts = tile.depth[number * GROUP :: spec.pe.lanes * GROUP]
            stop = tile.depth.stop
            groups = [range(first, min(first + GROUP, stop)) for first in firsts] or [range(0)]
            for digit in range(spec.pe.digits):
                for group in groups:
                    yield _Place(index, digit, group, group == groups[-1])

    @property
    def ends_group(self) -> bool:
        return len(self.listed) <= 1

    def clock(self, *, takes_next: bool, row: list[tuple[int, ...]] | None, loaded: int) -> None:
        self.listed = self.listed[1:]
        if takes_next:
            assert self.fetched is not None, "a pass has bubbles inside"
            place, tile = self.fetched, self.tiles[self.fetched.tile]
            half, base = tile.b_tile % self.buffers, tile.depth.start
            self.listed = [
                _Digit(half, k - base, row[k][place.digit])
                for k in place.group
                if row is not None and row[k][place.digit]
            ]
            self.is_last = place.is_last
            self.fetched = None
        if self.fetched is None and self.coming is not None and self.coming.tile < loaded:
            self.fetched, self.coming = self.coming, next(self.places, None)


class _Pass(NamedTuple):
    """A pass whose pairs are read."""

    tile: _Tile
    digit: int
    clocks: int


class _Column:
    """Lanes, PEs and the adder of one column."""

    def __init__(self, spec: ColumnSpec, tiles: list[_Tile], number: int) -> None:
        self.spec, self.tiles, self.number = spec, tiles, number
        self.lanes = [_Lane(spec, tiles, lane) for lane in range(spec.pe.lanes)]
        self.tile: int | None = None
        self.digit = 0
        self.issued = 0  # in this pass
        self.clocks = 0  # since the pass before ended
        depth = spec.pes + 4
        # What left the lists 1, 2, ... clocks ago; a reset pulse has ended a pass of no digits.
        nothing: list[_Digit | None] = [None] * spec.pe.lanes
        self.sent = [nothing] * depth
        self.ended: list[_Pass | bool] = [True, *[False] * (depth - 1)]
        self.read_b = [(0,) * spec.pe.lanes] * spec.pes
        self.pes: list[State] = [idle(spec.pe)] * spec.pes
        self.stages: list[tuple[_Pass, int, int] | None] = [None] * 3
        self.sums: dict[tuple[int, int], int] = {}
        self.results: dict[tuple[int, int], int] = {}
        self.complete = 0

    @property
    def ends_pass(self) -> bool:
        is_listed = all(lane.is_last and lane.ends_group for lane in self.lanes)
        return self.tile is not None and is_listed and self.issued + 1 >= self.spec.min_pass

    @property
    def ends_tile(self) -> bool:
        return self.tile is None or (self.ends_pass and self.digit == self.spec.pe.digits - 1)

    def is_fetched(self, tile: int) -> bool:
        return all(lane.fetched is not None and lane.fetched.tile == tile for lane in self.lanes)

    def clock(
        self,
        rows: list[list[tuple[int, ...]]],
        halves: list[list[list[int]]],
        loaded: int,
        start: int | None,
    ) -> None:
        """Clock the column.

        Args:
            rows: Digits of ``a``.
            halves: The b tiles in the engine, by k and n of the tile.
            loaded: Row tiles that have been loaded.
            start: The row tile that starts now.
        """
        self._clock_adder()
        self._clock_pes(halves)
        ends_pass, ends_tile = self.ends_pass, self.ends_tile
        digits = [lane.listed[0] if lane.listed else None for lane in self.lanes]
        ended: _Pass | bool = False
        if ends_pass:
            assert self.tile is not None, "only a tile has passes"
            ended = _Pass(self.tiles[self.tile], self.digit, self.clocks + 1)
        self.sent = [digits, *self.sent[:-1]]
        self.ended = [ended, *self.ended[:-1]]
        self.clocks = 0 if ended else self.clocks + 1
        self.issued = 0 if ends_pass or start is not None else self.issued + 1
        if start is not None:
            self.tile, self.digit = start, 0
        elif ends_tile:
            self.tile = None
        elif ends_pass:
            self.digit += 1
        starts_pass = start is not None or (ends_pass and not ends_tile)
        for lane in self.lanes:
            goes_on = self.tile is not None and lane.ends_group and not lane.is_last
            row = None
            if lane.fetched is not None and self.number < len(self.tiles[lane.fetched.tile].rows):
                row = rows[self.tiles[lane.fetched.tile].rows[self.number]]
            lane.clock(takes_next=starts_pass or goes_on, row=row, loaded=loaded)

    def _clock_pes(self, halves: list[list[list[int]]]) -> None:
        # PE p: its b is read p + 1 clocks after the digit was listed, taken one later, and the tag
        # of a pass's end follows one more later.
        before = self.read_b
        self.read_b = [
            tuple(0 if d is None else halves[d.half][d.place][pe] for d in self.sent[pe])
            for pe in range(self.spec.pes)
        ]
        self.pes = [
            advance(
                self.spec.pe,
                state,
                tuple(
                    Lane(value, 0 if digit is None else digit.value)
                    for value, digit in zip(before[pe], self.sent[pe + 1], strict=True)
                ),
                ended=bool(self.ended[pe + 2]),
            )
            for pe, state in enumerate(self.pes)
        ]

    def _clock_adder(self) -> None:
        """Read at most one PE; three clocks later its sum is written."""
        *_, adding, writing = self.stages
        self._write(writing)
        if adding is not None:
            adding = (adding[0], adding[1], self._added(*adding))
        reading = None
        for pe in range(self.spec.pes):
            ended = self.ended[pe + 3]
            if isinstance(ended, _Pass):
                assert reading is None, "two PEs of a column are read in the same clock"
                reading = (ended, pe, pass_sum(self.spec.pe, self.pes[pe], ended.clocks))
        self.stages = [reading, self.stages[0], adding]

    def _added(self, done: _Pass, pe: int, value: int) -> int:
        fresh = done.tile.is_first_fold and done.digit == 0
        held = 0 if fresh else self.sums[done.tile.slot, pe]
        return wrap(held + (value << self.spec.pe.step * done.digit), self.spec.pe.acc_width)

    def _write(self, writing: tuple[_Pass, int, int] | None) -> None:
        if writing is None:
            return
        done, pe, value = writing
        self.sums[done.tile.slot, pe] = value
        is_final = done.tile.is_last_fold and done.digit == self.spec.pe.digits - 1
        if is_final and self.number < len(done.tile.rows):
            self.results[done.tile.result % self.spec.c_depth, pe] = value
            self.complete += pe == self.spec.pes - 1


class _Loader:
    """Takes the beats of one stream into two buffers (or one)."""

    def __init__(self, lengths: list[int], buffers: int) -> None:
        self.lengths, self.buffers = lengths, buffers
        self.loaded = self.freed = self.beats = 0

    def clock(self, frees: bool) -> tuple[int, int] | None:
        """Take a beat if there is room; return its tile and its number in the tile."""
        taken = None
        if self.loaded < len(self.lengths) and self.loaded - self.freed < self.buffers:
            taken = self.loaded, self.beats
            self.beats += 1
            if self.beats == self.lengths[self.loaded]:
                self.loaded, self.beats = self.loaded + 1, 0
        self.freed += frees
        return taken


class _Engine:
    """Loaders, columns and drain."""

    def __init__(self, spec: ColumnSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> None:
        self.spec, self.b = spec, b
        (m, k), n = a.shape, b.shape[1]
        self.tiles = list(_walk(spec, m, n, k))
        code = spec.pe.code
        self.rows = [[code.digits(value, spec.pe.a) for value in row] for row in a.tolist()]
        self.columns = [_Column(spec, self.tiles, number) for number in range(spec.columns)]
        self.b_tiles = [tile for tile in self.tiles if tile.is_first_row]
        groups = [-(-len(tile.depth) // GROUP) for tile in self.tiles]
        self.a_loader = _Loader(groups, 2)
        self.b_loader = _Loader(
            [len(tile.depth) for tile in self.b_tiles], 2 if spec.double_buffer else 1
        )
        depth = spec.k_depth
        self.halves = [[[0] * spec.pes for _ in range(depth)] for _ in range(2)]
        self.next_tile = 0
        self.is_running = False
        self.b_wait = 0
        self.drained = 0  # row tiles
        self.results = self._all_results()
        self.coming = next(self.results, None)
        self.out: tuple[int, int, int] | None = None

    def _all_results(self) -> Iterator[tuple[int, int, int, _Tile]]:
        for tile in self.tiles:
            for number, row in enumerate(tile.rows if tile.is_last_fold else ()):
                for column in tile.columns:
                    yield number, row, column, tile

    def clock(self) -> tuple[int, int, int] | None:
        """Clock the engine; return the output that is delivered on this edge."""
        ends = self.is_running and all(column.ends_tile for column in self.columns)
        start = self._startable(ends)
        delivered, self.out = self.out, self._read_result()
        ends_b_tile = ends and self.tiles[self.next_tile - 1].is_last_row
        for column in self.columns:
            column.clock(self.rows, self.halves, self.a_loader.loaded, start)
        self.a_loader.clock(ends)
        self._store(self.b_loader.clock(self.b_wait == 1))
        self.b_wait = self.spec.pes if ends_b_tile else max(0, self.b_wait - 1)
        self.is_running = start is not None or (self.is_running and not ends)
        if start is not None:
            self.next_tile = start + 1
        return delivered

    def _startable(self, ends: bool) -> int | None:
        if self.next_tile == len(self.tiles) or (self.is_running and not ends):
            return None
        tile = self.tiles[self.next_tile]
        has_b = tile.b_tile < self.b_loader.loaded
        has_room = not tile.is_last_fold or tile.result - self.drained < self.spec.c_depth
        is_fetched = all(column.is_fetched(self.next_tile) for column in self.columns)
        return self.next_tile if has_b and has_room and is_fetched else None

    def _store(self, taken: tuple[int, int] | None) -> None:
        if taken is None:
            return
        tile = self.b_tiles[taken[0]]
        words = [int(value) for value in self.b[tile.depth[taken[1]], tile.columns]]
        half = self.halves[taken[0] % self.b_loader.buffers]
        half[taken[1]] = words + [0] * (self.spec.pes - len(words))

    def _read_result(self) -> tuple[int, int, int] | None:
        """Read the next output out of C, if its row is complete."""
        if self.coming is None:
            return None
        number, row, column, tile = self.coming
        source = self.columns[number]
        if not source.complete:
            return None
        place = (tile.result % self.spec.c_depth, column - tile.columns.start)
        value = clamp(source.results[place], self.spec.saturate_to)
        self.coming = next(self.results, None)
        source.complete -= column == tile.columns[-1]
        self.drained += self.coming is None or self.coming[3] is not tile
        return row, column, value


@run.register
def _(
    spec: ColumnSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    check_depth(spec, k)
    engine = _Engine(spec, a, b)
    acc = np.zeros((m, n), np.int64)
    edge, left = 1, m * n  # edge 1 accepts cmd
    while left:
        edge += 1
        delivered = engine.clock()
        if delivered is not None:
            row, column, value = delivered
            acc[row, column] = value
            left -= 1
    return acc, edge

"""Fold control and accumulator memories clock by clock, for engines that keep weights.

Every ``clock`` method reads registers as they were before the edge and stores what they hold after
it. No formula of ``sim.k_folds`` is used here: this is what checks them.

RTL twins: ``rtl.fold_control``, ``rtl.k_accumulator``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bitweight.sim.k_folds import FoldedSpec


class Fold(NamedTuple):
    """One fold: its rows of a and its place in b."""

    row: int
    rows: int
    lane: int
    column: int
    fresh: bool
    last: bool


class Tag(NamedTuple):
    """What travels behind a row towards the memories; a bubble is all false."""

    valid: bool = False
    first: bool = False  # of a fold
    fresh: bool = False  # in a chunk's first fold: nothing to add to
    end: bool = False  # a chunk's last row, in its last fold


def folds(spec: FoldedSpec, *, m: int, n: int, k: int) -> list[Fold]:
    """Return the folds of a GEMM in order."""
    return [
        Fold(
            row=row,
            rows=min(spec.acc_depth, m - row),
            lane=lane,
            column=column,
            fresh=lane == 0,
            last=lane + spec.lanes >= k,
        )
        for column in range(0, n, spec.columns)
        for row in range(0, m, spec.acc_depth)
        for lane in range(0, k, spec.lanes)
    ]


class Accumulator:
    """Memories behind the columns, and the way out."""

    def __init__(self, spec: FoldedSpec) -> None:
        self.spec = spec
        self.memories = [[0] * spec.acc_depth for _ in range(spec.columns)]
        # Tags and addresses travel along the columns; stage j is what column j reads with.
        self.stages: list[tuple[Tag, int]] = [(Tag(), 0)] * (spec.columns + 1)
        self.old = [0] * spec.columns
        self.reading = False
        self.read = self.rows_left = 0
        self.out: list[int] | None = None

    def clock(self, tag: Tag, sums: Sequence[int], started_rows: int) -> list[int] | None:
        """Advance by one edge.

        Args:
            tag: Of the row whose sum column 0 writes on the edge after this one.
            sums: Per column the sum in its register.
            started_rows: Rows of the chunk whose last fold starts on this edge, or 0.

        Returns:
            The row delivered on this edge.
        """
        delivered, self.out = self.out, None
        self.rows_left -= delivered is not None
        if self.reading and self.rows_left:
            self.out = [memory[self.read] for memory in self.memories]
            self.read += 1
        for j, memory in enumerate(self.memories):
            written, address = self.stages[j + 1]
            if written.valid:
                memory[address] = sums[j] + (0 if written.fresh else self.old[j])
        for j, memory in enumerate(self.memories):
            reader, address = self.stages[j]
            if reader.valid and not reader.fresh:
                assert self.out is None, "a memory is read twice in one clock"
                written, busy_address = self.stages[j + 1]
                assert not (written.valid and busy_address == address), "a sum is read too early"
                self.old[j] = memory[address]
        self.reading = self.reading or self.stages[-1][0].end
        address = 0 if tag.first else self.stages[0][1] + tag.valid
        self.stages = [(tag, address), *self.stages[:-1]]
        if started_rows:
            assert self.rows_left == 0, "a chunk starts before the one before has left"
            self.rows_left, self.read, self.reading = started_rows, 0, False
        return delivered

    @property
    def is_busy(self) -> bool:
        """A chunk has not left yet."""
        return self.rows_left > 0


class Control:
    """Loads folds and lets rows in."""

    def __init__(self, spec: FoldedSpec, todo: list[Fold]) -> None:
        self.spec = spec
        self.todo = todo
        self.loaded_columns = 0
        self.fold: Fold | None = None
        self.row = 0

    def clock(self, accumulator: Accumulator) -> tuple[int | None, Fold | None, int | None]:
        """Advance by one edge with every input valid.

        Returns:
            The column of the next fold that is loaded, the fold that starts, and the row of the
            current fold that is accepted, each None if there is none.
        """
        spec = self.spec
        is_idle = self.fold is None or self.row == self.fold.rows
        overtakes = bool(self.todo) and self.todo[0].fresh and not self.todo[0].last
        has_room = not accumulator.is_busy or (overtakes and accumulator.read > 0)
        is_loaded = self.loaded_columns == spec.columns
        starts = bool(self.todo) and is_loaded and is_idle and has_room
        started = None
        if starts:
            started, self.fold, self.row = self.todo[0], self.todo[0], 0
        row = self._row(accumulator, starts)
        column = None
        if spec.double_buffer:
            following = self.todo[1:] if starts else self.todo
            loads = bool(following) and (starts or not is_loaded)
        else:
            loads = bool(self.todo) and not is_loaded and is_idle
        if starts:
            self.todo, self.loaded_columns = self.todo[1:], 0
        if loads:
            column = self.loaded_columns
            self.loaded_columns += 1
        return column, started, row

    def _row(self, accumulator: Accumulator, starts: bool) -> int | None:
        fold = self.fold
        if fold is None or self.row == fold.rows:
            return None
        overtakes = fold.fresh and not fold.last and accumulator.is_busy
        if overtakes and not starts and self.row >= accumulator.read:
            return None
        self.row += 1
        return self.row - 1

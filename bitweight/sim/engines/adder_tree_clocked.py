"""The multiplier-adder tree clock by clock: control, columns and memories as registers.

Every ``clock`` method reads registers as they were before the edge and stores what they hold after
it. No formula of ``sim.k_folds`` or ``sim.engines.adder_tree`` is used but the tree's register
levels; a column's words are integers here, in the place of the RTL's compressed pairs.

RTL twin: ``rtl.engines.adder_tree``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.k_folds_clocked import Accumulator, Control, Fold, Tag, folds
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec
from bitweight.sim.pe.step import wrap
from bitweight.sim.recoding import RECODINGS
from bitweight.sim.results import clamp


class _Column:
    """One column: weights, the row passing through, and the stages of its tree."""

    def __init__(self, spec: AdderTreeSpec) -> None:
        self.spec = spec
        zeros = (0,) * spec.lanes
        self.row: tuple[int, ...] = zeros
        self.loaded = self.weights = zeros
        # Sums on their way through the registers of products and tree.
        self.stages = [0] * (spec.pe.pipelined + spec.registers)
        self.swaps = False

    def clock(self, row: tuple[int, ...], load: tuple[int, ...] | None, swap: bool) -> None:
        self.stages = [self._dot(), *self.stages[:-1]]
        if self.spec.double_buffer:
            if swap:
                self.weights = self.loaded
            if load is not None:
                self.loaded = load
        elif load is not None:
            self.weights = load
        self.row, self.swaps = row, swap

    def _dot(self) -> int:
        pe = self.spec.pe
        if not isinstance(pe, SameWeightTreeSpec):
            return sum(x * y for x, y in zip(self.row, self.weights, strict=True))
        digits = [RECODINGS[pe.recoding].digits(value, pe.a) for value in self.row]
        total = 0
        for place in range(pe.digits):
            same = sum(d[place] * y for d, y in zip(digits, self.weights, strict=True))
            total += same << (pe.products.step * place)
        return total


class _Columns:
    """All columns and what stands ahead of them."""

    def __init__(self, spec: AdderTreeSpec) -> None:
        self.columns = [_Column(spec) for _ in range(spec.columns)]
        idle = ((0,) * spec.lanes, None, False)
        self.front: list[tuple[tuple[int, ...], tuple[int, tuple[int, ...]] | None, bool]]
        self.front = [idle] * spec.front_latency

    @property
    def sums(self) -> list[int]:
        return [column.stages[-1] for column in self.columns]

    def clock(
        self, row: tuple[int, ...], load: tuple[int, tuple[int, ...]] | None, swap: bool
    ) -> None:
        entering = (row, load, swap)
        if self.front:
            entering, self.front = self.front[-1], [entering, *self.front[:-1]]
        row, load, swap = entering
        for j, column in enumerate(self.columns):
            next_row, next_swap = column.row, column.swaps
            column.clock(row, load[1] if load is not None and load[0] == j else None, swap)
            row, swap = next_row, next_swap


@run.register
def _(
    spec: AdderTreeSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    todo = folds(spec, m=m, n=n, k=k)
    places = [(fold.row + i, fold.column) for fold in todo if fold.last for i in range(fold.rows)]
    loads = [fold for fold in todo for _ in range(spec.columns)]
    control, columns, accumulator = Control(spec, todo), _Columns(spec), Accumulator(spec)
    behind = [Tag()] * (spec.depth - 2)
    acc = np.zeros((m, n), np.int64)
    edge = 1  # accepts cmd
    while places:
        edge += 1
        column, started, row = control.clock(accumulator)
        load = None
        if column is not None:
            load = (column, _weights(spec, b, loads.pop(0), column))
        fold = control.fold
        tag, values = Tag(), (0,) * spec.lanes
        if row is not None and fold is not None:
            is_end = fold.last and row == fold.rows - 1
            tag = Tag(valid=True, first=row == 0, fresh=fold.fresh, end=is_end)
            values = _lanes(spec, a[fold.row + row], fold.lane)
        behind = [tag, *behind]
        chunk_rows = started.rows if started is not None and started.last else 0
        delivered = accumulator.clock(behind.pop(), columns.sums, chunk_rows)
        columns.clock(values, load, started is not None)
        if delivered is not None:
            i, j = places.pop(0)
            acc[i, j : j + spec.columns] = _results(spec, delivered)[: n - j]
    return acc, edge


def _weights(
    spec: AdderTreeSpec, b: NDArray[np.integer], fold: Fold, column: int
) -> tuple[int, ...]:
    at = fold.column + column
    return _lanes(spec, b[:, at] if at < b.shape[1] else b[:0, 0], fold.lane)


def _lanes(spec: AdderTreeSpec, values: NDArray[np.integer], start: int) -> tuple[int, ...]:
    taken = [int(value) for value in values[start : start + spec.lanes]]
    return (*taken, *[0] * (spec.lanes - len(taken)))


def _results(spec: AdderTreeSpec, sums: Sequence[int]) -> list[int]:
    return [clamp(wrap(total, spec.pe.acc_width), spec.saturate_to) for total in sums]

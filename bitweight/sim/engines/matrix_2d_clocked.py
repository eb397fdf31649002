"""The broadcast matrix clock by clock: edge registers, PEs, control and drain.

Every ``clock`` method reads registers as they were before the edge and stores what they hold after
it. No formula of ``sim.engines.matrix_2d`` is used here: this is what checks them. A same-weight PE
is its value here, an integer that wraps, in the place of the RTL's pair.

RTL twin: ``rtl.engines.matrix_2d``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.pe.step import initial_state, resolve, step, wrap
from bitweight.sim.recoding import RECODINGS
from bitweight.sim.results import clamp


class _Beat(NamedTuple):
    """What enters the array in one clock, per row and per column; a bubble is all zeros."""

    a: list[list[int]]
    b: list[list[int]]
    clear: bool = False
    digit: int = 0
    shift: bool = False


class _Array:
    """Registers at the edge and PEs."""

    def __init__(self, spec: Matrix2dSpec) -> None:
        self.spec = spec
        first = initial_state(spec.pe) if isinstance(spec.pe, MacSpec) else 0
        self.pes: list[list[Any]] = [[first] * spec.cols for _ in range(spec.rows)]
        bubble = _Beat([[0]] * spec.rows, [[0]] * spec.cols)
        # Registers at the edge, then those behind the recoders, if there are any.
        self.stages = [bubble] * (2 if isinstance(spec.pe, SameWeightMacSpec) else 1)

    def clock(self, beat: _Beat) -> None:
        met = self.stages[-1]
        self.pes = [
            [self._clock_pe(self.pes[i][j], met, met.a[i], met.b[j]) for j in range(self.spec.cols)]
            for i in range(self.spec.rows)
        ]
        self.stages = [beat, *self.stages[:-1]]

    def _clock_pe(self, state: Any, beat: _Beat, a: list[int], b: list[int]) -> Any:
        pe = self.spec.pe
        if isinstance(pe, MacSpec):
            return step(pe, state, a[0], b[0], clear=beat.clear)
        if not pe.temporal:
            dot = sum(x * y for x, y in zip(a, b, strict=True))
            return (0 if beat.clear else state) + dot
        recoding = RECODINGS[pe.recoding]
        same = sum(recoding.digits(x, pe.a)[beat.digit] * y for x, y in zip(a, b, strict=True))
        if beat.clear:
            return same
        return (state * recoding.radix if beat.shift else state) + same

    def value(self, i: int, j: int) -> int:
        pe, state = self.spec.pe, self.pes[i][j]
        total = resolve(pe, state) if isinstance(pe, MacSpec) else wrap(state, pe.acc_width)
        return clamp(total, self.spec.saturate_to)


class _Drain:
    """Reads the rows of a complete tile one by one."""

    def __init__(self, spec: Matrix2dSpec) -> None:
        self.spec = spec
        self.wait = self.rows_left = self.row = 0
        # Rows on their way out: one register, and for a redundant pair one more after the adder.
        self.stages: list[list[int] | None] = [None] * (1 + spec.pe.resolve_latency)

    def start(self, rows: int) -> None:
        extra = 1 if isinstance(self.spec.pe, SameWeightMacSpec) else 0
        self.wait, self.rows_left, self.row = self.spec.pe.latency + extra, rows, 0

    def clock(self, array: _Array) -> list[int] | None:
        delivered, read = self.stages[-1], None
        if self.rows_left and self.wait == 0:
            read = [array.value(self.row, j) for j in range(self.spec.cols)]
            self.row, self.rows_left = self.row + 1, self.rows_left - 1
        self.wait = max(0, self.wait - 1)
        self.stages = [read, *self.stages[:-1]]
        return delivered


@run.register
def _(
    spec: Matrix2dSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, _ = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    tiles = [(i, j) for i in range(0, m, spec.rows) for j in range(0, n, spec.cols)]
    places = [(r, j) for i, j in tiles for r in range(i, min(i + spec.rows, m))]
    array, drain = _Array(spec), _Drain(spec)
    acc = np.zeros((m, n), np.int64)
    edge = 1  # accepts cmd
    todo: list[_Beat] = []
    while places:
        edge += 1
        ended = 0
        beat = _Beat([[0] * spec.k_lanes] * spec.rows, [[0] * spec.k_lanes] * spec.cols)
        if not todo and tiles and drain.rows_left == 0:
            todo = _tile(spec, a, b, tiles[0])
        if todo:
            beat = todo.pop(0)
            if not todo:
                ended = min(spec.rows, m - tiles.pop(0)[0])
        delivered = drain.clock(array)
        array.clock(beat)
        if ended:
            drain.start(ended)
        if delivered is not None:
            i, j = places.pop(0)
            acc[i, j : j + spec.cols] = delivered[: n - j]
    return acc, edge


def _tile(
    spec: Matrix2dSpec, a: NDArray[np.integer], b: NDArray[np.integer], tile: tuple[int, int]
) -> list[_Beat]:
    """Return the beats of a tile: a pass for each digit if bw is temporal, else one."""
    i, j = tile
    pe, k = spec.pe, a.shape[1]
    digits = [0]
    if isinstance(pe, SameWeightMacSpec) and pe.temporal:
        digits = list(reversed(range(RECODINGS[pe.recoding].digit_count(pe.a))))
    return [
        _Beat(
            a=[
                _lanes(spec, a[row] if row < len(a) else a[0, :0], at)
                for row in _places(i, spec.rows)
            ],
            b=[
                _lanes(spec, b[:, col] if col < b.shape[1] else b[:0, 0], at)
                for col in _places(j, spec.cols)
            ],
            clear=digit == digits[0] and at == 0,
            digit=digit,
            shift=at == 0,
        )
        for digit in digits
        for at in range(0, k, spec.k_lanes)
    ]


def _places(start: int, count: int) -> range:
    return range(start, start + count)


def _lanes(spec: Matrix2dSpec, values: NDArray[np.integer], start: int) -> list[int]:
    taken = [int(value) for value in values[start : start + spec.k_lanes]]
    return [*taken, *[0] * (spec.k_lanes - len(taken))]

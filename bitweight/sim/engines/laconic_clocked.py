"""The Laconic engine clock by clock: digit lists, lanes that walk them, PEs and drain.

No formula of ``sim.engines.laconic`` is used here: this is what checks them.

RTL twin: ``rtl.engines.laconic``.
"""

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.bit_slice_drain_clocked import RowDrain
from bitweight.sim.engines.bit_slice_tiles import GroupBeat, assemble, group_beats
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.pe.laconic import State, Term, step_terms, terms
from bitweight.sim.pe.step import resolve
from bitweight.sim.results import clamp

Lists = list[list[Term]]


class _Lane:
    """One lane of all PEs: the digits still to be taken, per row and per column."""

    def __init__(self, a: Lists, b: Lists) -> None:
        self.a, self.b, self.b_whole = a, b, b

    @property
    def is_over(self) -> bool:
        """Whether the coming edge takes the last pair, or none is left."""
        if not any(self.a) or not any(self.b):
            return True
        return all(len(digits) <= 1 for digits in (*self.a, *self.b))

    @property
    def pair(self) -> tuple[list[Term | None], list[Term | None]]:
        """The current digit of each row and of each column."""
        firsts = [[digits[0] if digits else None for digits in side] for side in (self.a, self.b)]
        return firsts[0], firsts[1]

    def clock(self) -> None:
        if any(len(digits) > 1 for digits in self.b):
            self.b = [digits[1:] for digits in self.b]
        else:
            self.b = self.b_whole
            self.a = [digits[1:] for digits in self.a]


Terms = list[tuple[list[Term | None], list[Term | None]]]


class _Engine:
    """Registers of the engine, with streams that never stall."""

    def __init__(self, spec: LaconicSpec, beats: list[GroupBeat]) -> None:
        self.spec = spec
        self.beats = beats
        self.held: GroupBeat | None = None
        self.lanes: list[_Lane] = []
        idle: Term | None = None
        self.terms: Terms = [([idle] * spec.rows, [idle] * spec.cols)] * spec.pe.lanes
        # What belongs to the digits in ``terms``, and to the PEs' totals.
        self.is_first, self.terms_first, self.totals_first = False, False, False
        self.terms_rows = self.totals_rows = 0
        self.pes = [[State() for _ in range(spec.cols)] for _ in range(spec.rows)]
        self.drain = RowDrain(self._read)

    def _read(self, row: int) -> list[int]:
        pe, limit = self.spec.pe, self.spec.saturate_to
        return [clamp(resolve(pe, state), limit) for state in self.pes[row]]

    def _accepts(self, ends: bool) -> bool:
        """Whether the coming edge accepts a beat."""
        if not self.beats or not (self.held is None or ends):
            return False
        if not self.beats[0].first:
            return True
        is_passing = self.held is not None or self.terms_rows or self.totals_rows
        return not is_passing and self.drain.ends_by_next_edge

    def clock(self) -> list[int] | None:
        """Advance by one edge; return the row that it delivers."""
        held = self.held
        ends = held is not None and all(lane.is_over for lane in self.lanes)
        accepts = self._accepts(ends)
        delivered = self.drain.clock()
        self._clock_pes()
        if self.totals_rows:
            self.drain.start(self.totals_rows)
        self.totals_first, self.terms_first = self.terms_first, self.is_first
        self.totals_rows = self.terms_rows
        self.terms_rows = held.last_rows if held is not None and ends else 0
        nothing: Terms = [([None] * self.spec.rows, [None] * self.spec.cols)] * self.spec.pe.lanes
        self.terms = [lane.pair for lane in self.lanes] if held is not None else nothing
        for lane in self.lanes:
            lane.clock()
        self.is_first = False
        if held is None or ends:
            self.held = None
        if accepts:
            self._accept(self.beats.pop(0))
        return delivered

    def _accept(self, beat: GroupBeat) -> None:
        pe = self.spec.pe
        self.held, self.is_first = beat, beat.first
        self.lanes = [
            _Lane(
                [terms(row[lane], pe.a, pe.recoding) for row in beat.a],
                [terms(column[lane], pe.b, pe.recoding) for column in beat.b],
            )
            for lane in range(pe.lanes)
        ]

    def _clock_pes(self) -> None:
        for i, row in enumerate(self.pes):
            a = [digits[i] for digits, _ in self.terms]
            self.pes[i] = [
                step_terms(
                    self.spec.pe,
                    state,
                    a,
                    [digits[j] for _, digits in self.terms],
                    restart=self.totals_first,
                )
                for j, state in enumerate(row)
            ]


@run.register
def _(
    spec: LaconicSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, _ = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    engine = _Engine(spec, list(group_beats(spec, a, b)))
    wanted = -(-n // spec.cols) * m
    rows_out: list[list[int]] = []
    edge = 1  # the one that accepts the command
    while len(rows_out) < wanted:
        edge += 1
        delivered = engine.clock()
        if delivered is not None:
            rows_out.append(delivered)
    return assemble(spec, rows_out, m, n), edge

"""The bit-serial engine clock by clock: operand register, PEs, control and drain.

No formula of ``sim.engines.bit_serial`` is used here: this is what checks them.

RTL twin: ``rtl.engines.bit_serial``.
"""

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.bit_slice_drain_clocked import RowDrain
from bitweight.sim.engines.bit_slice_tiles import GroupBeat, assemble, group_beats
from bitweight.sim.pe.bit_serial import Control, State, step_bits
from bitweight.sim.pe.step import resolve
from bitweight.sim.results import clamp


class _Engine:
    """Registers of the engine; streams never stall here, so no group is computed twice."""

    def __init__(self, spec: BitSerialSpec, beats: list[GroupBeat]) -> None:
        self.spec = spec
        self.beats = beats
        self.held: GroupBeat | None = None
        self.phase = 0
        self.done: GroupBeat | None = None
        self.pes = [[State() for _ in range(spec.cols)] for _ in range(spec.rows)]
        self.drain = RowDrain(self._read)

    def _read(self, row: int) -> list[int]:
        pe, limit = self.spec.pe, self.spec.saturate_to
        return [clamp(resolve(pe, state), limit) for state in self.pes[row]]

    @property
    def _starts(self) -> bool:
        """Whether the held group may take its bits; only a tile's first ever waits."""
        if self.held is None:
            return False
        if self.phase or not self.held.first:
            return True
        # It overwrites acc ``width`` edges after the coming one, and the last row must be read
        # before that. A tile that completes on the coming edge is read from the next one on.
        width = self.spec.pe.a.width
        if self.done is not None and self.done.last_rows:
            return self.done.last_rows < width
        return self.drain.rows_left <= width

    def clock(self) -> list[int] | None:
        """Advance by one edge; return the row that it delivers."""
        width = self.spec.pe.a.width
        takes, held, done = self._starts, self.held, self.done
        ends = takes and self.phase == width - 1
        if ends and held is not None and held.first:
            assert self.drain.ends_by_next_edge, "a tile ends before the last one was read"
        delivered = self.drain.clock()
        self._clock_pes(held, takes, done)
        if done is not None and done.last_rows:
            self.drain.start(done.last_rows)
        self.done = held if ends else None
        if held is None or ends:
            self.held = self.beats.pop(0) if self.beats else None
        self.phase = (self.phase + 1) % width if takes else self.phase
        return delivered

    def _clock_pes(self, held: GroupBeat | None, takes: bool, done: GroupBeat | None) -> None:
        spec = self.spec
        signed, width = spec.pe.a.signed, spec.pe.a.width
        control = Control(
            first=self.phase == 0,
            before_sign=signed and self.phase == width - 2,
            sign=signed and self.phase == width - 1,
            commit=done is not None,
            restart=done is not None and done.first,
        )
        idle = [0] * spec.pe.lanes
        for i, row in enumerate(self.pes):
            taken = held is not None and takes
            bits = [code >> self.phase & 1 for code in held.a[i]] if held and taken else idle
            self.pes[i] = [
                step_bits(spec.pe, state, bits, held.b[j] if held else idle, control)
                for j, state in enumerate(row)
            ]


@run.register
def _(
    spec: BitSerialSpec, a: NDArray[np.integer], b: NDArray[np.integer]
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

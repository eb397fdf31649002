"""The two ways out of the output-stationary array.

``TileDrain`` reads the rows of a finished tile one by one; PEs hold them while bubbles follow. The
broadcast matrix drains through it too.
``ResultBuffer`` catches every PE's sum right after its last product, one row a clock and column,
while the next tile follows; a buffer of one tile waits for the consumer. The cube's face ends its
sums in the same order and drains through it too.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.rtl.result_port import ResultPort
from bitweight.rtl.wires import resolved, result_shape
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec


def _ports(spec: SystolicOsSpec | CubeSpec | Matrix2dSpec) -> dict[str, Any]:
    words = ArrayLayout(spec.pe.acc_width, len(spec.pe.words))
    return {
        "start": In(1),
        "start_rows": In(range(spec.rows + 1)),
        "row": In(ArrayLayout(words, spec.cols)),
        "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
        "blocks_tile": Out(1),
        "blocks_last_beat": Out(1),
        "empty": Out(1),
    }


class TileDrain(wiring.Component):
    """Reads the rows of a complete tile.

    Ports:
        start, start_rows: The tile's last beat enters the array, and how many rows it has.
        select: One bit per row, to the array.
        row: Words of the selected row.
        c: Resolved rows.
        blocks_tile: The next tile must wait.
        blocks_last_beat: Never.
        empty: No result is left, or the last one leaves on this edge.
    """

    def __init__(self, spec: SystolicOsSpec | Matrix2dSpec) -> None:
        self.spec = spec
        super().__init__({**_ports(spec), "select": Out(spec.rows)})

    def elaborate(self, platform: object) -> Module:
        """Build the drain."""
        m = Module()
        m.submodules.port = port = ResultPort(self.spec, self.spec.cols)
        wiring.connect(m, wiring.flipped(self.c), port.c)
        settling = Signal(range(self.spec.read_latency + 1))
        rows_left = Signal(range(self.spec.rows + 1))
        select = Signal(self.spec.rows, init=1)
        m.d.comb += [
            self.select.eq(select),
            self.blocks_tile.eq(rows_left != 0),
            self.empty.eq(~self.blocks_tile & port.empty),
            port.words.eq(self.row),
            port.valid.eq((rows_left != 0) & (settling == 0)),
        ]
        with m.If(self.start):
            m.d.sync += [
                settling.eq(self.spec.read_latency),
                rows_left.eq(self.start_rows),
                select.eq(1),
            ]
        with m.Elif(settling != 0):
            m.d.sync += settling.eq(settling - 1)
        with m.Elif(port.valid & port.ready):
            m.d.sync += [rows_left.eq(rows_left - 1), select.eq(select << 1)]
        return m


class ResultBuffer(wiring.Component):
    """Catches complete sums, column by column, and delivers complete rows.

    Ports:
        start, start_rows: The tile's last beat enters the array, and how many rows it has.
        done: Per column and row: this PE's sum is on ``row`` now.
        row: Per column the words of the PE that is done.
        tile_rows: Rows of the tile that ended last.
        c: Resolved rows.
        blocks_tile: Never.
        blocks_last_beat: A tile waits in the buffer, so the next may not end.
        empty: No result is left.
    """

    def __init__(self, spec: SystolicOsSpec | CubeSpec) -> None:
        self.spec = spec
        self.buffers = [
            Memory(shape=result_shape(spec), depth=spec.rows, init=[]) for _ in range(spec.cols)
        ]
        super().__init__(
            {
                **_ports(spec),
                "done": In(ArrayLayout(spec.rows, spec.cols)),
                "tile_rows": Out(range(spec.rows + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the buffer."""
        m = Module()
        spec = self.spec
        rows_left, written, reading = (
            Signal(range(spec.rows + 1), name=name) for name in ("rows_left", "written", "reading")
        )
        read = Signal()
        m.d.comb += [
            read.eq((reading < written) & (~self.c.valid | self.c.ready)),
            self.blocks_last_beat.eq(rows_left != 0),
            self.empty.eq(rows_left == 0),
        ]
        for j in range(spec.cols):
            caught = self._catch(m, j)
            port = self.buffers[j].read_port()
            m.d.comb += [
                port.addr.eq(reading),
                port.en.eq(read),
                self.c.payload[j].eq(port.data),
            ]
        # Rows end in order and column by column: the last column's row is a whole one.
        with m.If(self.start):
            m.d.sync += [rows_left.eq(self.start_rows), written.eq(0), reading.eq(0)]
            m.d.sync += self.tile_rows.eq(self.start_rows)
        with m.Else():
            m.d.sync += [
                rows_left.eq(rows_left - (self.c.valid & self.c.ready)),
                written.eq(written + caught),
                reading.eq(reading + read),
            ]
        with m.If(~self.c.valid | self.c.ready):
            m.d.sync += self.c.valid.eq(read)
        return m

    def _catch(self, m: Module, j: int) -> Signal:
        """Register what column ``j`` ends with, resolve and write it; return the write enable."""
        spec = self.spec
        m.submodules[f"buffer_{j}"] = buffer = self.buffers[j]
        words = Signal.like(self.row[j], reset_less=True, name=f"caught_words_{j}")
        row = Signal(range(spec.rows), reset_less=True, name=f"caught_row_{j}")
        caught = Signal(name=f"caught_{j}")
        m.d.sync += [words.eq(self.row[j]), caught.eq(self.done[j].any())]
        number = 0
        for i in range(spec.rows):
            number = number | Mux(self.done[j][i], i, 0)
        m.d.sync += row.eq(number)
        port = buffer.write_port()
        m.d.comb += [
            port.addr.eq(row),
            port.data.eq(
                resolved(m, spec, [words[word] for word in range(len(spec.pe.words))], f"sum_{j}")
            ),
            port.en.eq(caught),
        ]
        return caught

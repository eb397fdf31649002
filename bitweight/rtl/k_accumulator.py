"""The far end of columns that keep weights: a memory for each, in which folds along k add up.

Columns work one clock after each other, so do their memories: tags and the address pass along with
the rows, and no register deskews a sum. A chunk leaves once its last row is written everywhere, a
whole row a clock. One read port does for both, since no fold that reads sums starts meanwhile.

Model: ``sim.engines.k_folds_clocked``.
"""

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import resolved, result_shape
from bitweight.sim.k_folds import FoldedSpec

TAG = StructLayout({"valid": 1, "first": 1, "fresh": 1, "end": 1})
"""What travels behind a row: a row is there; it is a fold's first; its chunk's first fold, so there
is nothing to add to; a chunk's last row in its last fold."""


class KAccumulator(wiring.Component):
    """Accumulator memories and the way out.

    Ports:
        tag: Of the row whose sum column 0 writes on the edge after the coming one.
        sums: Per column the sum in its register; column j's is j clocks younger than column 0's.
        start, start_rows: The last fold of a chunk starts, and how many rows it has.
        c: Results, clamped if the spec says so.
        rows_read: Rows of the chunk that is leaving which are out of memory.
        busy: A chunk has started its last fold and has not left.
    """

    def __init__(self, spec: FoldedSpec, sum_width: int) -> None:
        self.spec = spec
        self.memories = [
            Memory(shape=Shape(spec.pe.acc_width, True), depth=spec.acc_depth, init=[])
            for _ in range(spec.columns)
        ]
        rows = range(spec.acc_depth + 1)
        super().__init__(
            {
                "tag": In(TAG),
                "sums": In(ArrayLayout(Shape(sum_width, True), spec.columns)),
                "start": In(1),
                "start_rows": In(rows),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.columns))),
                "rows_read": Out(rows),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build memories, tags and drain."""
        m = Module()
        read = self._drain(m)
        tag, address = self._first_stage(m)
        for j in range(self.spec.columns):
            tag, address = self._column(m, j, tag, address, read)
        reading = Signal()
        with m.If(self.start):
            m.d.sync += reading.eq(0)
        with m.Elif(tag.end):
            m.d.sync += reading.eq(1)
        is_left = Mux(self.c.valid, self._rows_left != 1, self._rows_left != 0)
        m.d.comb += read.eq(reading & is_left & (~self.c.valid | self.c.ready))
        return m

    def _drain(self, m: Module) -> Signal:
        """Count the rows of a chunk out; return the signal that reads one."""
        read = Signal()
        self._rows_left = rows_left = Signal(range(self.spec.acc_depth + 1))
        m.d.comb += self.busy.eq(rows_left != 0)
        with m.If(self.start):
            m.d.sync += [rows_left.eq(self.start_rows), self.rows_read.eq(0)]
        with m.Else():
            m.d.sync += [
                rows_left.eq(rows_left - (self.c.valid & self.c.ready)),
                self.rows_read.eq(self.rows_read + read),
            ]
        with m.If(~self.c.valid | self.c.ready):
            m.d.sync += self.c.valid.eq(read)
        return read

    def _first_stage(self, m: Module) -> tuple[Signal, Signal]:
        tag = Signal(TAG, name="tag_0")
        address = Signal(range(self.spec.acc_depth), reset_less=True, name="address_0")
        m.d.sync += tag.eq(self.tag)
        m.d.sync += address.eq(Mux(self.tag.first, 0, address + self.tag.valid))
        return tag, address

    def _column(
        self, m: Module, j: int, tag: Signal, address: Signal, read: Value
    ) -> tuple[Signal, Signal]:
        """Add memory ``j``: read as the column writes its sum, add and write one clock later."""
        m.submodules[f"memory_{j}"] = memory = self.memories[j]
        next_tag = Signal(TAG, name=f"tag_{j + 1}")
        next_address = Signal.like(address, name=f"address_{j + 1}")
        m.d.sync += [next_tag.eq(tag), next_address.eq(address)]
        out, into = memory.read_port(), memory.write_port()
        m.d.comb += [
            out.en.eq(read | (tag.valid & ~tag.fresh)),
            out.addr.eq(Mux(read, self.rows_read, address)),
            self.c.payload[j].eq(resolved(m, self.spec, [out.data], f"out_{j}")),
            into.en.eq(next_tag.valid),
            into.addr.eq(next_address),
            into.data.eq(Mux(next_tag.fresh, 0, out.data) + self.sums[j]),
        ]
        return next_tag, next_address

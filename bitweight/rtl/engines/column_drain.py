"""The way out of a column engine: complete rows, one result a clock."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import COMMAND, any_of, resolved, result_shape
from bitweight.sim.engines.column import ColumnSpec


class ColumnDrain(wiring.Component):
    """Reads complete rows in order, column after column, and clamps their results.

    Ports:
        launch, sizes: A command is accepted.
        n: Columns of its result, held.
        complete: Per column: a row of results is complete.
        read, result, place: Per column whether to read, and the row tile and PE to read.
        data: What each column read one clock ago.
        c: Results.
        tile_read: The last result of a row tile is read.
        empty: No result is left, or the last one leaves on this edge.
    """

    def __init__(self, spec: ColumnSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "launch": In(1),
                "sizes": In(COMMAND),
                "n": In(32),
                "complete": In(spec.columns),
                "read": Out(spec.columns),
                "result": Out(range(max(2, spec.c_depth))),
                "place": Out(range(max(2, spec.pes))),
                "data": In(ArrayLayout(Shape(spec.pe.acc_width, True), spec.columns)),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), 1))),
                "tile_read": Out(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the drain."""
        m = Module()
        spec = self.spec
        active, read, ends_row = Signal(), Signal(), Signal()
        column = Signal(spec.columns, init=1)  # one bit per column
        rows = self._count_rows(m, column, ends_row)
        n_left = Signal(32, reset_less=True)
        into_c = ~self.c.valid | self.c.ready
        m.d.comb += [
            read.eq(active & into_c & (rows & column).any()),
            ends_row.eq(read & ((self.place == spec.pes - 1) | (self.place == n_left - 1))),
            self.read.eq(column & read.replicate(spec.columns)),
            self.empty.eq(~active & into_c),
        ]
        with m.If(read):
            m.d.sync += self.place.eq(Mux(ends_row, 0, self.place + 1))
        with m.If(into_c):
            m.d.sync += self.c.valid.eq(read)
        self._walk(m, active, column, ends_row, n_left)
        source = Signal.like(column, reset_less=True, name="source")
        with m.If(read):
            m.d.sync += source.eq(column)
        gated = [
            self.data[number].as_unsigned() & source[number].replicate(spec.pe.acc_width)
            for number in range(spec.columns)
        ]
        m.d.comb += self.c.payload[0].eq(resolved(m, spec, [any_of(gated)], "result_value"))
        return m

    def _count_rows(self, m: Module, column: Signal, ends_row: Signal) -> Signal:
        """Count the complete rows of each column; return which have any."""
        counts = [
            Signal(range(self.spec.c_depth + 1), name=f"rows_{number}")
            for number in range(self.spec.columns)
        ]
        for number, count in enumerate(counts):
            taken = ends_row & column[number]
            m.d.sync += count.eq(count + self.complete[number] - taken)
        rows = Signal(self.spec.columns)
        m.d.comb += rows.eq(Cat(count != 0 for count in counts))
        return rows

    def _walk(
        self, m: Module, active: Signal, column: Signal, ends_row: Signal, n_left: Signal
    ) -> None:
        """Walk blocks of rows, tiles of n, rows."""
        spec = self.spec
        m_left, rows_left = (
            Signal(32, name=name, reset_less=True) for name in ("m_left", "rows_left")
        )
        ends_tile = column[-1] | (rows_left == 1)
        is_last_tile = n_left <= spec.pes
        m.d.comb += self.tile_read.eq(ends_row & ends_tile)
        with m.If(self.tile_read):
            m.d.sync += [
                column.eq(1),
                self.result.eq(Mux(self.result == spec.c_depth - 1, 0, self.result + 1)),
            ]
        with m.Elif(ends_row):
            m.d.sync += column.eq(column << 1)
        with m.If(self.launch):
            sizes = self.sizes
            m.d.sync += [active.eq(1), m_left.eq(sizes.m), n_left.eq(sizes.n)]
            m.d.sync += rows_left.eq(Mux(sizes.m < spec.acc_depth, sizes.m, spec.acc_depth))
        with m.Elif(ends_row & (rows_left == 1)):
            after = Mux(is_last_tile, m_left - spec.acc_depth, m_left)[:32]
            m.d.sync += [
                m_left.eq(after),
                n_left.eq(Mux(is_last_tile, self.n, n_left - spec.pes)),
                rows_left.eq(Mux(after < spec.acc_depth, after, spec.acc_depth)),
                active.eq(~is_last_tile | (m_left > spec.acc_depth)),
            ]
        with m.Elif(ends_row):
            m.d.sync += rows_left.eq(rows_left - 1)

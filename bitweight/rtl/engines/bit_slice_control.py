"""What both bit-slice engines share: the walk over tiles and groups, and the way out."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.result_port import ResultPort
from bitweight.rtl.wires import COMMAND, any_of, result_shape
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.laconic import LaconicSpec

BitSliceSpec = BitSerialSpec | LaconicSpec


class GroupWalk(wiring.Component):
    """Walks a GEMM group by group: rows of tiles outside, tiles along n inside, k innermost.

    Ports:
        cmd: Sizes of a GEMM.
        running: The beats of a group are due.
        taken: They are accepted on this edge.
        is_first, is_last: This group is its tile's first, its last.
        tile_rows: Rows of its tile.
        empty: The engine holds nothing of this GEMM, or its last result leaves on this edge.
    """

    def __init__(self, spec: BitSliceSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "running": Out(1),
                "taken": In(1),
                "is_first": Out(1),
                "is_last": Out(1),
                "tile_rows": Out(range(spec.rows + 1)),
                "empty": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk."""
        m = Module()
        spec = self.spec
        lanes = spec.pe.lanes
        n, k, rows_left, cols_left, k_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("n", "k", "rows_left", "cols_left", "k_left")
        )
        m.d.comb += [
            self.tile_rows.eq(Mux(rows_left < spec.rows, rows_left, spec.rows)),
            self.is_first.eq(k_left == k),
            self.is_last.eq(k_left <= lanes),
        ]
        is_last_tile = (rows_left <= spec.rows) & (cols_left <= spec.cols)
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += self.cmd.ready.eq(1)
                sizes = self.cmd.payload
                m.d.sync += [n.eq(sizes.n), k.eq(sizes.k), k_left.eq(sizes.k)]
                m.d.sync += [rows_left.eq(sizes.m), cols_left.eq(sizes.n)]
                with m.If(self.cmd.valid):
                    m.next = "FEED"
            with m.State("FEED"):
                m.d.comb += self.running.eq(1)
                with m.If(self.taken):
                    m.d.sync += k_left.eq(Mux(self.is_last, k, k_left - lanes))
                with m.If(self.taken & self.is_last):
                    with m.If(cols_left <= spec.cols):
                        m.d.sync += [cols_left.eq(n), rows_left.eq(rows_left - spec.rows)]
                    with m.Else():
                        m.d.sync += cols_left.eq(cols_left - spec.cols)
                    with m.If(is_last_tile):
                        m.next = "FLUSH"
            with m.State("FLUSH"), m.If(self.empty):
                m.next = "ACCEPT"
        return m


class RowDrain(wiring.Component):
    """Reads the rows of a complete tile, one an edge, while its PEs hold them.

    Ports:
        start, start_rows: A tile is complete after this edge, and how many rows it has.
        acc: Accumulators of all PEs, row after row.
        rows_left: Rows still to be read.
        ends: None is left after this edge.
        c: Results.
        empty: No result is left, or the last one leaves on this edge.
    """

    def __init__(self, spec: BitSliceSpec) -> None:
        self.spec = spec
        row = ArrayLayout(spec.pe.acc_width, spec.cols)
        super().__init__(
            {
                "start": In(1),
                "start_rows": In(range(spec.rows + 1)),
                "acc": In(ArrayLayout(row, spec.rows)),
                "rows_left": Out(range(spec.rows + 1)),
                "ends": Out(1),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the drain."""
        m = Module()
        spec = self.spec
        m.submodules.port = port = ResultPort(spec, spec.cols)
        wiring.connect(m, wiring.flipped(self.c), port.c)
        select = Signal(spec.rows, init=1)
        reads = Signal()
        gated = [
            Cat(self.acc[row].as_value() & select[row].replicate(spec.cols * spec.pe.acc_width))
            for row in range(spec.rows)
        ]
        m.d.comb += [
            port.words.eq(any_of(gated)),
            port.valid.eq(self.rows_left != 0),
            reads.eq(port.valid & port.ready),
            self.ends.eq((self.rows_left == 0) | (reads & (self.rows_left == 1))),
            self.empty.eq((self.rows_left == 0) & port.empty),
        ]
        with m.If(self.start):
            m.d.sync += [self.rows_left.eq(self.start_rows), select.eq(1)]
        with m.Elif(reads):
            m.d.sync += [self.rows_left.eq(self.rows_left - 1), select.eq(select << 1)]
        return m

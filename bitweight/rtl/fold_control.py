"""Control of engines that keep weights: loads folds of b, lets rows of a in, and tags them.

Two walks in one: the registers name the fold that loads next; as it starts, what its rows need is
kept and the registers go on to the next fold.

Model: ``sim.engines.k_folds_clocked``.
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.k_accumulator import TAG
from bitweight.rtl.wires import COMMAND
from bitweight.sim.k_folds import FoldedSpec


class FoldControl(wiring.Component):
    """Walks the folds of a GEMM: n outside, then chunks of rows, then k.

    Ports:
        cmd: Sizes m, n, k of a GEMM.
        a_valid, a_ready: Handshake of rows; an accepted row enters with ``tag``.
        b_valid, b_ready: Handshake of columns of b; an accepted one belongs to ``load``.
        load: One bit per column: takes the accepted column; 0 if there is none.
        swap: A fold starts: its weights replace those of the fold before, column by column.
        tag: Of the row that is accepted; all 0 if there is none.
        chunk_start, chunk_rows: The fold that starts is the last of a chunk of that many rows.
        rows_read, busy: From the accumulator.
    """

    def __init__(self, spec: FoldedSpec) -> None:
        self.spec = spec
        rows = range(spec.acc_depth + 1)
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a_valid": In(1),
                "a_ready": Out(1),
                "b_valid": In(1),
                "b_ready": Out(1),
                "load": Out(spec.columns),
                "swap": Out(1),
                "tag": Out(TAG),
                "chunk_start": Out(1),
                "chunk_rows": Out(rows),
                "rows_read": In(rows),
                "busy": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the control."""
        m = Module()
        running, is_loaded, is_idle = Signal(), Signal(), Signal()
        is_first_k, is_last_k, is_last_fold = Signal(), Signal(), Signal()
        has_room = ~self.busy | (is_first_k & ~is_last_k & (self.rows_read != 0))
        m.d.comb += [
            self.swap.eq(running & is_loaded & is_idle & has_room),
            self.chunk_start.eq(self.swap & is_last_k),
        ]
        self._walk(m, running, is_first_k, is_last_k, is_last_fold)
        self._load(m, running, is_loaded, is_idle, is_last_fold)
        self._rows(m, is_idle, is_first_k, is_last_k)
        return m

    def _walk(
        self, m: Module, running: Signal, is_first_k: Signal, is_last_k: Signal, is_last: Signal
    ) -> None:
        """Name the fold that loads next."""
        spec = self.spec
        m_size, k, m_left, n_left, k_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("m_size", "k", "m_left", "n_left", "k_left")
        )
        is_last_chunk = m_left <= spec.acc_depth
        m.d.comb += [
            is_first_k.eq(k_left == k),
            is_last_k.eq(k_left <= spec.lanes),
            is_last.eq(is_last_k & is_last_chunk & (n_left <= spec.columns)),
            self.chunk_rows.eq(Mux(is_last_chunk, m_left, spec.acc_depth)),
        ]
        with m.FSM():
            with m.State("ACCEPT"):
                sizes = self.cmd.payload
                m.d.comb += self.cmd.ready.eq(1)
                m.d.sync += [m_size.eq(sizes.m), k.eq(sizes.k)]
                m.d.sync += [m_left.eq(sizes.m), n_left.eq(sizes.n), k_left.eq(sizes.k)]
                with m.If(self.cmd.valid):
                    m.next = "FEED"
            with m.State("FEED"):
                m.d.comb += running.eq(1)
                with m.If(self.swap):
                    m.d.sync += k_left.eq(Mux(is_last_k, k, k_left - spec.lanes))
                with m.If(self.chunk_start):
                    m.d.sync += m_left.eq(Mux(is_last_chunk, m_size, m_left - spec.acc_depth))
                with m.If(self.chunk_start & is_last_chunk):
                    m.d.sync += n_left.eq(n_left - spec.columns)
                with m.If(self.swap & is_last):
                    m.next = "FLUSH"
            with m.State("FLUSH"), m.If(~self.busy):
                m.next = "ACCEPT"

    def _load(
        self, m: Module, running: Signal, is_loaded: Signal, is_idle: Signal, is_last: Signal
    ) -> None:
        """Deal columns of b to the columns in turn."""
        at = Signal(self.spec.columns, init=1)
        if self.spec.double_buffer:
            # A column's set is free once its fold has started there: one clock after its left
            # neighbour's, as columns of b come.
            free: Value = Mux(is_loaded, self.swap & ~is_last, 1)
        else:
            free = ~is_loaded & is_idle
        beat = Signal()
        m.d.comb += [
            self.b_ready.eq(running & free),
            beat.eq(self.b_ready & self.b_valid),
            self.load.eq(Mux(beat, at, 0)),
        ]
        with m.If(beat):
            m.d.sync += at.eq(at.rotate_left(1))
        with m.If(beat & at[-1]):
            m.d.sync += is_loaded.eq(1)
        with m.Elif(self.swap):
            m.d.sync += is_loaded.eq(0)

    def _rows(self, m: Module, is_idle: Signal, is_first_k: Signal, is_last_k: Signal) -> None:
        """Let the rows of the fold in that has started; they may not overtake a leaving chunk."""
        rows_left = Signal(range(self.spec.acc_depth + 1))
        row = Signal(range(self.spec.acc_depth + 1))
        is_fresh, is_last = Signal(), Signal()
        beat, fresh, last, rows = Signal(), Signal(), Signal(), Signal.like(rows_left)
        follows = is_fresh & ~is_last & self.busy
        m.d.comb += [
            is_idle.eq(rows_left == 0),
            self.a_ready.eq(self.swap | (~is_idle & ~(follows & (row >= self.rows_read)))),
            beat.eq(self.a_ready & self.a_valid),
            fresh.eq(Mux(self.swap, is_first_k, is_fresh)),
            last.eq(Mux(self.swap, is_last_k, is_last)),
            rows.eq(Mux(self.swap, self.chunk_rows, rows_left)),
            self.tag.valid.eq(beat),
            self.tag.first.eq(beat & (self.swap | (row == 0))),
            self.tag.fresh.eq(beat & fresh),
            self.tag.end.eq(beat & last & (rows == 1)),
        ]
        m.d.sync += [
            is_fresh.eq(fresh),
            is_last.eq(last),
            rows_left.eq(rows - beat),
            row.eq(Mux(self.swap, 0, row) + beat),
        ]

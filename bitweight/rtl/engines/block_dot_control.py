"""Control of the block engine: walks tiles, groups along k, chunks and beats of a GEMM.

Model: ``sim.engines.block_dot_clocked``.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import COMMAND
from bitweight.sim.engines.block_dot import BlockDotSpec


class BlockDotControl(wiring.Component):
    """Says what the next beat is and whether it may be accepted.

    Ports:
        cmd: Sizes m, n, k of a GEMM.
        go: The next beat may be accepted.
        beat: It is, on this edge.
        first, last: The next beat is its group's first, last.
        tail: It belongs to the walk's tail.
        needs_side: It comes with a new beat of side integers.
        tile_rows: Rows of the tile, 1 to ``spec.rows``.
        tile_columns: One bit per column of the tile that is an output.
        has_room: A group's last beat may be accepted.
        is_empty: All results have left.
    """

    def __init__(self, spec: BlockDotSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "go": Out(1),
                "beat": In(1),
                "first": Out(1),
                "last": Out(1),
                "tail": Out(1),
                "needs_side": Out(1),
                "tile_rows": Out(range(spec.rows + 1)),
                "tile_columns": Out(spec.columns),
                "has_room": In(1),
                "is_empty": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the control."""
        m = Module()
        spec = self.spec
        n, k, m_left, n_left, k_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("n", "k", "m_left", "n_left", "k_left")
        )
        is_walk_end = Signal()
        is_ready = self._pace(m)
        self._walk(m, k_left, is_walk_end)
        m.d.comb += [
            self.tile_rows.eq(Mux(m_left < spec.rows, m_left, spec.rows)),
            self.tile_columns.eq(Cat(n_left > j for j in range(spec.columns))),
        ]
        with m.FSM():
            with m.State("ACCEPT"):
                sizes = self.cmd.payload
                m.d.comb += self.cmd.ready.eq(1)
                m.d.sync += [n.eq(sizes.n), k.eq(sizes.k), k_left.eq(sizes.k)]
                m.d.sync += [m_left.eq(sizes.m), n_left.eq(sizes.n)]
                with m.If(self.cmd.valid):
                    m.next = "FEED"
            with m.State("FEED"):
                is_last_column = n_left <= spec.columns
                m.d.comb += self.go.eq(is_ready & (self.has_room | ~self.last))
                with m.If(self.beat & is_walk_end):
                    m.d.sync += [
                        k_left.eq(k),
                        n_left.eq(Mux(is_last_column, n, n_left - spec.columns)),
                    ]
                    with m.If(is_last_column):
                        m.d.sync += m_left.eq(m_left - spec.rows)
                    with m.If(is_last_column & (m_left <= spec.rows)):
                        m.next = "FLUSH"
            with m.State("FLUSH"), m.If(self.is_empty):
                m.next = "ACCEPT"
        return m

    def _pace(self, m: Module) -> Value:
        """Return whether ``interval`` clocks have passed since the last beat."""
        interval = self.spec.pe.walk.interval
        if interval == 1:
            return Value.cast(1)
        wait = Signal(range(interval))
        with m.If(self.beat):
            m.d.sync += wait.eq(interval - 1)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        return wait == 0

    def _walk(self, m: Module, k_left: Signal, is_walk_end: Signal) -> None:
        """Count the beats of a chunk and the chunks of a group; say what the next beat is."""
        walk, group = self.spec.pe.walk, self.spec.pe.group
        is_chunk_end = Signal()
        is_group_end: Value = Value.cast(0)
        at_last_beat = _counts(m, "beat_in_chunk", len(walk.lanes), self.beat, is_chunk_end)
        m.d.comb += is_chunk_end.eq(at_last_beat | self.tail)
        m.d.comb += self.tail.eq((k_left < walk.chunk) if walk.tail else 0)
        step = Mux(self.tail, walk.tail, walk.chunk) if walk.tail else walk.chunk
        m.d.comb += is_walk_end.eq(is_chunk_end & (k_left <= step))
        with m.If(self.beat & is_chunk_end & ~is_walk_end):
            m.d.sync += k_left.eq(k_left - step)
        if group is not None:
            chunks = group // walk.chunk
            advance = self.beat & is_chunk_end
            is_group_end = _counts(m, "chunk_in_group", chunks, advance, self.last)
        m.d.comb += self.last.eq(is_walk_end | (is_chunk_end & is_group_end))
        is_first = Signal(init=1)
        with m.If(self.beat):
            m.d.sync += is_first.eq(self.last)
        m.d.comb += self.first.eq(is_first)
        self._sides(m, is_walk_end)

    def _sides(self, m: Module, is_walk_end: Signal) -> None:
        """Count the beats that one beat of side integers serves."""
        side = self.spec.pe.side
        if side is None:
            return
        is_served, needs_side = Signal(), Signal(init=1)
        is_last = _counts(m, "beat_of_side", side.beats, self.beat, is_served)
        m.d.comb += [is_served.eq(is_last | is_walk_end), self.needs_side.eq(needs_side)]
        with m.If(self.beat):
            m.d.sync += needs_side.eq(is_served)


def _counts(m: Module, name: str, count: int, advance: Value, restart: Value) -> Value:
    """Count ``advance`` up to ``count``, from 0 again with ``restart``; tell when at the last."""
    if count == 1:
        return Value.cast(1)
    at = Signal(range(count), name=name)
    with m.If(advance):
        m.d.sync += at.eq(Mux(restart, 0, at + 1))
    return at == count - 1

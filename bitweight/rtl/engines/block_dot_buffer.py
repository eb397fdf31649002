"""Results of the block engine: complete groups on their way out, one leaving, one waiting.

A group is copied from the cells as its last beat reaches them, so the next one can start at once.
``has_room`` counts groups from their last beat's acceptance, so a copy always finds its place.

Model: ``sim.engines.block_dot_clocked``.
"""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.sim.engines.block_dot import BlockDotSpec

_GROUPS_HELD = 2


class GroupBuffer(wiring.Component):
    """Two groups of sums, shifted out row by row and plane by plane.

    Ports:
        launch: A group's last beat is accepted on this edge, of a tile of ``launch_rows`` rows
            (1 to ``spec.rows``) and the columns set in ``launch_columns``.
        acc: Accumulators of every cell.
        has_room: Fewer than two groups are on their way.
        is_empty: None is.
        c: Sums of one row and plane.
    """

    def __init__(self, spec: BlockDotSpec) -> None:
        self.spec = spec
        sums = ArrayLayout(Shape(spec.pe.acc_width, True), spec.pe.planes)
        super().__init__(
            {
                "launch": In(1),
                "launch_rows": In(range(spec.rows + 1)),
                "launch_columns": In(spec.columns),
                "acc": In(ArrayLayout(ArrayLayout(sums, spec.columns), spec.rows)),
                "has_room": Out(1),
                "is_empty": Out(1),
                "c": Out(
                    stream.Signature(ArrayLayout(Shape(spec.pe.acc_width, True), spec.columns))
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the buffer."""
        m = Module()
        spec = self.spec
        beats = spec.rows * spec.pe.planes
        group = StructLayout(
            {
                "sums": ArrayLayout(self.c.payload.shape(), beats),
                "left": range(beats + 1),
            }
        )
        copied = Signal(group)
        is_copied = self._copy(m, copied)
        head = Signal(group, reset_less=True)
        waiting = Signal(group, reset_less=True)
        head_valid, waiting_valid, leaves = Signal(), Signal(), Signal()
        m.d.comb += [
            self.c.valid.eq(head_valid),
            self.c.payload.eq(head.sums[0]),
            leaves.eq(head_valid & self.c.ready & (head.left == 1)),
        ]
        with m.If(~head_valid | leaves):
            m.d.sync += [
                head.eq(Mux(waiting_valid, waiting.as_value(), copied.as_value())),
                head_valid.eq(waiting_valid | is_copied),
                waiting_valid.eq(waiting_valid & is_copied),
            ]
        with m.Else():
            with m.If(self.c.ready):
                m.d.sync += [
                    head.left.eq(head.left - 1),
                    head.sums.eq(head.sums.as_value() >> self.c.payload.as_value().shape().width),
                ]
            with m.If(is_copied):
                m.d.sync += waiting_valid.eq(1)
        with m.If(is_copied):
            m.d.sync += waiting.eq(copied)
        self._count(m, leaves)
        return m

    def _copy(self, m: Module, copied: Signal) -> Value:
        """Arrange the cells' sums as they leave; return whether a group is complete."""
        spec = self.spec
        tag = StructLayout({"rows": range(spec.rows + 1), "columns": spec.columns})
        entering = Signal(tag)
        m.d.comb += [
            entering.rows.eq(self.launch_rows),
            entering.columns.eq(self.launch_columns),
        ]
        is_copied: Value = self.launch
        tags = entering.as_value()
        for stage in range(spec.latency + 1):
            valid = Signal(name=f"complete_{stage}")
            held = Signal(tag, reset_less=True, name=f"tags_{stage}")
            m.d.sync += [valid.eq(is_copied), held.eq(tags)]
            is_copied, tags = valid, held.as_value()
        arrived = Signal(tag)
        m.d.comb += [arrived.eq(tags), copied.left.eq(arrived.rows * spec.pe.planes)]
        for row in range(spec.rows):
            for plane in range(spec.pe.planes):
                lanes = Cat(
                    Value.cast(self.acc[row][j][plane]).as_unsigned()
                    & arrived.columns[j].replicate(spec.pe.acc_width)
                    for j in range(spec.columns)
                )
                m.d.comb += copied.sums[row * spec.pe.planes + plane].eq(lanes)
        return is_copied

    def _count(self, m: Module, leaves: Signal) -> None:
        """Count groups from their last beat's acceptance to their last result."""
        count = Signal(range(_GROUPS_HELD + 1), name="on_their_way")
        m.d.sync += count.eq(count + self.launch - leaves)
        m.d.comb += [self.has_room.eq(count != _GROUPS_HELD), self.is_empty.eq(count == 0)]

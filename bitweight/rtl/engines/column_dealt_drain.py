"""The way out of the engine of dealt digits: all pairs of a row at once, then one adder."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import result_shape
from bitweight.sim.engines.column_dealt import DealtColumnSpec


def offset_width(spec: DealtColumnSpec) -> int:
    """Return the bits of a row's offset that lie inside the accumulator, at least 1."""
    return max(1, spec.pe.acc_width - (spec.pe.row_width - 1))


class DealtDrain(wiring.Component):
    """Catches the pairs of a row, resolves and delivers them one by one.

    Ports:
        outputs: Pairs to catch on this edge; 0 for none. Nothing may be left then.
        pairs: Per PE the two words.
        offset: What the pairs hold too much, in units of a row's inverted sign.
        c: Results, one a beat.
        empties: The last pair is taken on this edge.
        idle: No result is left behind the pairs, or it leaves on this edge.
    """

    def __init__(self, spec: DealtColumnSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "outputs": In(range(spec.pes + 1)),
                "pairs": In(ArrayLayout(ArrayLayout(spec.pe.acc_width, 2), spec.pes)),
                "offset": In(offset_width(spec)),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), 1))),
                "empties": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the drain."""
        m = Module()
        spec = self.spec
        caught = Signal.like(self.pairs, reset_less=True, name="caught")
        offset = Signal.like(self.offset, reset_less=True, name="caught_offset")
        left = Signal(range(spec.pes + 1))
        result = Signal(result_shape(spec), reset_less=True)
        take = Signal()
        m.d.comb += [
            self.idle.eq(~self.c.valid | self.c.ready),
            take.eq((left != 0) & self.idle),
            self.empties.eq(take & (left == 1)),
            self.c.payload[0].eq(result),
        ]
        with m.If(self.idle):
            m.d.sync += self.c.valid.eq(left != 0)
        with m.If(take):
            m.d.sync += [result.eq(self._resolve(m, caught[0], offset)), left.eq(left - 1)]
            m.d.sync += [caught[pe].eq(caught[pe + 1]) for pe in range(spec.pes - 1)]
        with m.If(self.outputs != 0):
            m.d.sync += [caught.eq(self.pairs), offset.eq(self.offset), left.eq(self.outputs)]
        return m

    def _resolve(self, m: Module, pair: Value, offset: Signal) -> Value:
        """Add the words up, take the offset off, clamp."""
        spec = self.spec
        total = Signal(Shape(spec.pe.acc_width, True))
        m.d.comb += total.eq(pair[0] + pair[1] - (offset << (spec.pe.row_width - 1)))
        if spec.saturate_to is None:
            return total
        half = 1 << (spec.saturate_to - 1)
        return Mux(total < -half, -half, Mux(total > half - 1, half - 1, total))

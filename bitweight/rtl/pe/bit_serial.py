"""RTL of the bit-serial PE: a tree over the lanes, a sum that shifts right, an accumulator."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.sim.pe.bit_serial import BitSerialPeSpec


class BitSerialPe(wiring.Component):
    """Bit-serial processing element.

    Ports:
        bits: One bit of ``a`` per lane, least first.
        b: The other operand per lane.
        first, before_sign, sign, commit, restart: As in ``sim.pe.bit_serial.Control``. The two
            about signs exist for a signed ``a`` only.
        acc: Accumulator, registered.
    """

    def __init__(self, spec: BitSerialPeSpec) -> None:
        self.spec = spec
        signs = ("before_sign", "sign") if spec.a.signed else ()
        super().__init__(
            {
                "bits": In(spec.lanes),
                "b": In(ArrayLayout(spec.b.width, spec.lanes)),
                **{name: In(1) for name in ("first", *signs, "commit", "restart")},
                "acc": Out(spec.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        spec = self.spec
        # No reset: the first bits of a group clear high, the first group of a sum acc.
        high = Signal(Shape(spec.high_width, spec.has_sign), reset_less=True, name="high_register")
        low = Signal(spec.a.width, reset_less=True, name="low_register")
        acc = Signal(spec.acc_width, reset_less=True, name="acc_register")
        total = Signal(spec.high_width + 1)
        m.d.comb += [total.eq(sum(compress(m, spec.tree, self._bits(high)))), self.acc.eq(acc)]
        kept, out = total[1:], total[0]
        if spec.a.signed:
            kept = kept ^ (self.before_sign | self.sign).replicate(spec.high_width)
            out = out ^ self.sign
        group = Cat(low, high)
        group = group.as_signed() if spec.has_sign else group
        m.d.sync += [
            high.eq(kept),
            low.eq(Cat(low[1:], out)),
            acc.eq(Mux(self.restart, 0, acc) + Mux(self.commit, group, 0)),
        ]
        return m

    def _bits(self, high: Signal) -> list[Value]:
        """Return the tree's inputs; sign bits are inverted."""
        spec = self.spec
        inputs: list[Value] = [bit & ~self.first for bit in high]
        if spec.has_sign:
            inputs[-1] = ~inputs[-1]
        for lane in range(spec.lanes):
            word: list[Value] = [bit & self.bits[lane] for bit in self.b[lane]]
            if spec.b.signed:
                word[-1] = ~word[-1]
            inputs += word
        ones = [Const(1, 1)] * spec.constant.bit_count()
        return [*inputs, *ones]


@component.register
def _(spec: BitSerialPeSpec) -> BitSerialPe:
    return BitSerialPe(spec)

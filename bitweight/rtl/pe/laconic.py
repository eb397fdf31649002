"""RTL of the Laconic PE: a signed power of two per lane, a tree over the lanes, an accumulator."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.sim.pe.laconic import LaconicPeSpec, top_exponent
from bitweight.workloads.formats import IntFormat


def term_layout(spec: LaconicPeSpec, form: IntFormat) -> StructLayout:
    """Return the layout of one digit: its exponent, its sign, and whether there is one."""
    exponent = range(top_exponent(form, spec.recoding) + 1)
    return StructLayout({"exponent": exponent, "negate": 1, "valid": 1})


class LaconicPe(wiring.Component):
    """Laconic processing element.

    Ports:
        a, b: One digit of each operand per lane; a lane adds zero unless both are valid.
        restart: Start a new sum from the lanes' registered total.
        acc: Accumulator, registered, ``spec.latency`` edges after the digits.
    """

    def __init__(self, spec: LaconicPeSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "a": In(ArrayLayout(term_layout(spec, spec.a), spec.lanes)),
                "b": In(ArrayLayout(term_layout(spec, spec.b), spec.lanes)),
                "restart": In(1),
                "acc": Out(spec.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        spec = self.spec
        # No reset: a sum starts from the total alone, and no digits make a total of zero.
        total = Signal(Shape(spec.total_width, True), reset_less=True, name="total_register")
        acc = Signal(spec.acc_width, reset_less=True, name="acc_register")
        words: list[Value] = []
        for lane in range(spec.lanes):
            *bits, sign = self._word(m, lane)
            words += [*bits, ~sign]
        ones = [Const(1, 1)] * spec.constant.bit_count()
        m.d.sync += [
            total.eq(sum(compress(m, spec.tree, [*words, *ones]))),
            acc.eq(Mux(self.restart, 0, acc) + total),
        ]
        m.d.comb += self.acc.eq(acc)
        return m

    def _word(self, m: Module, lane: int) -> Value:
        """Shift one, or minus one, by both exponents; zero without a pair."""
        a, b = self.a[lane], self.b[lane]
        width = self.spec.word_width
        exponent = Signal.like(a.exponent + b.exponent, name=f"exponent_{lane}")
        unit = Signal(Shape(2, True), name=f"unit_{lane}")
        word = Signal(width, name=f"word_{lane}")
        valid = a.valid & b.valid
        # Bit 0 is set for a pair; all above it are, too, if the pair is negative.
        m.d.comb += [
            exponent.eq(a.exponent + b.exponent),
            unit[0].eq(valid),
            unit[1].eq(valid & (a.negate ^ b.negate)),
            word.eq(unit << exponent),
        ]
        return word


@component.register
def _(spec: LaconicPeSpec) -> LaconicPe:
    return LaconicPe(spec)

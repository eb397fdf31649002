"""RTL of the shifting digit PE: a shifter for each lane, one compressor tree and one pair."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.rtl.wires import operand_shape
from bitweight.sim.pe.dealt import DealtPeSpec


class DealtPe(wiring.Component):
    """Shifting digit processing element.

    Ports:
        clear: Start a new sum from these digits.
        b: Per lane what its register takes on this edge; 0 in an empty slot.
        shift, negate: Per lane the digit that the registered b is multiplied by.
        sum, carry: Redundant accumulator, registered; it holds ``spec.offset`` a clock too much.
    """

    def __init__(self, spec: DealtPeSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "clear": In(1),
                "b": In(ArrayLayout(operand_shape(spec.b), spec.lanes)),
                "shift": In(ArrayLayout(range(spec.max_shift + 1), spec.lanes)),
                "negate": In(spec.lanes),
                "sum": Out(spec.acc_width),
                "carry": Out(spec.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        spec = self.spec
        # No reset: a sum starts with clear. Carry bit 0 is always zero.
        b_register = Signal.like(self.b, reset_less=True, name="b_register")
        sum_register = Signal(spec.acc_width, reset_less=True)
        carry_register = Signal(spec.acc_width - 1, reset_less=True)
        kept_sum = Mux(self.clear, 0, sum_register)
        kept_carry = Mux(self.clear, 0, carry_register)
        rows = [bit for lane in range(spec.lanes) for bit in self._row(m, lane, b_register[lane])]
        bits = [*kept_sum, *kept_carry, *rows, *self.negate]
        sum_word, carry_word = compress(m, spec.tree, bits)
        m.d.sync += [
            b_register.eq(self.b),
            sum_register.eq(sum_word),
            carry_register.eq(carry_word[1:]),
        ]
        m.d.comb += [self.sum.eq(sum_register), self.carry.eq(carry_register << 1)]
        return m

    def _row(self, m: Module, lane: int, b: Value) -> Signal:
        """Shift, negate and invert the sign: the bits of one row."""
        width = self.spec.row_width
        shifted: Value = b
        for stage, bit in enumerate(self.shift[lane]):
            longer = Signal(
                Shape(min(width, len(shifted) + (1 << stage)), self.spec.b.signed),
                name=f"shifted{lane}_{stage}",
            )
            m.d.comb += longer.eq(Mux(bit, shifted << (1 << stage), shifted))
            shifted = longer
        extended = Signal(Shape(width, True), name=f"extended{lane}")
        row = Signal(width, name=f"row{lane}")
        m.d.comb += [
            extended.eq(shifted),
            row.eq(extended ^ self.negate[lane].replicate(width) ^ (1 << (width - 1))),
        ]
        return row


@component.register
def _(spec: DealtPeSpec) -> DealtPe:
    return DealtPe(spec)

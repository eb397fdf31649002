"""RTL of the carry-save MAC: one compressor tree for the product's rows and both words."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.rtl.partial_products import product_bits
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec


class CarrySaveMac(wiring.Component):
    """Carry-save MAC processing element.

    Ports:
        clear: Start a new sum from this product.
        a, b: Operands, in the formats of ``spec``. Zeros keep the sum's value, not its bits.
        sum, carry: Redundant accumulator, registered, ``spec.latency`` edges after the operands.
    """

    def __init__(self, spec: CarrySaveMacSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "clear": In(1),
                "a": In(Shape(spec.a.width, spec.a.signed)),
                "b": In(Shape(spec.b.width, spec.b.signed)),
                "sum": Out(spec.acc_width),
                "carry": Out(spec.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        width = self.spec.acc_width
        # No reset: the first operand of a sum clears it. Carry bit 0 is always zero.
        sum_register = Signal(width, reset_less=True)
        carry_register = Signal(width - 1, reset_less=True)
        kept_sum = Mux(self.clear, 0, sum_register)
        kept_carry = Mux(self.clear, 0, carry_register)
        products = product_bits(m, self.spec.products, self.a, self.b)
        ones = [Const(1, 1)] * len(self.spec.products.ones)
        bits = [*kept_sum, *kept_carry, *products, *ones]
        sum_word, carry_word = compress(m, self.spec.tree, bits)
        m.d.sync += [sum_register.eq(sum_word), carry_register.eq(carry_word[1:])]
        m.d.comb += [self.sum.eq(sum_register), self.carry.eq(carry_register << 1)]
        return m


@component.register
def _(spec: CarrySaveMacSpec) -> CarrySaveMac:
    return CarrySaveMac(spec)

"""RTL of the MAC: multiplier then adder, or one compressor tree and one adder."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.rtl.partial_products import product_bits
from bitweight.sim.pe.mac import MacSpec, MacStructure


class Mac(wiring.Component):
    """MAC processing element.

    Ports:
        clear: Start a new sum from this product.
        a, b: Operands, in the formats of ``spec``. Zeros keep the sum.
        acc: Accumulator, registered, ``spec.latency`` edges after the operands.
    """

    def __init__(self, spec: MacSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "clear": In(1),
                "a": In(Shape(spec.a.width, spec.a.signed)),
                "b": In(Shape(spec.b.width, spec.b.signed)),
                "acc": Out(spec.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        # No reset: the first operand of a sum clears it.
        acc = Signal(self.spec.acc_width, reset_less=True, name="acc_register")
        m.d.comb += self.acc.eq(acc)
        if self.spec.structure is MacStructure.MULTIPLY_ADD:
            m.d.sync += acc.eq(self._multiply_add(m, acc))
        else:
            m.d.sync += acc.eq(self._fused(m, acc))
        return m

    def _multiply_add(self, m: Module, acc: Signal) -> Value:
        if not self.spec.pipelined:
            return Mux(self.clear, 0, acc) + self.a * self.b
        product = Signal.like(self.a * self.b, reset_less=True, name="product")
        m.d.sync += product.eq(self.a * self.b)
        return Mux(self._cleared(m), 0, acc) + product

    def _fused(self, m: Module, acc: Signal) -> Value:
        products = self.spec.products
        ones = [Const(1, 1)] * len(products.ones)
        rows = product_bits(m, products, self.a, self.b)
        if not self.spec.pipelined:
            kept = Mux(self.clear, 0, acc)
            return sum(compress(m, self.spec.acc_tree, [*kept, *rows, *ones]))
        width = self.spec.product_tree.width
        product = Signal(width, reset_less=True)
        carry = Signal(width, reset_less=True)
        words = compress(m, self.spec.product_tree, rows, name="product_add")
        m.d.sync += [product.eq(words[0]), carry.eq(words[1])]
        kept = Mux(self._cleared(m), 0, acc)
        return sum(compress(m, self.spec.acc_tree, [*kept, *product, *carry, *ones]))

    def _cleared(self, m: Module) -> Signal:
        cleared = Signal()
        m.d.sync += cleared.eq(self.clear)
        return cleared


@component.register
def _(spec: MacSpec) -> Mac:
    return Mac(spec)

"""RTL of the chained MAC: partial sums come in and go on, one PE a clock."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.rtl.partial_products import product_bits
from bitweight.rtl.wires import operand_shape
from bitweight.sim.pe.chained import ChainedMacSpec
from bitweight.sim.pe.mac import MacSpec


class ChainedMac(wiring.Component):
    """Chained MAC processing element.

    Ports:
        a, b: Operands, in the formats of ``spec.pe``.
        ``<word>_in``: Words of the PE before, or ``spec.start``.
        ``<word>``: Words that go on, registered; ``spec.latency`` edges after the operands and one
            edge after the incoming words.
    """

    def __init__(self, spec: ChainedMacSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "a": In(operand_shape(spec.pe.a)),
                "b": In(operand_shape(spec.pe.b)),
                **{f"{word}_in": In(spec.width) for word in spec.words},
                **{word: Out(spec.width) for word in spec.words},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        spec = self.spec
        words = self._add_rows(m) if spec.is_recoded else [self._multiply_add(m)]
        for number, (name, word) in enumerate(zip(spec.words, words, strict=True)):
            # No reset: what a chain holds at first leaves it before the first sum. The second word
            # is a carry word, whose bit 0 is always zero.
            register = Signal(spec.width - number, reset_less=True, name=f"{name}_register")
            m.d.sync += register.eq(word >> number)
            m.d.comb += getattr(self, name).eq(register << number)
        return m

    def _multiply_add(self, m: Module) -> Value:
        product = self.a * self.b
        if self.spec.is_pipelined:
            register = Signal.like(product, reset_less=True, name="product_register")
            m.d.sync += register.eq(product)
            product = register
        return self.acc_in + product

    def _add_rows(self, m: Module) -> list[Value]:
        spec = self.spec
        rows = product_bits(m, spec.products, self.a, self.b)
        if isinstance(spec.pe, MacSpec) and spec.is_pipelined:
            pair = compress(m, spec.pe.product_tree, rows, name="product_add")
            rows = []
            for name, word in zip(("product", "product_carry"), pair, strict=True):
                register = Signal(len(word), reset_less=True, name=f"{name}_register")
                m.d.sync += register.eq(word)
                rows += list(register)
        incoming = [
            bit
            for number, name in enumerate(spec.words)
            for bit in list(getattr(self, f"{name}_in"))[number:]
        ]
        words = compress(m, spec.tree, [*incoming, *rows])
        return list(words) if spec.is_pair else [words[0] + words[1]]


@component.register
def _(spec: ChainedMacSpec) -> ChainedMac:
    return ChainedMac(spec)

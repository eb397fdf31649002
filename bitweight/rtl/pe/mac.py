"""RTL of the plain MAC: a multiplier, then an adder into one accumulator word."""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.sim.pe.mac import MacSpec


class Mac(wiring.Component):
    """Plain MAC processing element.

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
        register = Signal(self.spec.acc_width, reset_less=True, name="acc_register")
        m.d.sync += register.eq(Mux(self.clear, 0, register) + self.a * self.b)
        m.d.comb += self.acc.eq(register)
        return m


@component.register
def _(spec: MacSpec) -> Mac:
    return Mac(spec)

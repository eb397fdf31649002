"""Operand registers before a PE, so that its delay is one from register to register.

Inside an array operands come from registers of a neighbour. A PE alone has none, and would be timed
from its accumulator only; so it is measured with one register for each operand bit, and its area
has them. PEs that register their operands themselves are measured as they are.
"""

from functools import singledispatch
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from bitweight.sim.pe.bit_serial import BitSerialPeSpec
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.pe.digit import DigitPeSpec
from bitweight.sim.pe.laconic import LaconicPeSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec


@singledispatch
def operand_ports(spec: object) -> tuple[str, ...]:
    """Return the inputs of a PE that come from registers outside it."""
    raise TypeError(f"No operands are known of a {type(spec).__name__}")


@operand_ports.register
def _(spec: MacSpec | CarrySaveMacSpec | SameWeightMacSpec | LaconicPeSpec) -> tuple[str, ...]:
    return ("a", "b")


@operand_ports.register
def _(spec: BitSerialPeSpec) -> tuple[str, ...]:
    return ("bits", "b")


@operand_ports.register
def _(spec: DealtPeSpec) -> tuple[str, ...]:
    return ("shift", "negate")


@operand_ports.register
def _(spec: DigitPeSpec) -> tuple[str, ...]:
    return ()


class RegisteredOperands(wiring.Component):
    """A PE behind registers.

    Ports: those of the PE; the operands act one clock edge later than there. Control (``clear`` and
    its like) has no register, as in the reference points that ours are held against.
    """

    def __init__(self, pe: Any, operands: tuple[str, ...]) -> None:
        self.pe = pe
        self.operands = operands
        super().__init__(dict(pe.signature.members))

    def elaborate(self, platform: object) -> Module:
        """Build registers and PE."""
        m = Module()
        m.submodules.pe = pe = self.pe
        for name, member in pe.signature.members.items():
            outer, inner = getattr(self, name), getattr(pe, name)
            if member.flow is not In:
                m.d.comb += outer.eq(inner)
            elif name in self.operands:
                register = Signal.like(outer, reset_less=True, name=f"{name}_operand")
                m.d.sync += register.eq(outer)
                m.d.comb += inner.eq(register)
            else:
                m.d.comb += inner.eq(outer)
        return m

"""What the published sparse-digit PE holds, made of our parts: list and PE, no more.

In the column engine every PE with a list of its own also recodes the group itself and passes it on
to the next PE. The released OPT3 PE does neither: it takes digits that are encoded already, and
stands alone. Only this scope may be held against its figures.

Source: reference RTL of arXiv 2503.06342, OPT3: digits of four elements and their signs come in.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from bitweight.rtl.pe.digit import DigitList, DigitPe
from bitweight.sim.pe.digit import DigitPeSpec


class ListedPe(wiring.Component):
    """Digit PE behind its list of non-zero digits, recoders and hop registers left out.

    Ports:
        coming, row, take, empty, ends, address: As for ``rtl.pe.digit.DigitList``.
        b, ended, ended_next, sum, carry: As for ``rtl.pe.digit.DigitPe``.
    """

    def __init__(self, spec: DigitPeSpec) -> None:
        self.spec = spec
        self.pe = DigitPe(spec)
        self.list = DigitList(spec, is_recoded=True)
        listed = {
            name: member
            for name, member in self.list.signature.members.items()
            if name not in spec.lines
        }
        summed = {
            name: member
            for name, member in self.pe.signature.members.items()
            if name.removesuffix("_next") not in spec.lines
        }
        super().__init__({**listed, **summed})

    def elaborate(self, platform: object) -> Module:
        """Build list and PE."""
        m = Module()
        m.submodules.pe = pe = self.pe
        m.submodules.list = digits = self.list
        m.d.comb += [getattr(pe, line).eq(getattr(digits, line)) for line in self.spec.lines]
        for part in (pe, digits):
            for name, member in part.signature.members.items():
                if name in self.signature.members:
                    inner, outer = getattr(part, name), getattr(self, name)
                    m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        return m

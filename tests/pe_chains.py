"""Encoders and PEs wired as their engines wire them, without buffers and control.

A test plays operands into a chain and reads what its PEs hold, edge by edge.
"""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.engines.laconic_lane import LaconicLane
from bitweight.rtl.pe.digit import DigitList
from bitweight.rtl.wires import operand_shape
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.pe.digit import GROUP, DigitPeSpec
from bitweight.sim.spec import PeSpec


class SideBySide(wiring.Component):
    """MACs of the same formats that all get the same operands.

    Ports:
        clear, a, b: As for one of them.
        ``<word>_<number>``: The words of each.
    """

    def __init__(self, specs: Sequence[PeSpec]) -> None:
        self.specs = specs
        a, b = operand_shape(specs[0].a), operand_shape(specs[0].b)
        words = {
            f"{word}_{number}": Out(spec.acc_width)
            for number, spec in enumerate(specs)
            for word in spec.words
        }
        super().__init__({"clear": In(1), "a": In(a), "b": In(b), **words})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, spec in enumerate(self.specs):
            m.submodules[f"pe_{number}"] = pe = component(spec)
            m.d.comb += [pe.clear.eq(self.clear), pe.a.eq(self.a), pe.b.eq(self.b)]
            for word in spec.words:
                m.d.comb += getattr(self, f"{word}_{number}").eq(getattr(pe, word))
        return m


class DigitChain(wiring.Component):
    """Lists of digits and PEs, all PEs at once instead of one after another.

    Ports:
        codes: Per lane the next group.
        digit, take: As for ``DigitList``.
        b: Per PE and lane a group of operands; a digit's own is read as from a memory.
        ended: As for ``DigitPe``.
        ends: One bit per lane; with lists in the PEs one per PE.
        ended_next: One bit per PE.
        sum, carry: Per PE its pair.
    """

    def __init__(self, spec: DigitPeSpec, pes: int) -> None:
        self.spec = spec
        self.pes = [component(spec) for _ in range(pes)]
        self.shared = [] if spec.own_encoder else [DigitList(spec) for _ in range(spec.lanes)]
        a, b = (ArrayLayout(operand_shape(form), GROUP) for form in (spec.a, spec.b))
        super().__init__(
            {
                "codes": In(ArrayLayout(a, spec.lanes)),
                "digit": In(range(spec.digits)),
                "take": In(1),
                "b": In(ArrayLayout(ArrayLayout(b, spec.lanes), pes)),
                "ended": In(1),
                "ends": Out(len(self.shared) or pes),
                "ended_next": Out(pes),
                "sum": Out(ArrayLayout(spec.sum_width, pes)),
                "carry": Out(ArrayLayout(spec.sum_width, pes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, digits in enumerate(self.shared or self.pes):
            m.d.comb += [
                digits.codes.eq(self.codes[number % self.spec.lanes]),
                digits.digit.eq(self.digit),
                digits.take.eq(self.take),
                self.ends[number].eq(digits.ends),
            ]
        for lane, digits in enumerate(self.shared):
            m.submodules[f"list_{lane}"] = digits
        for number, pe in enumerate(self.pes):
            m.submodules[f"pe_{number}"] = pe
            m.d.comb += [
                pe.ended.eq(self.ended),
                self.ended_next[number].eq(pe.ended_next),
                self.sum[number].eq(pe.sum),
                self.carry[number].eq(pe.carry),
            ]
            for line in self.spec.lines if self.shared else ():
                m.d.comb += getattr(pe, line).eq(Cat(getattr(one, line) for one in self.shared))
            for lane, digits in enumerate(self.shared or [pe]):
                # The address comes one clock before its digit, and so does a memory's b.
                place = digits.address[: (GROUP - 1).bit_length()]
                group = [self.b[number][lane][at] for at in range(GROUP)]
                m.d.sync += pe.b[lane].eq(Array(group)[place])
        return m


class LaconicChain(wiring.Component):
    """Lanes of an engine with one row and one column, and its PE.

    Ports:
        load: As for ``LaconicLane``, in all lanes.
        a, b: Per lane one code.
        over: One bit per lane.
        restart, acc: As for ``LaconicPe``.
    """

    def __init__(self, spec: LaconicSpec) -> None:
        self.pe = component(spec.pe)
        self.lanes = [LaconicLane(spec) for _ in range(spec.pe.lanes)]
        super().__init__(
            {
                "load": In(1),
                "a": In(ArrayLayout(spec.pe.a.width, spec.pe.lanes)),
                "b": In(ArrayLayout(spec.pe.b.width, spec.pe.lanes)),
                "over": Out(spec.pe.lanes),
                "restart": In(1),
                "acc": Out(spec.pe.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pe = self.pe
        m.d.comb += [self.pe.restart.eq(self.restart), self.acc.eq(self.pe.acc)]
        for number, lane in enumerate(self.lanes):
            m.submodules[f"lane_{number}"] = lane
            m.d.comb += [
                lane.load.eq(self.load),
                lane.a[0].eq(self.a[number]),
                lane.b[0].eq(self.b[number]),
                self.over[number].eq(lane.over),
                self.pe.a[number].eq(lane.a_terms[0]),
                self.pe.b[number].eq(lane.b_terms[0]),
            ]
        return m

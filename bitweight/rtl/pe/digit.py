"""RTL of the digit PEs and of the list of non-zero digits that feeds them."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.rtl.recoding import recode
from bitweight.rtl.wires import any_of, delay, operand_shape
from bitweight.sim.pe.digit import (
    GROUP,
    DigitPeSpec,
    GroupedSpec,
    SharedEncoderSpec,
    SparseDigitSpec,
)

LIST_INPUTS = ("codes", "digit", "row", "take", "empty")
"""What a list of digits needs of the group to come, and what hops where every PE has one."""


class DigitPe(wiring.Component):
    """Digit PE: registers, select, compressor tree and pair.

    Ports:
        b: Per lane one operand.
        one, two, negate: Per lane one bit of each select line; ``two`` in radix 4 only.
        ended: The digits taken one clock ago were their pass's last.
        one_next, two_next, negate_next, ended_next: The same one clock later, for the next PE.
        sum, carry: Pair, registered. In the clock of ``ended_next`` it is complete, and cleared.
    """

    def __init__(self, spec: DigitPeSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "b": In(ArrayLayout(operand_shape(spec.b), spec.lanes)),
                **{line: In(spec.lanes) for line in spec.lines},
                **{f"{line}_next": Out(spec.lanes) for line in spec.lines},
                "ended": In(1),
                "ended_next": Out(1),
                "sum": Out(spec.sum_width),
                "carry": Out(spec.sum_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        spec = self.spec
        # No reset: a pass starts from a pair that the tag of the pass before it clears.
        b, ended, sum_register, carry_register = (
            Signal(shape, reset_less=True, name=name)
            for name, shape in (
                ("b_register", self.b.shape()),
                ("ended_register", 1),
                ("sum_register", spec.sum_width),
                ("carry_register", spec.sum_width - 1),
            )
        )
        lines: dict[str, Signal] = {}
        for line in spec.lines:
            lines[line] = Signal(spec.lanes, reset_less=True, name=f"{line}_register")
            m.d.sync += lines[line].eq(getattr(self, line))
            m.d.comb += getattr(self, f"{line}_next").eq(lines[line])
        rows = [self._row(m, b, lines, lane) for lane in range(spec.lanes)]
        bits = [
            *Mux(ended, 0, sum_register),
            *Mux(ended, 0, carry_register),
            *(bit for row in rows for bit in row),
            *lines["negate"],
        ]
        sum_word, carry_word = compress(m, spec.tree, bits)
        m.d.sync += [b.eq(self.b), ended.eq(self.ended)]
        m.d.sync += [sum_register.eq(sum_word), carry_register.eq(carry_word[1:])]
        m.d.comb += [
            self.ended_next.eq(ended),
            self.sum.eq(sum_register),
            self.carry.eq(carry_register << 1),
        ]
        return m

    def _row(self, m: Module, b: Any, lines: dict[str, Signal], lane: int) -> Signal:
        """Select a multiple of b; invert it if negative, and its sign in any case."""
        width = self.spec.row_width
        multiplicand = Signal(width, name=f"multiplicand{lane}")
        row = Signal(width, name=f"row{lane}")
        m.d.comb += multiplicand.eq(b[lane])
        selected: Value = multiplicand & lines["one"][lane].replicate(width)
        if "two" in lines:
            selected |= (multiplicand << 1)[:width] & lines["two"][lane].replicate(width)
        inverted = lines["negate"][lane].replicate(width)
        m.d.comb += row.eq(selected ^ inverted ^ (1 << (width - 1)))
        return row


class DigitList(wiring.Component):
    """Recoders of a group of codes, and the list of its non-zero digits of one bit-weight.

    The published sparse encoder: the digit that comes first in k leaves first, one a clock.

    Ports:
        codes: The next group.
        digit: Which bit-weight of it to list.
        coming: In place of these two, if recoders stand elsewhere (``is_recoded``): the select
            lines of the group's digits of one bit-weight.
        row: Where the group's b stands.
        take: Replace the list by the next group's.
        empty: The next group's list is to be empty.
        ends: The list has at most one digit left.
        address: Where the b of the digit stands that left one clock ago.
        one, two, negate: That digit, one more clock later.
    """

    def __init__(self, spec: DigitPeSpec, *, is_recoded: bool = False) -> None:
        self.spec = spec
        self.is_recoded = is_recoded
        codes = {
            "codes": In(ArrayLayout(operand_shape(spec.a), GROUP)),
            "digit": In(range(max(2, spec.digits))),
        }
        lines = StructLayout(dict.fromkeys(spec.lines, 1))
        super().__init__(
            {
                **({"coming": In(ArrayLayout(lines, GROUP))} if is_recoded else codes),
                "row": In(spec.row_bits),
                "take": In(1),
                "empty": In(1),
                "ends": Out(1),
                "address": Out(spec.row_bits + (GROUP - 1).bit_length()),
                **{line: Out(1) for line in spec.lines},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the list."""
        m = Module()
        left = Signal(GROUP)
        first = Signal(GROUP)
        row = Signal.like(self.row, reset_less=True, name="row_register")
        m.d.comb += [first.eq(left & -left), self.ends.eq((left & ~first) == 0)]
        m.d.sync += left.eq(left & ~first)
        with m.If(self.take):
            m.d.sync += row.eq(self.row)
        gated: dict[str, list[Value]] = {line: [] for line in self.spec.lines}
        for number in range(GROUP):
            coming = self._coming(m, number)
            is_zero = ~any_of([coming[line] for line in coming if line != "negate"])
            with m.If(self.take):
                m.d.sync += left[number].eq(~is_zero & ~self.empty)
            for line, value in coming.items():
                held = Signal(reset_less=True, name=f"{line}_{number}")
                with m.If(self.take):
                    m.d.sync += held.eq(value)
                gated[line].append(held & first[number])
        # The address goes to a memory; the lines meet what it reads one clock later.
        place = Cat(first[1] | first[3], first[2] | first[3])
        m.d.comb += self.address.eq(delay(m, Cat(place, row), 1, "address_register"))
        for line in self.spec.lines:
            sent = delay(m, any_of(gated[line]), 2, f"{line}_sent")
            m.d.comb += getattr(self, line).eq(sent)
        return m

    def _coming(self, m: Module, number: int) -> dict[str, Value]:
        """Recode one code of the next group; return the lines of the digit asked for."""
        if self.is_recoded:
            return {line: self.coming[number][line] for line in self.spec.lines}
        inner = Module()
        m.submodules[f"recoder_{number}"] = inner
        digits = recode(inner, self.spec.recoding, self.spec.a, self.codes[number])
        return {
            line: Array([getattr(digit, line) for digit in digits])[self.digit]
            for line in self.spec.lines
        }


class SparseDigitPe(wiring.Component):
    """Digit PE with recoders and list of its own.

    Ports:
        codes, digit, row, take, empty: As for ``DigitList``.
        codes_next, digit_next, row_next, take_next, empty_next: The same one clock later.
        ends, address: As for ``DigitList``.
        b, ended, ended_next, sum, carry: As for ``DigitPe``.
    """

    def __init__(self, spec: DigitPeSpec) -> None:
        self.spec = spec
        self.pe = DigitPe(spec)
        self.list = DigitList(spec)
        listed, summed = self.list.signature.members, self.pe.signature.members
        super().__init__(
            {
                **{name: listed[name] for name in (*LIST_INPUTS, "ends", "address")},
                **{f"{name}_next": Out(listed[name].shape) for name in LIST_INPUTS},
                **{name: summed[name] for name in ("b", "ended", "ended_next", "sum", "carry")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        m.submodules.pe = pe = self.pe
        m.submodules.list = digits = self.list
        for name in LIST_INPUTS:
            port = getattr(self, name)
            # A group taken out of nowhere does no harm: its pass's tag never comes.
            register = Signal.like(port, reset_less=True, name=f"{name}_register")
            m.d.sync += register.eq(port)
            m.d.comb += [
                getattr(digits, name).eq(port),
                getattr(self, f"{name}_next").eq(register),
            ]
        m.d.comb += [getattr(pe, line).eq(getattr(digits, line)) for line in self.spec.lines]
        m.d.comb += [
            self.ends.eq(digits.ends),
            self.address.eq(digits.address),
            pe.b.eq(self.b),
            pe.ended.eq(self.ended),
            self.ended_next.eq(pe.ended_next),
            self.sum.eq(pe.sum),
            self.carry.eq(pe.carry),
        ]
        return m


@component.register
def _(spec: SparseDigitSpec) -> SparseDigitPe:
    return SparseDigitPe(spec)


@component.register
def _(spec: SharedEncoderSpec) -> DigitPe:
    return DigitPe(spec)


@component.register
def _(spec: GroupedSpec) -> DigitPe:
    return DigitPe(spec)

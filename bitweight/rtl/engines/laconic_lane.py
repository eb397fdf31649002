"""One lane of the Laconic engine: digit lists of its rows and columns, walked in step.

A list is a mask: one bit for every exponent that a digit can have. Its least set bit is the current
digit, clearing it moves on. ``b`` is walked inside ``a``, and starts over for each digit of it.
"""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.pe.laconic import term_layout
from bitweight.rtl.recoding import recode
from bitweight.rtl.wires import any_of
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.pe.laconic import top_exponent
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import IntFormat


class _List(NamedTuple):
    """Registers of one operand's digits.

    Attributes:
        left: Exponents of the digits from the current one on.
        whole: Exponents of all its digits, as recoded now.
        next_left: ``left`` without the current digit.
        picked: The current digit's exponent, one-hot.
        signs: Sign of the digit that each exponent would belong to.
    """

    left: Signal
    whole: Value
    next_left: Value
    picked: Value
    signs: list[Signal]


class LaconicLane(wiring.Component):
    """Recoders, lists and the walk of one lane.

    Ports:
        load: Take new codes; otherwise move on by one pair.
        a: One code per row.
        b: One code per column.
        over: The current pair is the last, or there is none.
        a_terms, b_terms: Digits of the pair before the last edge, registered.
    """

    def __init__(self, spec: LaconicSpec) -> None:
        self.spec = spec
        pe = spec.pe
        # Codes enter as bare patterns: they come from slices of a beat.
        super().__init__(
            {
                "load": In(1),
                "a": In(ArrayLayout(pe.a.width, spec.rows)),
                "b": In(ArrayLayout(pe.b.width, spec.cols)),
                "over": Out(1),
                "a_terms": Out(ArrayLayout(term_layout(pe, pe.a), spec.rows)),
                "b_terms": Out(ArrayLayout(term_layout(pe, pe.b), spec.cols)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()
        pe = self.spec.pe
        rows = [self._list(m, pe.a, self.a[i], f"a_{i}") for i in range(self.spec.rows)]
        columns = [self._list(m, pe.b, self.b[j], f"b_{j}") for j in range(self.spec.cols)]
        a_any, b_any = (any_of([one.left.any() for one in side]) for side in (rows, columns))
        a_more, b_more = (any_of([one.next_left.any() for one in side]) for side in (rows, columns))
        m.d.comb += self.over.eq(~a_any | ~b_any | ~(a_more | b_more))
        for one in rows:
            moved = Mux(b_more, one.left, one.next_left)
            m.d.sync += one.left.eq(Mux(self.load, one.whole, moved))
        for number, one in enumerate(columns):
            kept = Signal.like(one.left, reset_less=True, name=f"b_{number}_all")
            with m.If(self.load):
                m.d.sync += kept.eq(one.whole)
            moved = Mux(b_more, one.next_left, kept)
            m.d.sync += one.left.eq(Mux(self.load, one.whole, moved))
        for name, terms, side in (("a", self.a_terms, rows), ("b", self.b_terms, columns)):
            for place, one in enumerate(side):
                self._term(m, terms[place], one, f"{name}_{place}_term")
        return m

    def _list(self, m: Module, form: IntFormat, code: Value, name: str) -> _List:
        """Add the recoder and the registers of one operand."""
        recoding = self.spec.pe.recoding
        value = code.as_signed() if form.signed else code
        recoder = Module()
        m.submodules[f"recoder_{name}"] = recoder
        digits = recode(recoder, recoding, form, value)
        width = top_exponent(form, recoding) + 1
        has_two = RECODINGS[recoding].radix > 2
        lines = [line for digit in digits for line in (digit.one, digit.two)[: 1 + has_two]]
        whole = Cat(lines)[:width]
        left = Signal(width, reset_less=True, name=f"{name}_left")
        signs: list[Signal] = []
        for number, digit in enumerate(digits):
            sign = Signal(reset_less=True, name=f"{name}_sign_{number}")
            with m.If(self.load):
                m.d.sync += sign.eq(digit.negate)
            signs += [sign] * (1 + has_two)
        next_left = Signal(width, name=f"{name}_next")
        m.d.comb += next_left.eq(left & (left - 1))
        return _List(left, whole, next_left, left & ~next_left, signs)

    @staticmethod
    def _term(m: Module, term: Any, one: _List, name: str) -> None:
        """Register the current digit as exponent and sign."""
        bits = list(one.picked)
        # No reset: what is no digit of a group is dropped when its sum starts.
        picked = Signal(term.shape(), reset_less=True, name=name)
        for place, line in enumerate(picked.exponent):
            chosen = [bit for exponent, bit in enumerate(bits) if exponent >> place & 1]
            m.d.sync += line.eq(any_of(chosen))
        signed = zip(bits, one.signs, strict=False)
        m.d.sync += [
            picked.negate.eq(any_of([bit & sign for bit, sign in signed])),
            picked.valid.eq(one.left.any()),
        ]
        m.d.comb += term.eq(picked)

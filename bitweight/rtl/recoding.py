"""Recoders: an operand's digits as select lines, for every entry of ``sim.recoding``."""

from collections.abc import Callable
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.sim.recoding import EN_T, MBE, NAF, RECODINGS, SIGN_MAGNITUDE, TWOS_COMPLEMENT
from bitweight.workloads.formats import IntFormat


class Digit(NamedTuple):
    """One digit: its magnitude in ``one`` and ``two``, and whether it is negative.

    A zero digit has no line set.
    """

    one: Value
    two: Value
    negate: Value


def recode(m: Module, recoding: str, form: IntFormat, value: Value) -> list[Digit]:
    """Add the recoder of ``value`` to ``m``; return its digits, least significant first.

    Args:
        m: Module that takes it, as combinational statements.
        recoding: Name in ``sim.recoding.RECODINGS``.
        form: Format of ``value``.
        value: The operand.
    """
    count = RECODINGS[recoding].digit_count(form)
    digits = []
    for number, lines in enumerate(_RECODERS[recoding](m, form, value, count)):
        named = Digit(*(Signal(name=f"{line}{number}") for line in Digit._fields))
        m.d.comb += [signal.eq(line) for signal, line in zip(named, lines, strict=True)]
        digits.append(named)
    return digits


def _sign(form: IntFormat, value: Value) -> Value:
    return value[-1] if form.signed else Const(0, 1)


def _magnitude(m: Module, form: IntFormat, value: Value) -> Value:
    magnitude = Signal(form.width, name="magnitude")
    m.d.comb += magnitude.eq(Mux(_sign(form, value), -value, value))
    return magnitude


def _twos_complement(m: Module, form: IntFormat, value: Value, count: int) -> list[Digit]:
    no = Const(0, 1)
    top = count - 1
    return [Digit(value[i], no, value[i] if form.signed and i == top else no) for i in range(count)]


def _sign_magnitude(m: Module, form: IntFormat, value: Value, count: int) -> list[Digit]:
    magnitude = _magnitude(m, form, value)
    sign = _sign(form, value)
    return [Digit(magnitude[i], Const(0, 1), magnitude[i] & sign) for i in range(count)]


def _booth(m: Module, form: IntFormat, value: Value, count: int) -> list[Digit]:
    padded = Cat(Const(0, 1), value, _sign(form, value).replicate(2 * count - form.width))
    digits = []
    for i in range(count):
        low, mid, high = (padded[2 * i + place] for place in range(3))
        # The digit is low + mid - 2 high.
        digits.append(Digit(low ^ mid, Mux(high, ~mid & ~low, mid & low), high & ~(mid & low)))
    return digits


def _en_t(m: Module, form: IntFormat, value: Value, count: int) -> list[Digit]:
    magnitude = Cat(_magnitude(m, form, value), Const(0, 2 * count - form.width))
    sign = _sign(form, value)
    carry: Value = Const(0, 1)
    digits = []
    for i in range(count):
        low, high = magnitude[2 * i], magnitude[2 * i + 1]
        # (low, high) plus carry is 0, 1, 2, or 3 = 4 - 1, or 4 = 4 + 0; 4 is carried on.
        one = low ^ carry
        two = Mux(high, ~low & ~carry, low & carry)
        minus = high & one
        digits.append(Digit(one, two, (one | two) & (minus ^ sign)))
        carried = Signal(name=f"carry{i}")
        m.d.comb += carried.eq(high & (low | carry))
        carry = carried
    return digits


def _naf(m: Module, form: IntFormat, value: Value, count: int) -> list[Digit]:
    padded = Cat(value, _sign(form, value).replicate(count + 1 - form.width))
    carry: Value = Const(0, 1)
    digits = []
    for i in range(count):
        here, above = padded[i], padded[i + 1]
        one = here ^ carry
        digits.append(Digit(one, Const(0, 1), one & above))
        carried = Signal(name=f"carry{i}")
        m.d.comb += carried.eq((here & above) | (here & carry) | (above & carry))
        carry = carried
    return digits


_RECODERS: dict[str, Callable[[Module, IntFormat, Value, int], list[Digit]]] = {
    TWOS_COMPLEMENT.name: _twos_complement,
    SIGN_MAGNITUDE.name: _sign_magnitude,
    MBE.name: _booth,
    EN_T.name: _en_t,
    NAF.name: _naf,
}

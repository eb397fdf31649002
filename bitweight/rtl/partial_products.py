"""Partial products: the bits of ``sim.partial_products`` as signals."""

from amaranth.hdl import Module, Signal, Value

from bitweight.rtl.recoding import Digit, recode
from bitweight.sim.partial_products import PartialProducts


def product_bits(m: Module, products: PartialProducts, a: Value, b: Value) -> list[Value]:
    """Add recoder and selectors of every row to ``m``; return the bits of ``row_inputs``.

    Args:
        m: Module that takes them, as combinational statements.
        products: Layout.
        a: Recoded operand, with the signedness of ``products.a``.
        b: Multiplied operand, with the signedness of ``products.b``.
    """
    width = products.row_width
    multiplicand = Signal(width)
    m.d.comb += multiplicand.eq(b)
    row_bits: list[Value] = []
    negates: list[Value] = []
    for number, digit in enumerate(recode(m, products.recoding, products.a, a)):
        row = Signal(width, name=f"row{number}")
        m.d.comb += row.eq(select_row(multiplicand, digit))
        row_bits += list(row)
        negates.append(digit.negate)
    return [*row_bits, *negates]


def select_row(multiplicand: Value, digit: Digit) -> Value:
    """Return the row of one digit: a multiple of ``multiplicand``, sign bit inverted.

    Args:
        multiplicand: The multiplied operand, extended to the width of a row.
        digit: Selects the multiple. Its ``negate`` bit is still to be added.
    """
    width = len(multiplicand)
    selected = (multiplicand & digit.one.replicate(width)) | (
        (multiplicand << 1)[:width] & digit.two.replicate(width)
    )
    return selected ^ digit.negate.replicate(width) ^ (1 << (width - 1))

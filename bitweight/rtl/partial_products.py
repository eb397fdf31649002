"""Partial products: the bits of ``sim.partial_products`` as signals."""

from amaranth.hdl import Module, Signal, Value

from bitweight.rtl.recoding import recode
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
        selected = (multiplicand & digit.one.replicate(width)) | (
            (multiplicand << 1)[:width] & digit.two.replicate(width)
        )
        m.d.comb += row.eq(selected ^ digit.negate.replicate(width) ^ (1 << (width - 1)))
        row_bits += list(row)
        negates.append(digit.negate)
    return [*row_bits, *negates]

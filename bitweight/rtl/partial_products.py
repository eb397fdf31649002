"""Radix-4 Booth partial products: the bits of ``sim.partial_products`` as signals."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.sim.partial_products import BoothRows


def booth_bits(m: Module, rows: BoothRows, a: Value, b: Value) -> list[Value]:
    """Add recoder and selectors of every row to ``m``; return the bits in ``rows.inputs`` order.

    Args:
        m: Module that takes them, as combinational statements.
        rows: Layout.
        a: Recoded operand, with the signedness of ``rows.a``.
        b: Multiplied operand, with the signedness of ``rows.b``.
    """
    width = rows.row_width
    top = a[-1] if rows.a.signed else Const(0, 1)
    padded = Cat(Const(0, 1), a, top.replicate(2 * rows.digits - rows.a.width))
    multiplicand = Signal(width)
    m.d.comb += multiplicand.eq(b)
    row_bits: list[Value] = []
    negates: list[Value] = []
    for digit in range(rows.digits):
        low, mid, high = (padded[2 * digit + place] for place in range(3))
        one = Signal(name=f"one{digit}")
        two = Signal(name=f"two{digit}")
        row = Signal(width, name=f"row{digit}")
        m.d.comb += [
            one.eq(low ^ mid),
            two.eq(Mux(high, ~mid & ~low, mid & low)),
            row.eq(
                (
                    (multiplicand & one.replicate(width))
                    | ((multiplicand << 1)[:width] & two.replicate(width))
                )
                ^ high.replicate(width)
                ^ (1 << (width - 1))
            ),
        ]
        row_bits += list(row)
        negates.append(high)
    return [*row_bits, *negates, *[Const(1, 1)] * rows.constant.bit_count()]

"""Radix-4 Booth partial products of a PE, as bits for a compressor tree.

Digit ``i`` of ``a`` (a modified-Booth digit, see ``sim.recoding``) selects 0, b or 2b and may
negate it. A negated row is its ones' complement plus one ``negate`` bit at the row's least weight.
No row is sign-extended: its sign bit enters inverted, and all that adds up to one constant::

    -s * 2**p  ==  (1 - s) * 2**p - 2**p          (s: sign bit at weight 2**p)

So a signed 8 x 8 product into a 32-bit accumulator needs 4 rows of 9 bits, 4 negate bits and 11
constant ones, instead of 4 rows of up to 32 bits.

RTL twin: ``rtl.partial_products``.
Source: MacSorley, "High-Speed Arithmetic in Binary Computers", Proc. IRE 49(1), 1961 (recoding);
the paper behind OPT1 (arXiv 2503.06342) recodes in the same way but sign-extends the rows.
"""

from dataclasses import dataclass
from functools import cache

from bitweight.sim.compressor import InputBit
from bitweight.sim.recoding import MBE
from bitweight.workloads.formats import IntFormat

# When bits reach the tree, in XOR delays after the operand registers: the recoder takes about two,
# selecting and inverting a multiple of b two more.
_NEGATE_ARRIVAL = 1
_ROW_ARRIVAL = 4


@dataclass(frozen=True, slots=True)
class BoothRows:
    """Where the partial-product bits of ``a x b`` stand.

    Attributes:
        a: Format of the recoded operand.
        b: Format of the multiplied operand.
        width: Bits of the sum that they enter.
    """

    a: IntFormat
    b: IntFormat
    width: int

    @property
    def digits(self) -> int:
        """Rows: Booth digits of ``a``."""
        return MBE.digit_count(self.a)

    @property
    def row_width(self) -> int:
        """Bits of a row: 2b with its sign."""
        return self.b.width + (1 if self.b.signed else 2)

    @property
    def constant(self) -> int:
        """What the inverted sign bits add up to, modulo ``2**width``."""
        signs = sum(1 << (2 * digit + self.row_width - 1) for digit in range(self.digits))
        return -signs % (1 << self.width)

    @property
    def inputs(self) -> tuple[InputBit, ...]:
        """Bits in tree order: the rows, least bit first; the negate bits; the constant's ones."""
        rows = [
            InputBit(2 * digit + bit, _ROW_ARRIVAL)
            for digit in range(self.digits)
            for bit in range(self.row_width)
        ]
        negates = [InputBit(2 * digit, _NEGATE_ARRIVAL) for digit in range(self.digits)]
        ones = [InputBit(bit, 0) for bit in range(self.width) if self.constant >> bit & 1]
        return (*rows, *negates, *ones)

    def bits(self, a: int, b: int) -> list[int]:
        """Return the value of each of ``inputs`` for operands ``a`` and ``b``."""
        sign = 1 << (self.row_width - 1)
        mask = (sign << 1) - 1
        rows: list[int] = []
        negates: list[int] = []
        for position, digit in enumerate(MBE.digits(a, self.a)):
            # The top bit of the digit's window, also for 111: a negated zero is a zero.
            negate = a >> (2 * position + 1) & 1
            magnitude = abs(digit) * b
            row = (~magnitude if negate else magnitude) & mask ^ sign
            rows += [row >> bit & 1 for bit in range(self.row_width)]
            negates.append(negate)
        return [*rows, *negates, *[1] * self.constant.bit_count()]


@cache
def booth_rows(a: IntFormat, b: IntFormat, width: int) -> BoothRows:
    """Return the (shared) layout for these formats."""
    return BoothRows(a, b, width)

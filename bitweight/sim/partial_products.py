"""Partial products of a PE, as bits for a compressor tree.

Digit ``i`` of ``a`` (see ``sim.recoding``) selects 0, b or 2b and may negate it: one row. A negated
row is its ones' complement plus one ``negate`` bit at the row's least weight. No row is
sign-extended: its sign bit enters inverted, and all that adds up to one constant::

    -s * 2**p  ==  (1 - s) * 2**p - 2**p          (s: sign bit at weight 2**p)

So a signed 8 x 8 Booth product into a 32-bit accumulator needs 4 rows of 9 bits, 4 negate bits and
21 constant ones, instead of 4 rows of up to 32 bits.

RTL twin: ``rtl.partial_products``.
Source: the paper behind OPT1 (arXiv 2503.06342) recodes in the same way but sign-extends its rows.
"""

from dataclasses import dataclass
from functools import cache

from bitweight.sim.compressor import InputBit
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import IntFormat

# When bits reach the tree, in XOR delays after the operand registers: the recoder takes about two,
# selecting and inverting a multiple of b two more.
_NEGATE_ARRIVAL = 2
_ROW_ARRIVAL = 4


@dataclass(frozen=True, slots=True)
class PartialProducts:
    """Where the partial-product bits of ``a x b`` stand.

    Attributes:
        recoding: Name of the recoding of ``a``.
        a: Format of the recoded operand.
        b: Format of the multiplied operand.
        width: Bits of the sum that they enter.
    """

    recoding: str
    a: IntFormat
    b: IntFormat
    width: int

    @property
    def rows(self) -> int:
        """Rows: digits of ``a``."""
        return RECODINGS[self.recoding].digit_count(self.a)

    @property
    def step(self) -> int:
        """Bits from one row's least weight to the next one's."""
        return RECODINGS[self.recoding].radix.bit_length() - 1

    @property
    def row_width(self) -> int:
        """Bits of a row: the greatest multiple of b, with a sign."""
        return self.b.width + self.step - 1 + (not self.b.signed)

    @property
    def offset(self) -> int:
        """How much the rows and negate bits add up to beyond the product: the inverted signs."""
        return sum(1 << (self.step * row + self.row_width - 1) for row in range(self.rows))

    @property
    def constant(self) -> int:
        """What takes the offset off again, modulo ``2**width``."""
        return -self.offset % (1 << self.width)

    @property
    def row_inputs(self) -> tuple[InputBit, ...]:
        """Bits in tree order: the rows, least bit first, then the negate bits."""
        rows = [
            InputBit(self.step * row + bit, _ROW_ARRIVAL)
            for row in range(self.rows)
            for bit in range(self.row_width)
        ]
        negates = [InputBit(self.step * row, _NEGATE_ARRIVAL) for row in range(self.rows)]
        return (*rows, *negates)

    @property
    def ones(self) -> tuple[InputBit, ...]:
        """Bits of the constant."""
        return tuple(InputBit(bit, 0) for bit in range(self.width) if self.constant >> bit & 1)

    def bits(self, a: int, b: int) -> list[int]:
        """Return the value of each of ``row_inputs`` for operands ``a`` and ``b``."""
        sign = 1 << (self.row_width - 1)
        mask = (sign << 1) - 1
        rows: list[int] = []
        negates: list[int] = []
        for digit in RECODINGS[self.recoding].digits(a, self.a):
            magnitude = abs(digit) * b
            row = (~magnitude if digit < 0 else magnitude) & mask ^ sign
            rows += [row >> bit & 1 for bit in range(self.row_width)]
            negates.append(int(digit < 0))
        return [*rows, *negates]


@cache
def partial_products(recoding: str, a: IntFormat, b: IntFormat, width: int) -> PartialProducts:
    """Return the (shared) layout for these formats."""
    return PartialProducts(recoding, a, b, width)

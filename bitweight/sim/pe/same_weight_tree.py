"""Dot product that reduces equal bit-weights first: a column of the multiplier-adder tree.

All lanes' partial products of one weight are narrow words of equal place value. A compressor turns
them into a pair, with no shift and no sign extension; the pairs of all weights then meet, shifted
by wiring, in a second compressor, and one adder gives the sum::

    digit 0 of every lane x b -> compress -> pair << 0 -+
    digit 1 of every lane x b -> compress -> pair << 2 -+-> compress -> pair -> add -> sum
    ...                                                 |
    constant: all inverted sign bits taken off ---------+

RTL twin: ``rtl.engines.adder_tree_column``.
Source: OPT2 of arXiv 2503.06342 and its released tree. That one adds 13-bit words, which all least
codes overflow; here the width follows from the extremes. Its sums carry out at every level.
"""

from dataclasses import dataclass

from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.pe.step import check_acc_width
from bitweight.sim.recoding import EN_T, RECODINGS, check_recoding
from bitweight.workloads.formats import INT8, IntFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class SameWeightTreeSpec:
    """Parameters of a same-weight dot product.

    Attributes:
        a: Format of the streamed operand; it is the one recoded.
        b: Format of the other operand.
        acc_width: Width of accumulated sums in bits. They wrap modulo ``2**acc_width``.
        recoding: Name of the recoding of ``a``: one partial product per digit.
        pipelined: Register the partial products before they are compressed.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    recoding: str = EN_T.name
    pipelined: bool = False

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product, and unknown recodings."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_recoding(self.recoding)

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "same_weight"

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers: sums leave a column resolved."""
        return ("acc",)

    @property
    def digits(self) -> int:
        """Digit slots of a MAC: all digits of ``a`` at once."""
        return self.products.rows

    @property
    def latency(self) -> int:
        """Clock edges from operands to the sum if only the sum is registered."""
        return 2 if self.pipelined else 1

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the accumulator, once read, to its value: it is the value."""
        return 0

    @property
    def register_bits(self) -> int:
        """Flip-flops of one lane's partial products."""
        return self.digits * (self.products.row_width + 1) if self.pipelined else 0

    @property
    def products(self) -> PartialProducts:
        """Layout of one lane's partial products."""
        return partial_products(self.recoding, self.a, self.b, self.acc_width)

    @property
    def select_lines(self) -> tuple[tuple[str, ...], ...]:
        """Per digit the select lines that any operand sets."""
        return select_lines(self.recoding, self.a)

    def weight_width(self, lanes: int, digit: int) -> int:
        """Bits in which all lanes' rows of one digit add up without a lost carry."""
        return weight_width(self.products, lanes, digit)


def select_lines(recoding: str, form: IntFormat) -> tuple[tuple[str, ...], ...]:
    """Return, per digit of ``form``, the lines ``one``, ``two``, ``negate`` that any value sets."""
    return tuple(
        tuple(
            line
            for line, is_set in (
                ("one", abs(digit) == 1),
                ("two", abs(digit) == 2),
                ("negate", digit < 0),
            )
            if is_set.any()
        )
        for digit in RECODINGS[recoding].digit_table(form).T
    )


def weight_width(products: PartialProducts, lanes: int, digit: int) -> int:
    """Return the bits in which the rows of one digit add up without a lost carry.

    Rows, sign bits inverted, are positive, and so is their sum: its greatest value decides.

    Args:
        products: Layout of one lane.
        lanes: Rows that are added.
        digit: Number of the digit.
    """
    values = RECODINGS[products.recoding].digit_table(products.a)[:, digit]
    greatest = max(
        int(value) * b
        for value in (values.min(), values.max())
        for b in (products.b.min, products.b.max)
    )
    return (lanes * (greatest + (1 << (products.row_width - 1)))).bit_length()

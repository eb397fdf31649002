"""MAC of several k at once that reduces equal bit-weights first, into a redundant accumulator.

``temporal``: each clock takes one digit, all of the same weight, from each of ``k_lanes`` elements
of ``a``. Their partial products are narrow words of equal place value; one compressor adds them to
the (sum, carry) pair. A pass over all k takes one bit-weight, the most significant first, and the
first clock of the next pass shifts the pair by one digit (Horner's rule)::

    pass d = 3:  pair = sum over k of digit 3 x b
    pass d = 2:  pair = (pair << 2) + sum over k of digit 2 x b        and so on

Not temporal: each clock takes all digits of ``k_lanes`` elements. The rows of each weight are
compressed first, unshifted and narrow; the pairs of all weights then join the accumulator.

Recoding is outside: all PEs of a row meet the same digits (``rtl.engines.matrix_2d``).

RTL twin: ``rtl.pe.same_weight_mac``.
Source: OPT2 of arXiv 2503.06342: 4 operand pairs in a PE, one digit of each per clock. There the
pair stays unshifted and is shifted and added outside after each pass. Horner's rule is ours: it
needs wiring and a selector in the loop, and no second accumulator.
"""

from dataclasses import dataclass

from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.pe.same_weight_tree import select_lines, weight_width
from bitweight.sim.pe.step import check_acc_width
from bitweight.sim.recoding import EN_T, check_recoding
from bitweight.workloads.formats import INT8, IntFormat

_MOST_LANES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SameWeightMacSpec:
    """Parameters of a same-weight MAC.

    Attributes:
        a: Format of the streamed operand; it is the one recoded.
        b: Format of the other operand.
        acc_width: Width of each accumulator word in bits. Sums wrap modulo ``2**acc_width``.
        recoding: Name of the recoding of ``a``: one partial product per digit.
        k_lanes: Operand pairs, 1 to 16.
        temporal: One bit-weight per clock; else all at once.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    recoding: str = EN_T.name
    k_lanes: int = 4
    temporal: bool = True

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product, unknown recodings, no lanes."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_recoding(self.recoding)
        if not 1 <= self.k_lanes <= _MOST_LANES:
            raise ValueError(f"Lanes along k must be 1 to {_MOST_LANES}, not {self.k_lanes!r}")

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "same_weight"

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; modulo ``2**acc_width`` they add up to the value."""
        return ("sum", "carry")

    @property
    def digits(self) -> int:
        """Digit slots of a MAC: all digits of ``a``."""
        return self.products.rows

    @property
    def passes(self) -> int:
        """Passes over k that a sum takes."""
        return self.digits if self.temporal else 1

    @property
    def latency(self) -> int:
        """Clock edges from digits and operands to their effect on ``sum`` and ``carry``."""
        return 1

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the pair, once read, to its value: one carry-propagate adder."""
        return 1

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: both words, less the carry's constant bit 0."""
        return 2 * self.acc_width - 1

    @property
    def products(self) -> PartialProducts:
        """Layout of one lane's partial products."""
        return partial_products(self.recoding, self.a, self.b, self.acc_width)

    @property
    def select_lines(self) -> tuple[tuple[str, ...], ...]:
        """Per digit that the PE meets in one clock, the select lines that any operand sets."""
        lines = select_lines(self.recoding, self.a)
        if not self.temporal:
            return lines
        used = {line for digit in lines for line in digit}
        return (tuple(line for line in ("one", "two", "negate") if line in used),)

    def weight_width(self, digit: int) -> int:
        """Bits in which all lanes' rows of one digit add up without a lost carry."""
        return weight_width(self.products, self.k_lanes, digit)

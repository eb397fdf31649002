"""Laconic PE: each lane multiplies one non-zero digit of ``a`` by one of ``b`` per clock.

Digits are plus or minus a power of two, so a pair's product is a sign and the sum of two
exponents. Each lane makes one two's complement word of it, with a single bit set or, if negative,
all bits from that one up; a compressor tree and an adder make ``total`` of all lanes' words, which
is accumulated one clock later. A lane without a pair contributes zero::

    exponents -> add -> shift -+
    signs ----> xor ---^       +-> tree over lanes -> adder -> total -> acc
                               |

RTL twin: ``rtl.pe.laconic``.
Source: Sharify et al., "Laconic Deep Learning Inference Acceleration", ISCA 2019, arXiv 1805.04513.
There one-hot words are counted per exponent and the counts aligned afterwards; one tree over
two's complement words adds the same bits in fewer adders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from bitweight.sim.compressor import CompressorTree, InputBit, plan_tree
from bitweight.sim.pe.bit_serial import check_lanes
from bitweight.sim.pe.step import check_acc_width, resolve, wrap
from bitweight.sim.recoding import NAF, RECODINGS, check_recoding
from bitweight.workloads.formats import INT8, IntFormat

# Adding two exponents and shifting by the sum, in XOR delays.
_WORD_ARRIVAL = 8


class Term(NamedTuple):
    """A non-zero digit with its weight: ``(-1)**negate * 2**exponent``."""

    exponent: int
    negate: bool


def terms(value: int, form: IntFormat, recoding: str) -> list[Term]:
    """Return the non-zero digits of ``value``, least first."""
    step = RECODINGS[recoding].radix.bit_length() - 1
    return [
        Term(step * place + (abs(digit) == 2), digit < 0)
        for place, digit in enumerate(RECODINGS[recoding].digits(value, form))
        if digit
    ]


@cache
def top_exponent(form: IntFormat, recoding: str) -> int:
    """Return the greatest exponent of a format's digits."""
    table = RECODINGS[recoding].digit_table(form)
    place = int(np.flatnonzero(table.any(axis=0))[-1])
    step = RECODINGS[recoding].radix.bit_length() - 1
    return step * place + int(np.abs(table[:, place]).max() > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaconicPeSpec:
    """Parameters of one Laconic PE.

    Attributes:
        a: Format of the streamed operand.
        b: Format of the other operand.
        acc_width: Accumulator width in bits. Sums wrap modulo ``2**acc_width``.
        recoding: Name of the recoding of both operands.
        lanes: Operand pairs of a group, 1 to 64.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    recoding: str = NAF.name
    lanes: int = 16

    def __post_init__(self) -> None:
        """Refuse accumulators too narrow for a product, unknown recodings, PEs without lanes."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_recoding(self.recoding)
        check_lanes(self.lanes)

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "laconic"

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers: one word, no carries kept."""
        return ("acc",)

    @property
    def digits(self) -> int:
        """Most digit pairs of a MAC."""
        recoding = RECODINGS[self.recoding]
        return recoding.digit_count(self.a) * recoding.digit_count(self.b)

    @property
    def latency(self) -> int:
        """Clock edges from a pair at the inputs to its effect on ``acc``."""
        return 2

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the accumulator, once read, to its value: it is the value."""
        return 0

    @property
    def word_width(self) -> int:
        """Bits of a lane's word: the greatest product of two digits, positive, with its sign."""
        tops = (top_exponent(form, self.recoding) for form in (self.a, self.b))
        return sum(tops) + 2

    @property
    def total_width(self) -> int:
        """Bits of ``total``."""
        return self.word_width + (self.lanes - 1).bit_length()

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE."""
        return self.total_width + self.acc_width

    @property
    def constant(self) -> int:
        """What takes off the inverted sign bits of the lanes, modulo ``2**total_width``."""
        return -(self.lanes << (self.word_width - 1)) % (1 << self.total_width)

    @property
    def tree(self) -> CompressorTree:
        """Compressor tree; its inputs are the lanes' words in order and the constant's ones."""
        return _tree(self)


@cache
def _tree(spec: LaconicPeSpec) -> CompressorTree:
    word = [InputBit(bit, _WORD_ARRIVAL) for bit in range(spec.word_width)]
    inputs = word * spec.lanes
    inputs += [InputBit(bit, 0) for bit in range(spec.total_width) if spec.constant >> bit & 1]
    return plan_tree(inputs, spec.total_width)


class State(NamedTuple):
    """Registers of the PE, named as in the RTL, unsigned."""

    total: int = 0
    acc: int = 0


def step_terms(
    spec: LaconicPeSpec,
    state: State,
    a: Sequence[Term | None],
    b: Sequence[Term | None],
    *,
    restart: bool = False,
) -> State:
    """Advance the PE by one clock.

    Args:
        spec: Parameters of the PE.
        state: Its registers before the clock edge.
        a: One digit of ``a`` per lane, or None.
        b: One digit of ``b`` per lane, or None.
        restart: Start a new sum from ``total``.

    Returns:
        The registers after the edge.
    """
    total = 0
    for x, y in zip(a, b, strict=True):
        if x is not None and y is not None:
            product = 1 << (x.exponent + y.exponent)
            total += -product if x.negate != y.negate else product
    acc = (0 if restart else state.acc) + wrap(state.total, spec.total_width)
    return State(total=total % (1 << spec.total_width), acc=acc % (1 << spec.acc_width))


@resolve.register
def _(spec: LaconicPeSpec, state: State) -> int:
    return wrap(state.acc, spec.acc_width)

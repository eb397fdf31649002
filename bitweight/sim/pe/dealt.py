"""Shifting digit PE: one digit of any bit-weight a clock and lane, all lanes into one pair.

Each lane shifts its ``b`` to the weight of its digit, so lanes need not agree on a bit-weight and
no pass ends with one. The pair holds a whole row's sum::

    b     -> register -> shift -> negate -> row -+
    b     -> register -> shift -> negate -> row -+-> compressor tree -> sum, carry
    ...                                          |                     |
                                                 +---------------------+

``shift`` and ``negate`` are the same for all PEs and are registered once, outside. An empty slot is
``b = 0``, not negated. A row's sign bit enters inverted: every clock adds ``offset`` too much,
whatever the digits, and whoever reads the pair takes it off once.

RTL twin: ``rtl.pe.dealt``.
Source: ours. The shared pair is that of OPT4E (arXiv 2503.06342), whose lanes share a bit-weight
and need no shifter; there every bit-weight ends with a barrier.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from bitweight.sim.compressor import CompressorTree, InputBit, compress, plan_tree
from bitweight.sim.pe.step import check_acc_width, wrap
from bitweight.sim.recoding import EN_T, RECODINGS, Recoding, check_recoding
from bitweight.workloads.formats import INT8, IntFormat

_MAX_LANES = 16
# In XOR delays after the registers: a shifter stage is about two, inverting one.
_NEGATE_ARRIVAL = 0
_ROW_ARRIVAL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class DealtPeSpec:
    """Parameters of one shifting digit PE.

    Attributes:
        a: Format of the recoded operand.
        b: Format of the other operand.
        acc_width: Width of each accumulator word in bits. Sums wrap modulo ``2**acc_width``.
        recoding: Name of the recoding of ``a``.
        lanes: Digits per clock, 1 to 16.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    recoding: str = EN_T.name
    lanes: int = 4

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product, and PEs without lanes."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_recoding(self.recoding)
        if not 1 <= self.lanes <= _MAX_LANES:
            raise ValueError(f"Lanes must be 1 to {_MAX_LANES}, not {self.lanes!r}")

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "dealt"

    @property
    def code(self) -> Recoding:
        """The recoding itself."""
        return RECODINGS[self.recoding]

    @property
    def digits(self) -> int:
        """Digit slots of a MAC if no digit were zero."""
        return self.code.digit_count(self.a)

    @property
    def step(self) -> int:
        """Bits from one digit's weight to the next one's."""
        return self.code.radix.bit_length() - 1

    @property
    def max_shift(self) -> int:
        """Greatest power of two that a digit with its weight stands for."""
        return _max_shift(self.code, self.a)

    @property
    def row_width(self) -> int:
        """Bits of a row: the greatest multiple of b, with a sign."""
        return self.b.width + (not self.b.signed) + self.max_shift

    @property
    def offset(self) -> int:
        """What one clock adds beyond its digits: the inverted signs of all rows."""
        return self.lanes << (self.row_width - 1)

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; less the offsets they add up to the value."""
        return ("sum", "carry")

    @property
    def latency(self) -> int:
        """Clock edges from a ``b`` at the inputs to its effect on ``sum`` and ``carry``."""
        return 2

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the pair, once read, to its value: one carry-propagate adder."""
        return 1

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: b of each lane, and both words less the carry's bit 0."""
        return self.lanes * self.b.width + 2 * self.acc_width - 1

    @property
    def tree(self) -> CompressorTree:
        """Compressor tree; its inputs are the sum, carry bits 1 and up, rows and negate bits.

        Column 0 takes an odd number of bits and keeps one, so carry bit 0 is always zero.
        """
        return _tree(self.acc_width, self.row_width, self.lanes)


@cache
def _max_shift(code: Recoding, form: IntFormat) -> int:
    table = code.digit_table(form)
    step = code.radix.bit_length() - 1
    shifts = [
        step * place + abs(int(digit)) - 1
        for place in range(table.shape[1])
        for digit in (table[:, place].min(), table[:, place].max())
        if digit
    ]
    return max(shifts)


@cache
def _tree(width: int, row_width: int, lanes: int) -> CompressorTree:
    words = [InputBit(bit, 0) for word in (0, 1) for bit in range(word, width)]
    rows = [InputBit(bit, _ROW_ARRIVAL) for _ in range(lanes) for bit in range(row_width)]
    tree = plan_tree((*words, *rows, *[InputBit(0, _NEGATE_ARRIVAL)] * lanes), width)
    assert len(tree.outputs[0]) == 1, "carry bit 0 has no register"
    return tree


class Digit(NamedTuple):
    """A digit with its weight: ``2**shift``, negated or not."""

    shift: int = 0
    negate: bool = False


class State(NamedTuple):
    """Registers of the PE, named as in the RTL; the words are unsigned."""

    b: tuple[int, ...]
    sum: int = 0
    carry: int = 0


def idle(spec: DealtPeSpec) -> State:
    """Return the state of a PE whose registers hold zero."""
    return State(b=(0,) * spec.lanes)


def advance(
    spec: DealtPeSpec,
    state: State,
    b: tuple[int, ...],
    digits: tuple[Digit, ...],
    *,
    clear: bool,
) -> State:
    """Advance a PE by one clock.

    Args:
        spec: Parameters of the PE.
        state: Its registers before the clock edge.
        b: What enters the lanes' registers; 0 in an empty slot.
        digits: Per lane the digit that the registered b is multiplied by.
        clear: Start a new sum from these digits.

    Returns:
        The registers after the edge.
    """
    total, carry = (0, 0) if clear else (state.sum, state.carry)
    bits = [total >> bit & 1 for bit in range(spec.acc_width)]
    bits += [carry >> bit & 1 for bit in range(1, spec.acc_width)]
    sign = 1 << (spec.row_width - 1)
    for value, digit in zip(state.b, digits, strict=True):
        shifted = value << digit.shift
        row = (~shifted if digit.negate else shifted) & (2 * sign - 1) ^ sign
        bits += [row >> bit & 1 for bit in range(spec.row_width)]
    bits += [int(digit.negate) for digit in digits]
    return State(b, *compress(spec.tree, bits))


def row_sum(spec: DealtPeSpec, state: State, clocks: int) -> int:
    """Return the sum that a pair holds ``clocks`` after it was cleared, wrapped."""
    return wrap(state.sum + state.carry - clocks * spec.offset, spec.acc_width)

"""Digit PE: one digit of ``a`` and one ``b`` a clock and lane, summed unshifted as a pair.

All digits of a pass have one bit-weight, so the sum needs no shift and stays narrow; whoever reads
the pair shifts it. A pass ends with the tag ``ended``: in that clock the pair is complete and is
read, and the next digit starts a new one::

    digit lines -> register -> select -+
    b           -> register ----------+-> row -> compressor tree -> sum, carry --> read with ended
                                                  ^                             |
                                                  +---- cleared by ended -------+

A row is the ones' complement of a negative multiple plus a ``negate`` bit, and its sign bit is
inverted instead of extended: every clock adds ``2**(row_width - 1)`` too much for each lane,
whatever the digit. The reader knows the clocks of a pass and takes ``offset`` off, once per pass.
So above the row the tree is a chain of half adders.

Zero has no line set: an empty slot needs no ``b = 0`` and no code of its own.

RTL twin: ``rtl.pe.digit``.
Source: arXiv 2503.06342, OPT3 (an encoder in every PE), OPT4C (one for a column of PEs), OPT4E
(four lanes into one 6:2 compressor and one pair). Ours: the pair is as wide as ``pass_depth`` needs
(the published 26 bits hold any k to 131,071), offset instead of sign extension, no negation adder.
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple

from bitweight.sim.compressor import CompressorTree, InputBit, compress, plan_tree
from bitweight.sim.pe.step import check_acc_width
from bitweight.sim.recoding import EN_T, RECODINGS, Recoding, check_recoding
from bitweight.workloads.formats import INT8, IntFormat

GROUP = 4
"""Consecutive k whose digits of one bit-weight are listed together."""

_MAX_PASS_DEPTH = 1 << 16
# In XOR delays after the registers, as in sim.partial_products.
_NEGATE_ARRIVAL = 0
_ROW_ARRIVAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPeSpec:
    """Parameters of one digit PE.

    Attributes:
        a: Format of the recoded operand.
        b: Format of the other operand.
        acc_width: Width of a result in bits. Sums wrap modulo ``2**acc_width``.
        recoding: Name of the recoding of ``a``.
        pass_depth: Greatest k that one pass sums over; sets the width of the pair.
    """

    name: ClassVar[str]
    lanes: ClassVar[int]
    own_encoder: ClassVar[bool]

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    recoding: str = EN_T.name
    pass_depth: int = 1024

    def __post_init__(self) -> None:
        """Refuse widths and depths that do not fit."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_recoding(self.recoding)
        least = 2 * GROUP * self.lanes
        if not least <= self.pass_depth <= _MAX_PASS_DEPTH:
            raise ValueError(
                f"pass_depth must be {least} to {_MAX_PASS_DEPTH}, not {self.pass_depth!r}"
            )

    @property
    def code(self) -> Recoding:
        """The recoding itself."""
        return RECODINGS[self.recoding]

    @property
    def digits(self) -> int:
        """Digit slots of a MAC if no digit were zero; so many passes make a sum."""
        return self.code.digit_count(self.a)

    @property
    def step(self) -> int:
        """Bits from one digit's weight to the next one's."""
        return self.code.radix.bit_length() - 1

    @property
    def lines(self) -> tuple[str, ...]:
        """Select lines of a digit: ``b``, ``2 b`` (radix 4) and whether it is negative."""
        return ("one", "two", "negate") if self.step > 1 else ("one", "negate")

    @property
    def row_width(self) -> int:
        """Bits of a row: the greatest multiple of b, with a sign."""
        return self.b.width + self.step - 1 + (not self.b.signed)

    @property
    def sum_width(self) -> int:
        """Bits that hold any pass over ``pass_depth``: one digit for each k."""
        table = self.code.digit_table(self.a)
        multiples = [
            int(digit) * value
            for digit in (table.min(), table.max())
            for value in (self.b.min, self.b.max)
        ]
        greatest, least = max(multiples) * self.pass_depth, min(multiples) * self.pass_depth
        return max(greatest.bit_length(), (-least - 1).bit_length()) + 1

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; modulo ``2**sum_width`` they add up to the sum."""
        return ("sum", "carry")

    @property
    def latency(self) -> int:
        """Clock edges from a digit at the inputs to its effect on ``sum`` and ``carry``."""
        return 2

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the pair, once read, to its value: one carry-propagate adder."""
        return 1

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: b and select lines of each lane, tag, pair less its carry bit 0."""
        return self.lanes * (self.b.width + len(self.lines)) + 1 + 2 * self.sum_width - 1

    @property
    def row_bits(self) -> int:
        """Bits that say which of a lane's groups a digit is of, in one of two b tiles."""
        return 1 + (self.pass_depth // (GROUP * self.lanes) - 1).bit_length()

    @property
    def tree(self) -> CompressorTree:
        """Compressor tree; its inputs are the sum, carry bits 1 and up, rows, negate bits.

        Column 0 takes an odd number of bits and keeps one, so carry bit 0 is always zero.
        """
        return _tree(self.sum_width, self.row_width, self.lanes)

    def offset(self, clocks: int) -> int:
        """Return how much a pair holds beyond its sum, ``clocks`` after it was cleared."""
        return clocks * self.lanes << (self.row_width - 1)


class SparseDigitSpec(DigitPeSpec):
    """OPT3: recoders and list of non-zero digits in every PE."""

    __slots__ = ()
    name = "sparse_digit"
    lanes = 1
    own_encoder = True

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: the plain one's, the list's, and the group's way to the next PE."""
        lines = len(self.lines)
        plain = self.b.width + lines + 2 * self.sum_width
        held = GROUP * (1 + lines) + self.row_bits
        sent = self.row_bits + (GROUP - 1).bit_length() + 2 * lines
        passed = GROUP * self.a.width + max(1, (self.digits - 1).bit_length()) + self.row_bits + 2
        return plain + held + sent + passed


class SharedEncoderSpec(DigitPeSpec):
    """OPT4C: recoders and list once for a column of PEs."""

    __slots__ = ()
    name = "shared_encoder"
    lanes = 1
    own_encoder = False


class GroupedSpec(DigitPeSpec):
    """OPT4E: four lanes of digits into one pair, recoders and lists once for a column."""

    __slots__ = ()
    name = "grouped"
    lanes = 4
    own_encoder = False


@cache
def _tree(width: int, row_width: int, lanes: int) -> CompressorTree:
    words = [InputBit(bit, 0) for word in (0, 1) for bit in range(word, width)]
    rows = [InputBit(bit, _ROW_ARRIVAL) for _ in range(lanes) for bit in range(row_width)]
    tree = plan_tree((*words, *rows, *[InputBit(0, _NEGATE_ARRIVAL)] * lanes), width)
    assert len(tree.outputs[0]) == 1, "carry bit 0 has no register"
    return tree


class Lane(NamedTuple):
    """Registers of one lane: its b and digit; a magnitude of 0 is an empty slot."""

    b: int = 0
    digit: int = 0


class State(NamedTuple):
    """Registers of the PE, named as in the RTL; the words are unsigned."""

    lanes: tuple[Lane, ...]
    ended: bool = False
    sum: int = 0
    carry: int = 0


def idle(spec: DigitPeSpec) -> State:
    """Return the state of a PE whose registers hold zero."""
    return State(lanes=(Lane(),) * spec.lanes)


def advance(spec: DigitPeSpec, state: State, lanes: tuple[Lane, ...], *, ended: bool) -> State:
    """Advance a PE by one clock.

    Args:
        spec: Parameters of the PE.
        state: Its registers before the clock edge.
        lanes: What arrives: per lane a b and a digit, -2 to 2.
        ended: The digits that arrived one clock before were their pass's last.

    Returns:
        The registers after the edge.
    """
    total, carry = (0, 0) if state.ended else (state.sum, state.carry)
    bits = [total >> bit & 1 for bit in range(spec.sum_width)]
    bits += [carry >> bit & 1 for bit in range(1, spec.sum_width)]
    sign = 1 << (spec.row_width - 1)
    for b, digit in state.lanes:
        magnitude = abs(digit) * b
        row = (~magnitude if digit < 0 else magnitude) & (2 * sign - 1) ^ sign
        bits += [row >> bit & 1 for bit in range(spec.row_width)]
    bits += [int(lane.digit < 0) for lane in state.lanes]
    return State(lanes, ended, *compress(spec.tree, bits))


def pass_sum(spec: DigitPeSpec, state: State, clocks: int) -> int:
    """Return the sum that a pair holds ``clocks`` after it was cleared, signed."""
    width = spec.sum_width
    half = 1 << (width - 1)
    return (state.sum + state.carry - spec.offset(clocks) + half) % (1 << width) - half

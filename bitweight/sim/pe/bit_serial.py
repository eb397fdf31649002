"""Bit-serial PE: one bit of every lane's ``a`` per clock, and a group of lanes after another.

Each clock adds up the ``b`` of those lanes whose bit of ``a`` is set: one compressor tree without
multipliers. Bits come least first, so the running sum of a group shifts right by one and what
falls out is final: the adder is only as wide as one sum over the lanes. After ``a.width`` clocks
the group's sum stands in ``high`` and ``low``, and is added to ``acc`` while the next one starts::

    a bits -+                  +--- shift right ---+
    b ------+-> AND -> tree -> adder -> high ------+-> low      acc += (high, low), once per group
                        ^                 |
                        +-----------------+

The top bit of a signed ``a`` weighs negatively. ``h - t`` is ``~(~h + t)``: the clock before it
stores ``high`` inverted and its own clock inverts back, for one XOR per bit of ``high`` instead of
one per bit of every lane.

RTL twin: ``rtl.pe.bit_serial``.
Source: Stripes, Judd et al., MICRO 2016, for one bit of one operand per clock against all lanes;
"bit-serial, two's complement" of arXiv 2503.06342. Bit order and sign handling are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from bitweight.sim.compressor import CompressorTree, InputBit, plan_tree
from bitweight.sim.pe.step import check_acc_width, resolve, wrap
from bitweight.workloads.formats import INT8, IntFormat

MAX_LANES = 64
_AND_ARRIVAL = 1


def check_lanes(lanes: int) -> None:
    """Raise ``ValueError`` unless a PE can have ``lanes`` lanes."""
    if not 1 <= lanes <= MAX_LANES:
        raise ValueError(f"Lanes of a PE must be 1 to {MAX_LANES}, not {lanes!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BitSerialPeSpec:
    """Parameters of one bit-serial PE. Its recoding of ``a`` is two's complement.

    Attributes:
        a: Format of the operand that comes bit by bit.
        b: Format of the other operand, held for a group.
        acc_width: Accumulator width in bits. Sums wrap modulo ``2**acc_width``.
        lanes: Operand pairs of a group, 1 to 64.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    lanes: int = 16

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product, and PEs without lanes."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_lanes(self.lanes)

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "bit_serial"

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers: one word, no carries kept."""
        return ("acc",)

    @property
    def digits(self) -> int:
        """Digit slots of a MAC: the bits of ``a``, zero or not."""
        return self.a.width

    @property
    def latency(self) -> int:
        """Clock edges from a group's last bits at the inputs to their effect on ``acc``."""
        return 2

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the accumulator, once read, to its value: it is the value."""
        return 0

    @property
    def high_width(self) -> int:
        """Bits of ``high``: one sum over the lanes, with a sign where there can be one."""
        extra = self.a.signed and not self.b.signed
        return self.b.width + (self.lanes - 1).bit_length() + extra

    @property
    def has_sign(self) -> bool:
        """Whether a group's sum can be negative."""
        return self.a.signed or self.b.signed

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE."""
        return self.high_width + self.a.width + self.acc_width

    @property
    def constant(self) -> int:
        """What takes off the inverted sign bits of lanes and ``high``, modulo the tree's width."""
        lane_signs = self.lanes << (self.b.width - 1) if self.b.signed else 0
        high_sign = 1 << (self.high_width - 1) if self.has_sign else 0
        return -(lane_signs + high_sign) % (1 << (self.high_width + 1))

    @property
    def tree(self) -> CompressorTree:
        """Compressor tree; its inputs are ``high``, the lanes in order, and the constant's ones."""
        return _tree(self)


@cache
def _tree(spec: BitSerialPeSpec) -> CompressorTree:
    width = spec.high_width + 1
    inputs = [InputBit(bit, 0) for bit in range(spec.high_width)]
    inputs += [
        InputBit(bit, _AND_ARRIVAL) for _ in range(spec.lanes) for bit in range(spec.b.width)
    ]
    inputs += [InputBit(bit, 0) for bit in range(width) if spec.constant >> bit & 1]
    return plan_tree(inputs, width)


class State(NamedTuple):
    """Registers of the PE, named as in the RTL, unsigned.

    ``high`` and ``low`` are the running sum of a group; it is complete for one clock.
    """

    high: int = 0
    low: int = 0
    acc: int = 0


class Control(NamedTuple):
    """What a clock does, the same in all PEs.

    Attributes:
        first: These are a group's first bits; what ``high`` holds does not count.
        before_sign: These are the bits before the signs of ``a``.
        sign: These are the signs of ``a``.
        commit: ``high`` and ``low`` hold a complete sum; add it to ``acc``.
        restart: With ``commit``, start a new ``acc`` from it.
    """

    first: bool = False
    before_sign: bool = False
    sign: bool = False
    commit: bool = False
    restart: bool = False


def step_bits(
    spec: BitSerialPeSpec, state: State, bits: Sequence[int], b: Sequence[int], control: Control
) -> State:
    """Advance the PE by one clock.

    Args:
        spec: Parameters of the PE.
        state: Its registers before the clock edge.
        bits: One bit of ``a`` per lane.
        b: The other operand per lane, in ``spec.b``.
        control: What this clock does.

    Returns:
        The registers after the edge.
    """
    high_mask, acc_mask = (1 << spec.high_width) - 1, (1 << spec.acc_width) - 1
    high = wrap(state.high, spec.high_width) if spec.has_sign else state.high
    total = (0 if control.first else high) + sum(y for bit, y in zip(bits, b, strict=True) if bit)
    kept, out = total >> 1, total & 1
    if control.before_sign or control.sign:
        kept = ~kept
    if control.sign:
        out ^= 1
    acc = 0 if control.commit and control.restart else state.acc
    if control.commit:
        acc += (high << spec.a.width) + state.low
    return State(
        high=kept & high_mask,
        low=state.low >> 1 | out << (spec.a.width - 1),
        acc=acc & acc_mask,
    )


@resolve.register
def _(spec: BitSerialPeSpec, state: State) -> int:
    return wrap(state.acc, spec.acc_width)

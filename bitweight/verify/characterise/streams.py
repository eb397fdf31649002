"""Operand streams as a PE in an array sees them, with what its accumulators must then hold.

A stream plays whole sums, one after another: the inner products of a few outputs of a layer. Every
PE gets them in its own manner, digits listed group by group where it takes digits; control comes
with them. An engine of one PE would feed it so: PEs beside it, for whose digits it would have to
wait, are the business of the engine's own runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.pe.bit_serial import BitSerialPeSpec
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.pe.digit import GROUP, DigitPeSpec, SparseDigitSpec
from bitweight.sim.pe.laconic import LaconicPeSpec, top_exponent
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import IntFormat

Ints = NDArray[np.int64]

# Clocks after the last operand until its sum stands.
_TAIL = 4
# Clocks from a group's take to its first digit and b at the PE inside.
_LIST_LATENCY = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeStream:
    """What a PE's inputs carry, clock by clock.

    Attributes:
        waves: By input, its bits, shape (clocks, bits).
        busy_slots: Digit slots that issue a digit.
        idle_slots: Digit slots that do not.
        width: Bits of the accumulator words, whose sum is taken modulo ``2**width``.
        times: Clocks at which a sum stands.
        sums: What the words then add up to.
    """

    waves: Mapping[str, NDArray[np.uint8]]
    busy_slots: int
    idle_slots: int
    width: int
    times: Sequence[int]
    sums: Sequence[int]

    @property
    def clocks(self) -> int:
        """Its length."""
        return len(next(iter(self.waves.values())))


@singledispatch
def pe_stream(spec: Any, a: Ints, b: Ints) -> PeStream:
    """Return the stream of a PE that sums up products.

    Args:
        spec: The PE, behind operand registers where characterisation puts them.
        a: Streamed operands, shape (sums, k), k a multiple of 16.
        b: Other operands, same shape.
    """
    raise TypeError(f"No operand stream is known of a {type(spec).__name__}")


class _Waves:
    """Inputs as integers by clock, filled in any order."""

    def __init__(self, clocks: int, **widths: int) -> None:
        self.widths = widths
        self.values = {
            name: np.zeros((clocks + _TAIL, width), np.uint8) for name, width in widths.items()
        }

    def put(self, name: str, clock: int, bits: NDArray[np.integer] | int = 1) -> None:
        """Set an input in a clock."""
        self.values[name][clock] = bits


def bits_of(values: Any, width: int) -> NDArray[np.uint8]:
    """Return the bits of integers, least first, along a last axis that is flattened."""
    taken = np.asarray(values, np.int64)
    bits = (taken[..., None] >> np.arange(width) & 1).astype(np.uint8)
    return bits.reshape(*taken.shape[:-1], -1)


def _digits(values: Ints, form: IntFormat, recoding: str) -> Ints:
    """Return the digits of values, along a last axis, least first."""
    digits: Ints = RECODINGS[recoding].digit_table(form)[values & form.mask].astype(np.int64)
    return digits


def _totals(a: Ints, b: Ints) -> list[int]:
    totals: list[int] = (a * b).sum(axis=1).tolist()
    return totals


@pe_stream.register
def _(spec: MacSpec | CarrySaveMacSpec, a: Ints, b: Ints) -> PeStream:
    sums, k = a.shape
    waves = _Waves(a.size, a=spec.a.width, b=spec.b.width, clear=1)
    waves.values["a"][: a.size] = bits_of(a.reshape(-1, 1), spec.a.width)
    waves.values["b"][: b.size] = bits_of(b.reshape(-1, 1), spec.b.width)
    for number in range(sums):
        waves.put("clear", number * k + 1)
    return PeStream(
        waves=waves.values,
        busy_slots=a.size,
        idle_slots=0,
        width=spec.acc_width,
        times=[(number + 1) * k + spec.latency for number in range(sums)],
        sums=_totals(a, b),
    )


@pe_stream.register
def _(spec: SameWeightMacSpec, a: Ints, b: Ints) -> PeStream:
    sums, k = a.shape
    beats, passes = k // spec.k_lanes, spec.digits
    clocks = sums * passes * beats
    lines = spec.select_lines[0]
    waves = _Waves(
        clocks, a=spec.k_lanes * len(lines), b=spec.k_lanes * spec.b.width, clear=1, shift=1
    )
    digits = _digits(a, spec.a, spec.recoding)[..., :passes]
    # Most significant pass first; within one, k_lanes consecutive k a clock.
    ordered = np.moveaxis(digits, -1, 1)[:, ::-1].reshape(clocks, spec.k_lanes)
    waves.values["a"][:clocks] = _line_bits(ordered, lines).reshape(clocks, -1)
    again = np.broadcast_to(b[:, None], (sums, passes, k)).reshape(clocks, spec.k_lanes)
    waves.values["b"][:clocks] = bits_of(again, spec.b.width)
    for number in range(sums * passes):
        waves.put("clear" if number % passes == 0 else "shift", number * beats + 1)
    return PeStream(
        waves=waves.values,
        busy_slots=clocks * spec.k_lanes,
        idle_slots=0,
        width=spec.acc_width,
        times=[(number + 1) * passes * beats + 1 for number in range(sums)],
        sums=_totals(a, b),
    )


def _line_bits(digits: Ints, lines: Sequence[str]) -> NDArray[np.uint8]:
    """Return select lines of digits along a new last axis."""
    known = {"one": np.abs(digits) == 1, "two": np.abs(digits) == 2, "negate": digits < 0}
    return np.stack([known[line] for line in lines], axis=-1).astype(np.uint8)


class _Slots:
    """Digits of one bit-weight, a pass after another, as lists of groups issue them."""

    def __init__(self, spec: DigitPeSpec, a: Ints, b: Ints) -> None:
        self.digit: list[Ints] = []
        self.b: list[Ints] = []
        self.takes: list[tuple[int, Ints, int]] = []
        self.ends: list[int] = []
        self.sums: list[int] = []
        digits = _digits(a, spec.a, spec.recoding)
        reach = GROUP * spec.lanes
        for number in range(len(a)):
            for place in range(spec.digits):
                begin = len(self.digit)
                for start in range(0, a.shape[1], reach):
                    span = slice(start, start + reach)
                    codes, listed = a[number, span], digits[number, span, place]
                    self.takes.append((len(self.digit), codes, place))
                    self._issue(listed.reshape(-1, GROUP), b[number, span].reshape(-1, GROUP))
                total = int((digits[number, :, place] * b[number]).sum())
                self.sums.append(total + spec.offset(len(self.digit) - begin))
                self.ends.append(len(self.digit))

    def _issue(self, digits: Ints, b: Ints) -> None:
        """Issue a group of each lane; lanes with fewer digits wait."""
        lists = [np.flatnonzero(lane) for lane in digits]
        for turn in range(max(1, *(len(places) for places in lists))):
            slot, operand = np.zeros(len(lists), np.int64), np.zeros(len(lists), np.int64)
            for lane, places in enumerate(lists):
                # A list that is through names the first place of its group.
                place = places[turn] if turn < len(places) else 0
                operand[lane] = b[lane, place]
                slot[lane] = digits[lane, place] if turn < len(places) else 0
            self.digit.append(slot)
            self.b.append(operand)


@pe_stream.register
def _(spec: DigitPeSpec, a: Ints, b: Ints) -> PeStream:
    slots = _Slots(spec, a, b)
    clocks = len(slots.digit)
    digits = np.array(slots.digit)
    widths = dict.fromkeys(spec.lines, spec.lanes)
    waves = _Waves(clocks, b=spec.lanes * spec.b.width, **widths, ended=1)
    waves.values["b"][:clocks] = bits_of(np.array(slots.b), spec.b.width)
    for place, line in enumerate(spec.lines):
        waves.values[line][:clocks] = _line_bits(digits, spec.lines)[..., place]
    return _digit_stream(spec, waves, slots, 0)


@pe_stream.register
def _(spec: SparseDigitSpec, a: Ints, b: Ints) -> PeStream:
    slots = _Slots(spec, a, b)
    clocks = len(slots.digit) + _LIST_LATENCY
    waves = _Waves(
        clocks,
        codes=GROUP * spec.a.width,
        digit=max(1, (spec.digits - 1).bit_length()),
        row=spec.row_bits,
        take=1,
        empty=1,
        b=spec.b.width,
        ended=1,
    )
    groups = a.shape[1] // GROUP
    for number, (clock, codes, place) in enumerate(slots.takes):
        waves.put("take", clock)
        waves.put("codes", clock, bits_of(codes, spec.a.width))
        waves.put("digit", clock, bits_of([place], waves.widths["digit"]))
        waves.put("row", clock, bits_of([number % groups], spec.row_bits))
    waves.values["b"][_LIST_LATENCY:clocks] = bits_of(np.array(slots.b), spec.b.width)
    return _digit_stream(spec, waves, slots, _LIST_LATENCY)


def _digit_stream(spec: DigitPeSpec, waves: _Waves, slots: _Slots, delay: int) -> PeStream:
    # Before the first pass the pair holds anything: the tag of a pass before it clears it.
    for end in (0, *slots.ends):
        waves.put("ended", end + delay)
    busy = int((np.array(slots.digit) != 0).sum())
    return PeStream(
        waves=waves.values,
        busy_slots=busy,
        idle_slots=len(slots.digit) * spec.lanes - busy,
        width=spec.sum_width,
        times=[end + delay + 1 for end in slots.ends],
        sums=slots.sums,
    )


@pe_stream.register
def _(spec: DealtPeSpec, a: Ints, b: Ints) -> PeStream:
    digits = _digits(a, spec.a, spec.recoding)
    shifts = spec.step * np.arange(digits.shape[-1]) + np.abs(digits) - 1
    rows: list[tuple[Ints, Ints, Ints]] = []
    ends: list[int] = []
    busy = 0
    for number in range(len(a)):
        element, place = np.nonzero(digits[number])
        busy += len(element)
        lines = max(1, -(-len(element) // spec.lanes))
        table = np.zeros((3, lines * spec.lanes), np.int64)
        table[0, : len(element)] = b[number, element]
        table[1, : len(element)] = shifts[number, element, place]
        table[2, : len(element)] = digits[number, element, place] < 0
        rows += [tuple(part) for part in np.moveaxis(table.reshape(3, lines, -1), 1, 0)]
        ends.append(len(rows))
    clocks = len(rows)
    shift_bits = spec.max_shift.bit_length()
    waves = _Waves(
        clocks,
        b=spec.lanes * spec.b.width,
        shift=spec.lanes * shift_bits,
        negate=spec.lanes,
        clear=1,
    )
    for name, part, width in (("b", 0, spec.b.width), ("shift", 1, shift_bits), ("negate", 2, 1)):
        waves.values[name][:clocks] = bits_of(np.array([row[part] for row in rows]), width)
    lengths = np.diff([0, *ends])
    for begin in [0, *ends[:-1]]:
        waves.put("clear", begin + 1)
    return PeStream(
        waves=waves.values,
        busy_slots=busy,
        idle_slots=clocks * spec.lanes - busy,
        width=spec.acc_width,
        times=[end + 1 for end in ends],
        sums=[
            total + int(length) * spec.offset
            for total, length in zip(_totals(a, b), lengths, strict=True)
        ],
    )


@pe_stream.register
def _(spec: BitSerialPeSpec, a: Ints, b: Ints) -> PeStream:
    sums, k = a.shape
    width, groups = spec.a.width, k // spec.lanes
    clocks = sums * groups * width
    signs = {"before_sign": 1, "sign": 1} if spec.a.signed else {}
    waves = _Waves(
        clocks,
        bits=spec.lanes,
        b=spec.lanes * spec.b.width,
        first=1,
        **signs,
        commit=1,
        restart=1,
    )
    bits = (a.reshape(-1, spec.lanes)[:, None] >> np.arange(width)[:, None]) & 1
    waves.values["bits"][:clocks] = bits.reshape(clocks, spec.lanes)
    held = np.repeat(b.reshape(-1, spec.lanes), width, axis=0)
    waves.values["b"][:clocks] = bits_of(held, spec.b.width)
    for number in range(sums * groups):
        begin = number * width + 1
        waves.put("first", begin)
        waves.put("commit", begin + width)
        waves.put("restart", begin + width, int(number % groups == 0))
        for at, name in enumerate(signs):
            waves.put(name, begin + width - len(signs) + at)
    return PeStream(
        waves=waves.values,
        busy_slots=clocks * spec.lanes,
        idle_slots=0,
        width=spec.acc_width,
        times=[(number + 1) * groups * width + 2 for number in range(sums)],
        sums=_totals(a, b),
    )


@pe_stream.register
def _(spec: LaconicPeSpec, a: Ints, b: Ints) -> PeStream:
    sides = []
    for values, form in ((a, spec.a), (b, spec.b)):
        digits = _digits(values, form, spec.recoding)
        step = RECODINGS[spec.recoding].radix.bit_length() - 1
        width = top_exponent(form, spec.recoding).bit_length()
        exponents = step * np.arange(digits.shape[-1]) + (np.abs(digits) == 2)
        # A term as it stands on a lane: exponent, sign, and that there is one.
        terms = exponents | (digits < 0) << width | 1 << (width + 1)
        sides.append((digits != 0, terms, width + 2))
    turns: list[tuple[Ints, Ints]] = []
    begins, ends = [], []
    for number in range(len(a)):
        begins.append(len(turns))
        for start in range(0, a.shape[1], spec.lanes):
            span = [(number, lane) for lane in range(start, start + spec.lanes)]
            turns += _pair_turns([_pairs(sides, place) for place in span])
        ends.append(len(turns))
    clocks = len(turns)
    waves = _Waves(clocks, a=spec.lanes * sides[0][2], b=spec.lanes * sides[1][2], restart=1)
    for side, name in enumerate("ab"):
        values = np.array([turn[side] for turn in turns])
        waves.values[name][:clocks] = bits_of(values, sides[side][2])
    for begin in begins:
        waves.put("restart", begin + 2)
    busy = int(sum((turn[0] != 0).sum() for turn in turns))
    return PeStream(
        waves=waves.values,
        busy_slots=busy,
        idle_slots=clocks * spec.lanes - busy,
        width=spec.acc_width,
        times=[end + 2 for end in ends],
        sums=_totals(a, b),
    )


def _pairs(sides: Sequence[Any], place: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the terms that a lane multiplies, those of b inside those of a."""
    (a_there, a_terms, _), (b_there, b_terms, _) = sides
    return [
        (int(x), int(y))
        for x in a_terms[place][a_there[place]]
        for y in b_terms[place][b_there[place]]
    ]


def _pair_turns(lanes: Sequence[list[tuple[int, int]]]) -> list[tuple[Ints, Ints]]:
    """Return the clocks of a group; lanes that are through show nothing."""
    turns = []
    for turn in range(max(1, *(len(pairs) for pairs in lanes))):
        now = [pairs[turn] if turn < len(pairs) else (0, 0) for pairs in lanes]
        turns.append((np.array([pair[0] for pair in now]), np.array([pair[1] for pair in now])))
    return turns

"""I2_S: each two-bit code adds, skips or subtracts an activation; no table and no decoder.

A beat is 8 of the 32 bytes of a block. Byte j holds the weights of k = j, j + 32, j + 64 and
j + 96 of the block, so the beat's 32 activations are four runs of 8 neighbours. The row part forms
-x once for all outputs; a cell then selects x, nothing or -x, and adds up its 32 choices.

bitnet.cpp's AVX2 kernel instead multiplies codes 0, 1 and 2 by x and subtracts the sum of x in the
end. It first adds up in 16 lanes of 16 bits, one for each two bytes of a block, which it empties
every 4,096 weights; until then a lane can reach 65,024 and wrap. ``LaneSums.INT16`` is that kernel,
wraps included: a beat is a whole block (its 256-bit vector), and a delivered sum covers 4,096
weights. It is there to tell such results from exact ones, not to be built.

RTL twin: ``rtl.datapaths.i2_s``, ``rtl.datapaths.i2_s_int16``.
Source: microsoft/BitNet, src/ggml-bitnet-mad.cpp; the add/subtract/skip array is our reading, as is
that the sum of x is exact.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import (
    Operations,
    Part,
    Walk,
    combine,
    contribute,
    decode,
    draw,
    partials,
    prepare,
    settle,
    units,
)
from bitweight.sim.datapaths.rows import row_units
from bitweight.sim.datapaths.ternary import TernarySpec, draw_ternary, weights_of
from bitweight.sim.kernels.matmul import matmul, wrap
from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.packed_weights import PackedWeights

_BLOCK = 128
_BLOCK_BYTES = 32
_BEAT_BYTES = 8
_PER_BYTE = 4
_LANE_BITS = 16
_EMPTIED_AFTER = 4096
_SHIFTS = (6, 4, 2, 0)


class LaneSums(enum.StrEnum):
    """What holds the sums on their way to the accumulator."""

    EXACT = "exact"
    INT16 = "int16"


@dataclass(frozen=True, slots=True, kw_only=True)
class I2SSpec(TernarySpec):
    """Parameters of the I2_S datapath.

    Attributes:
        format: The weights.
        lane_sums: As wide as they need to be, or the 16-bit lanes of the AVX2 kernel.
    """

    format: I2S = field(default_factory=I2S)
    lane_sums: LaneSums = LaneSums.EXACT

    def __post_init__(self) -> None:
        """Refuse activations that the AVX2 kernel does not take."""
        TernarySpec.__post_init__(self)
        if self.is_int16 and (self.a.width > 8 or not self.a.signed):
            raise ValueError(
                f"I2_S in int16 lanes must have signed activations of at most 8 bits, not {self.a}"
            )

    @property
    def is_int16(self) -> bool:
        """Whether sums pass through lanes that wrap."""
        return self.lane_sums is LaneSums.INT16

    @property
    def lane_count(self) -> int:
        """The AVX2 kernel's lanes, each of two bytes of a block."""
        return _BLOCK_BYTES // 2

    @property
    def name(self) -> str:
        """Name of the datapath."""
        return "i2_s"

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "addsub"

    @property
    def walk(self) -> Walk:
        """Four beats a block, or one; lanes hold its quarters one after the other."""
        count = self.units
        return Walk(
            chunk=_BLOCK,
            lanes=tuple(
                tuple(
                    quarter * _BLOCK_BYTES + start + at
                    for quarter in range(_PER_BYTE)
                    for at in range(count)
                )
                for start in range(0, _BLOCK_BYTES, count)
            ),
        )

    @property
    def group(self) -> int | None:
        """The whole k, or what lanes hold until they are emptied."""
        return _EMPTIED_AFTER if self.is_int16 else None

    @property
    def greatest_sum(self) -> int:
        """Greatest magnitude of a delivered sum: of ``max_k`` activations, or of full lanes."""
        if not self.is_int16:
            return self.max_k * self.a.max_magnitude
        return (self.lane_count << _LANE_BITS - 1) + _EMPTIED_AFTER * self.a.max_magnitude

    @property
    def unit_bits(self) -> int:
        """A byte."""
        return 8

    @property
    def units(self) -> int:
        """Bytes of a beat."""
        return _BLOCK_BYTES if self.is_int16 else _BEAT_BYTES

    @property
    def row_part(self) -> Part:
        """A negation per lane, or the sum of x."""
        work = Operations(adds=len(self.walk.lanes[0]) - self.is_int16)
        return Part(latency=1, operations=work)

    @property
    def column_part(self) -> Part:
        """The codes are wires."""
        return Part()

    @property
    def cell(self) -> Part:
        """Sums of parts of the beat, the beat's sum or the lanes, the accumulator.

        An addition per weight, to the accumulator included; for lanes their sum on top.
        """
        lanes = self.lane_count + 1 if self.is_int16 else 0
        work = Operations(adds=len(self.walk.lanes[0]) + lanes)
        return Part(latency=3, operations=work)


@units.register
def _(spec: I2SSpec, packed: PackedWeights) -> NDArray[np.int64]:
    return row_units(packed.words.reshape(packed.n, -1), spec.units)


@prepare.register
def _(spec: I2SSpec, x: Sequence[int]) -> tuple[int, ...]:
    """Return x of every lane, then -x of every lane, or the sum of x."""
    return (*x, sum(x)) if spec.is_int16 else (*x, *(-value for value in x))


@decode.register
def _(
    spec: I2SSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return the code of every lane: 0 subtracts, 1 skips, 2 adds."""
    return tuple(byte >> shift & 3 for shift in _SHIFTS for byte in units)


@contribute.register
def _(spec: I2SSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    """Return the sum of the beat, or that of each 16-bit lane and the sum of x."""
    if not spec.is_int16:
        plus, minus = row[: len(column)], row[len(column) :]
        choices = zip(minus, plus, column, strict=True)
        return (sum((less, 0, more)[code] for less, more, code in choices),)
    sums = [0] * spec.lane_count
    for at, (x, code) in enumerate(zip(row, column, strict=False)):
        sums[at % _BLOCK_BYTES // 2] += code * x
    return (*sums, row[-1])


@settle.register
def _(spec: I2SSpec, sums: Sequence[int]) -> tuple[int, ...]:
    if not spec.is_int16:
        return tuple(sums)
    *lanes, of_x = sums
    half = 1 << _LANE_BITS - 1
    return (sum((lane + half) % (2 * half) - half for lane in lanes) - of_x,)


@partials.register
def _(spec: I2SSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    weights = _weights(spec, packed)
    if not spec.is_int16:
        return matmul(x, weights)[:, :, None, None]
    lane = np.arange(packed.k) % _BLOCK_BYTES // 2
    sums = np.zeros((len(x), packed.n, 1, groups_along(packed.k, _EMPTIED_AFTER)), np.int64)
    for group in range(sums.shape[3]):
        in_group = np.arange(packed.k) // _EMPTIED_AFTER == group
        for number in range(spec.lane_count):
            places = np.flatnonzero(in_group & (lane == number))
            if len(places):
                total = matmul(x[:, places], weights[places] + np.int8(1))
                sums[:, :, 0, group] += wrap(total, _LANE_BITS)
        sums[:, :, 0, group] -= x[:, in_group].sum(axis=1, dtype=np.int64)[:, None]
    return sums


@combine.register
def _(spec: I2SSpec, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = sums.sum(axis=(2, 3))
    return total


@draw.register
def _(spec: I2SSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    return draw_ternary(spec.format, rng, k=k, n=n)


def _weights(spec: I2SSpec, packed: PackedWeights) -> NDArray[np.int8]:
    """Return the weights, shape (k, n)."""
    beats = units(spec, packed).astype(np.uint8)
    codes = [(beats >> np.uint8(shift) & np.uint8(3)).astype(np.int8) for shift in _SHIFTS]
    return weights_of(spec.walk, packed.k, np.concatenate(codes, axis=2) - np.int8(1))

"""I2_S: each two-bit code adds, skips or subtracts an activation; no table and no decoder.

A beat is 8 of the 32 bytes of a block. Byte j holds the weights of k = j, j + 32, j + 64 and
j + 96 of the block, so the beat's 32 activations are four runs of 8 neighbours. The row part forms
-x once for all outputs; a cell then selects x, nothing or -x, and adds up its 32 choices.

bitnet.cpp multiplies codes 0, 1, 2 by x and subtracts the sum of x in the end, which is the same
number.

RTL twin: ``rtl.datapaths.i2_s``.
Source: microsoft/BitNet, src/ggml-bitnet-mad.cpp; the add/subtract/skip array is our reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import (
    Operations,
    Walk,
    contribute,
    decode,
    draw,
    partials,
    prepare,
    units,
)
from bitweight.sim.datapaths.ternary import TernarySpec, draw_ternary, weights_of
from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.packed_weights import PackedWeights

_BLOCK = 128
_BLOCK_BYTES = 32
_BEAT_BYTES = 8
_PER_BYTE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class I2SSpec(TernarySpec):
    """Parameters of the I2_S datapath.

    Attributes:
        format: The weights.
    """

    format: I2S = field(default_factory=I2S)

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
        """Four beats a block; lane 8 q + i holds quarter q of byte i."""
        return Walk(
            chunk=_BLOCK,
            lanes=tuple(
                tuple(
                    quarter * _BLOCK_BYTES + start + at
                    for quarter in range(_PER_BYTE)
                    for at in range(_BEAT_BYTES)
                )
                for start in range(0, _BLOCK_BYTES, _BEAT_BYTES)
            ),
        )

    @property
    def unit_bits(self) -> int:
        """A byte."""
        return 8

    @property
    def units(self) -> int:
        """Bytes of a beat."""
        return _BEAT_BYTES

    @property
    def row_latency(self) -> int:
        """Edges to -x."""
        return 1

    @property
    def column_latency(self) -> int:
        """The codes are wires."""
        return 0

    @property
    def cell_latency(self) -> int:
        """Edges to the sums of each quarter, the beat's sum and the accumulator."""
        return 3

    @property
    def row_operations(self) -> Operations:
        """A negation per lane."""
        return Operations(adds=_BEAT_BYTES * _PER_BYTE)

    @property
    def cell_operations(self) -> Operations:
        """An addition per lane: in the tree of the beat, or to the accumulator."""
        return Operations(adds=_BEAT_BYTES * _PER_BYTE)


@units.register
def _(spec: I2SSpec, packed: PackedWeights) -> NDArray[np.int64]:
    beats = packed.words.reshape(packed.n, -1, _BEAT_BYTES)
    return beats.transpose(1, 0, 2).astype(np.int64)


@prepare.register
def _(spec: I2SSpec, x: Sequence[int]) -> tuple[int, ...]:
    """Return x of every lane, then -x of every lane."""
    return (*x, *(-value for value in x))


@decode.register
def _(
    spec: I2SSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return the code of every lane: 0 subtracts, 1 skips, 2 adds."""
    return tuple(byte >> shift & 3 for shift in (6, 4, 2, 0) for byte in units)


@contribute.register
def _(spec: I2SSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    plus, minus = row[: len(column)], row[len(column) :]
    choices = zip(minus, plus, column, strict=True)
    return (sum((least, 0, greatest)[code] for least, greatest, code in choices),)


@partials.register
def _(spec: I2SSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    return matmul(x, _weights(spec, packed))[:, :, None, None]


@draw.register
def _(spec: I2SSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    return draw_ternary(spec.format, rng, k=k, n=n)


def _weights(spec: I2SSpec, packed: PackedWeights) -> NDArray[np.int8]:
    """Return the weights, shape (k, n)."""
    beats = units(spec, packed).astype(np.uint8)
    codes = [(beats >> np.uint8(shift) & np.uint8(3)).astype(np.int8) for shift in (6, 4, 2, 0)]
    return weights_of(spec.walk, packed.k, np.concatenate(codes, axis=2) - np.int8(1))

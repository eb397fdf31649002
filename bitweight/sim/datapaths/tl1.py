"""TL1: a table of the nine sums of two activations; each pair of weights picks one.

A beat holds 16 weights along k as 8 indices 3 w0 + w1 + 4. The row part builds a table for each of
its 8 pairs of activations, once for all outputs: 8 sums, since index 4 (0, 0) is no storage. A cell
looks up one entry per pair and adds them up. Two activations of -127..127 sum to 254 at most, so
entries have 9 bits; with -128 they have 10.

RTL twin: ``rtl.datapaths.tl1``.
Source: bitnet.cpp, arXiv 2502.11880; microsoft/BitNet, utils/codegen_tl1.py. Its kernels add 64
entries in 16 bits before 32; here nothing is narrower than its sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import (
    Operations,
    Part,
    Walk,
    contribute,
    decode,
    draw,
    partials,
    prepare,
    units,
)
from bitweight.sim.datapaths.rows import row_units
from bitweight.sim.datapaths.ternary import TernarySpec, draw_ternary, weights_of
from bitweight.sim.datapaths.ternary_tiles import pair_byte_places
from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.packed_weights import PackedWeights

PAIRS = 8
_BEAT_BYTES = 4
ZERO_INDEX = 4
# The weights of each index.
_WEIGHTS = tuple((high, low) for high in (-1, 0, 1) for low in (-1, 0, 1))
STORED = tuple(pair for pair in _WEIGHTS if pair != (0, 0))
"""The weights of each entry of a table, in order of their index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tl1Spec(TernarySpec):
    """Parameters of the TL1 datapath.

    Attributes:
        format: The weights.
    """

    format: Tl1 = field(default_factory=Tl1)

    @property
    def name(self) -> str:
        """Name of the datapath."""
        return "tl1"

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "lookup"

    @property
    def walk(self) -> Walk:
        """Sixteen k a beat."""
        return Walk.straight(2 * PAIRS)

    @property
    def entry_width(self) -> int:
        """Bits of a table entry."""
        return (2 * self.a.max_magnitude).bit_length() + 1

    @property
    def unit_bits(self) -> int:
        """A byte."""
        return 8

    @property
    def units(self) -> int:
        """Bytes of a beat."""
        return _BEAT_BYTES

    @property
    def row_part(self) -> Part:
        """The tables: all but x0 and x1 themselves."""
        return Part(latency=1, operations=Operations(adds=PAIRS * (len(STORED) - 2)))

    @property
    def column_part(self) -> Part:
        """The indices are wires."""
        return Part()

    @property
    def cell(self) -> Part:
        """The beat's sum, then the accumulation: a look-up per pair, and an addition of each."""
        return Part(latency=2, operations=Operations(lookups=PAIRS, adds=PAIRS))


@units.register
def _(spec: Tl1Spec, packed: PackedWeights) -> NDArray[np.int64]:
    form, (k, n) = spec.format, (packed.k, packed.n)
    if form.tile_rows:
        words = packed.words[pair_byte_places(form, k=k, n=n)]
    else:
        words = packed.words.reshape(n, -1)
    return row_units(words, _BEAT_BYTES, padding=0x44)


@prepare.register
def _(spec: Tl1Spec, x: Sequence[int]) -> tuple[int, ...]:
    """Return the tables, pair by pair."""
    return tuple(
        high * first + low * second
        for first, second in zip(x[0::2], x[1::2], strict=True)
        for high, low in STORED
    )


@decode.register
def _(
    spec: Tl1Spec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return the index of every pair; the first one of a byte is in its high nibble."""
    return tuple(nibble for byte in units for nibble in (byte >> 4, byte & 15))


@contribute.register
def _(spec: Tl1Spec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    size = len(STORED)
    total = 0
    for pair, index in enumerate(column):
        table = row[pair * size : (pair + 1) * size]
        total += (*table[:ZERO_INDEX], 0, *table[ZERO_INDEX:])[index]
    return (total,)


@partials.register
def _(spec: Tl1Spec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    return matmul(x, _weights(spec, packed))[:, :, None, None]


@draw.register
def _(spec: Tl1Spec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    return draw_ternary(spec.format, rng, k=k, n=n)


def _weights(spec: Tl1Spec, packed: PackedWeights) -> NDArray[np.int8]:
    """Return the weights, shape (k, n)."""
    beats = units(spec, packed)
    indices = np.stack([beats >> 4, beats & 15], axis=3)
    pairs = np.array(_WEIGHTS, np.int8)[indices]
    return weights_of(spec.walk, packed.k, pairs.reshape(*beats.shape[:2], -1))

"""TL2: a table of 14 sums of three activations; each triple of weights picks one, with a sign.

A beat holds 24 weights along k as 8 indices |9 w0 + 3 w1 + w2| and 8 signs. The row part builds a
table for each of its 8 triples of activations, once for all outputs: 13 sums, since index 0 is no
storage. A cell looks up one entry per triple, gives it its sign and adds them up. bitnet.cpp
negates as (entry + m) XOR m with m = 0 or -1, which is (entry XOR m) - m: here the column part
counts the signs once for all rows, and a cell adds one count instead of eight m.

The TL1 tail shares all of this. Its pairs go where w1 and w2 of a triple go (x0 is padding), and
3 w0 + w1 is the stored index less 4, so the column part only takes its magnitude and its sign.

RTL twin: ``rtl.datapaths.tl2``.
Source: bitnet.cpp, arXiv 2502.11880; microsoft/BitNet, utils/codegen_tl2.py. That the tail uses the
triples' tables is ours (there it has its own loop and tables).
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
from bitweight.sim.datapaths.ternary import TernarySpec, draw_ternary, weights_of
from bitweight.sim.datapaths.ternary_tiles import (
    index_byte_places,
    sign_places,
    tail_byte_places,
)
from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.packed_weights import PackedWeights

TRIPLES = 8
_LANES = 3 * TRIPLES
INDEX_BITS = 4 * TRIPLES
PAIR_OFFSET = 4
_TAIL_BLOCK = 32
# So many k divide into beats and leave whole blocks of the tail.
_TILE = 96
STORED = tuple(
    (a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) if 9 * a + 3 * b + c > 0
)
"""The weights of each entry of a table, in order of their index from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tl2Spec(TernarySpec):
    """Parameters of the TL2 datapath.

    Attributes:
        format: The weights.
    """

    format: Tl2 = field(default_factory=Tl2)

    def __post_init__(self) -> None:
        """Refuse tiles that leave pairs for a part of a block."""
        TernarySpec.__post_init__(self)
        if self.format.tile_columns % _TILE:
            raise ValueError(
                f"The tl2 datapath must have format.tile_columns a multiple of {_TILE}, "
                f"not {self.format.tile_columns}"
            )

    @property
    def name(self) -> str:
        """Name of the datapath."""
        return "tl2"

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "lookup"

    @property
    def walk(self) -> Walk:
        """24 k a beat in tiles, 16 behind them; whole blocks of the tail."""
        columns = self.format.tile_columns
        return Walk(
            chunk=columns,
            lanes=tuple(tuple(range(start, start + _LANES)) for start in range(0, columns, _LANES)),
            tail=2 * TRIPLES,
            tail_lanes=tuple(lane for lane in range(_LANES) if lane % 3),
            k_multiple=_TAIL_BLOCK,
        )

    @property
    def entry_width(self) -> int:
        """Bits of a table entry."""
        return (3 * self.a.max_magnitude).bit_length() + 1

    @property
    def unit_bits(self) -> int:
        """Indices, then signs; in the tail pair indices alone."""
        return INDEX_BITS + TRIPLES

    @property
    def units(self) -> int:
        """One unit per beat."""
        return 1

    @property
    def row_part(self) -> Part:
        """The tables: all but x0, x1 and x2 themselves; sums of three reuse those of two."""
        return Part(latency=1, operations=Operations(adds=TRIPLES * (len(STORED) - 3)))

    @property
    def column_part(self) -> Part:
        """Indices, signs and their count; the tail's magnitudes are left out."""
        return Part(latency=1, operations=Operations(adds=TRIPLES - 1))

    @property
    def cell(self) -> Part:
        """The beat's sum, then the accumulation.

        A look-up per triple, the addition of what it gives, and that of the signs' count.
        """
        return Part(latency=2, operations=Operations(lookups=TRIPLES, adds=TRIPLES + 1))


@units.register
def _(spec: Tl2Spec, packed: PackedWeights) -> NDArray[np.int64]:
    """Return beats of 8 nibbles, the first one lowest, and 8 signs above them."""
    indices, signs, tail = _stored(spec, packed)
    triples = _nibbles(indices).reshape(packed.n, -1, TRIPLES)
    pairs = _nibbles(tail).reshape(packed.n, -1, TRIPLES)
    flags = signs.reshape(packed.n, -1, TRIPLES)
    places = 4 * np.arange(TRIPLES)
    in_tiles = (triples << places).sum(axis=2)
    in_tiles += (flags << INDEX_BITS + np.arange(TRIPLES)).sum(axis=2)
    beats = np.concatenate([in_tiles, (pairs << places).sum(axis=2)], axis=1)
    return beats.T[:, :, None]


@prepare.register
def _(spec: Tl2Spec, x: Sequence[int]) -> tuple[int, ...]:
    """Return the tables, triple by triple."""
    return tuple(
        a * x[at] + b * x[at + 1] + c * x[at + 2]
        for at in range(0, len(x), 3)
        for a, b, c in STORED
    )


@decode.register
def _(
    spec: Tl2Spec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return the index of every triple, then the sign of every triple, then their count."""
    values = [units[0] >> 4 * at & 15 for at in range(TRIPLES)]
    signs = [units[0] >> INDEX_BITS + at & 1 for at in range(TRIPLES)]
    if is_tail:
        values = [nibble - PAIR_OFFSET for nibble in values]
        signs = [int(value < 0) for value in values]
    return (*(abs(value) for value in values), *signs, sum(signs))


@contribute.register
def _(spec: Tl2Spec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    *choices, total = column
    for triple, (index, sign) in enumerate(zip(choices[:TRIPLES], choices[TRIPLES:], strict=True)):
        table = (0, *row[triple * len(STORED) : (triple + 1) * len(STORED)])
        total += table[index] ^ -sign
    return (total,)


@partials.register
def _(spec: Tl2Spec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    return matmul(x, _weights(spec, packed))[:, :, None, None]


@draw.register
def _(spec: Tl2Spec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    return draw_ternary(spec.format, rng, k=k, n=n)


def _stored(
    spec: Tl2Spec, packed: PackedWeights
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]:
    """Return index bytes, a sign per triple, and tail bytes, output by output."""
    form, n = spec.format, packed.n
    parts = form.sections(k=packed.k, n=n)
    size, sign_size, _ = parts.bytes(n)
    indices, tail = packed.words[:size], packed.words[size + sign_size :]
    words = packed.words[size : size + sign_size].copy().view("<u2").astype(np.int64)
    triple = np.arange(parts.three // 3)
    if form.tile_rows:
        place, bit = sign_places(form, parts, n=n)
        indices = indices[index_byte_places(form, parts, n=n)]
        tail = tail[tail_byte_places(form, parts, n=n)]
        return indices, words[place] >> bit & 1, tail
    signs = words.reshape(n, -1)[:, triple // 16] >> 15 - triple % 16 & 1
    return indices.reshape(n, -1), signs, tail.reshape(n, -1)


def _nibbles(stored: NDArray[np.uint8]) -> NDArray[np.int64]:
    wide = stored.astype(np.int64)
    return np.stack([wide >> 4, wide & 15], axis=2).reshape(len(stored), -1)


def _weights(spec: Tl2Spec, packed: PackedWeights) -> NDArray[np.int8]:
    """Return the weights, shape (k, n)."""
    beats = units(spec, packed)
    nibbles = beats >> 4 * np.arange(TRIPLES) & 15
    signs = beats >> INDEX_BITS + np.arange(TRIPLES) & 1
    is_tail = spec.walk.tails(packed.k)[:, None, None]
    values = np.where(is_tail, nibbles - PAIR_OFFSET, np.where(signs, -nibbles, nibbles))
    rest, third = np.divmod(values + 1, 3)
    first, second = np.divmod(rest + 1, 3)
    trits = np.stack([first, second - 1, third - 1], axis=3).astype(np.int8)
    return weights_of(spec.walk, packed.k, trits.reshape(*beats.shape[:2], -1))

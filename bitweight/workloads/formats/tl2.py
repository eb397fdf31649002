"""TL2: three ternary weights in a four-bit index and a sign, five bits; TL1 for what is left of k.

v = 9 w0 + 3 w1 + w2 lies in -13..13; the index is its magnitude, so a table of 14 sums serves all
27 triples. k is split: the largest multiple of ``tile_columns`` (a multiple of 24, so that signs
fill their words) is held in triples, the rest in blocks of 32 as TL1 holds pairs. A k that leaves
anything else is padded with weight 0, in the order output by output only.

``words`` is one array of bytes in three sections: indices, two to a byte, the first in the high
nibble; signs in 16-bit words, little endian, the first in the highest bit; TL1 bytes. By default
each section is stored output by output. With ``tile_rows`` as the converter orders it::

    indices  tile_rows outputs > tile_columns k > 32 outputs > 6 k > 32 outputs
    signs    tile_rows outputs > tile_columns k > 32 outputs > 24 k > outputs r and r + 16
    tail     tile_rows outputs > 32 k > 32 outputs > 4 k > 32 outputs

There the 32 outputs of indices and tail come in runs of 8 ordered 0, 2, 1, 3, and a sign word holds
triple t of output r + 16 h in bit 15 - (2 t + h).

Source: microsoft/BitNet, utils/convert-hf-to-gguf-bitnet.py (orders) and docs/codegen.md (limits).
The converter then pads the tensor with zeros to a size that allows a tail of 256: not counted here.
How signs are ordered output by output, padding to a whole word included, is our reading.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.ternary import (
    check_scale,
    check_trits,
    dequantise_ternary,
    scale_ternary_sums,
    ternary_bits_per_weight,
    ternary_layout,
)
from bitweight.workloads.formats.tl1 import (
    BYTE_WEIGHTS,
    byte_nibbles,
    check_pair_indices,
    check_tile,
    check_tiled,
    nibble_bytes,
    pairs_to_trits,
    trits_to_pairs,
    undo_order,
)
from bitweight.workloads.packed_weights import PackedLayout, PackedWeights

_MAX_INDEX = 13
_TRIPLE = 3
_INDEX_WEIGHTS = 2 * _TRIPLE
_SIGN_WORD = 16
_SIGN_WEIGHTS = 24
_SLICE_ROWS = 32
_TAIL_BLOCK = 32
_RUNS = [0, 2, 1, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """How the k of one output is stored.

    Attributes:
        three: k held in triples.
        two: k held in pairs, padding included.
        sign_bits: Bits for the signs of its triples, padding included.
    """

    three: int
    two: int
    sign_bits: int

    def bytes(self, n: int) -> tuple[int, int, int]:
        """Return the bytes of indices, signs and tail of ``n`` outputs."""
        indices = 4 * self.three // _TRIPLE
        return n * indices // 8, n * self.sign_bits // 8, n * 2 * self.two // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tl2:
    """Ternary weights as indices and signs of triples, and indices of pairs behind them.

    Attributes:
        tile_columns: k that triples come in (BK), a multiple of 24.
        tile_rows: Outputs of a tile of the converter's order (BM); None stores output by output.
    """

    tile_columns: int = 96
    tile_rows: int | None = None

    def __post_init__(self) -> None:
        """Refuse tiles that sign words or slices do not divide."""
        check_tile("tl2", "tile_columns", self.tile_columns, _SIGN_WEIGHTS)
        check_tile("tl2", "tile_rows", self.tile_rows, _SLICE_ROWS)

    @property
    def name(self) -> str:
        """Name of the format."""
        return "tl2"

    def sections(self, *, k: int, n: int) -> Sections:
        """Return how a (k, n) matrix is stored.

        Raises:
            ValueError: If the converter's order is wanted and does not fit.
        """
        if self.tile_rows:
            check_tiled("tl2", "n", n, self.tile_rows)
            if k % self.tile_columns % _TAIL_BLOCK:
                raise ValueError(
                    f"k must leave a multiple of {_TAIL_BLOCK} after tl2's tiles of "
                    f"{self.tile_columns}, not {k % self.tile_columns}"
                )
        rest = k % self.tile_columns
        two = -(-rest // _TAIL_BLOCK) * _TAIL_BLOCK
        three = k - rest
        if two >= self.tile_columns:  # a tail so long is a tile, padded
            three, two = three + self.tile_columns, 0
        signs = three // _TRIPLE
        padding = 0 if self.tile_rows else -signs % _SIGN_WORD
        return Sections(three=three, two=two, sign_bits=signs + padding)

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return 5/3 for triples and 2 for the rest, what padding adds, and the scale's share."""
        parts = self.sections(k=k, n=n)
        stored = 4 * (parts.three // _TRIPLE) + parts.sign_bits + 2 * parts.two
        return ternary_bits_per_weight(stored, k=k, n=n)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (bytes,) and the scale."""
        return ternary_layout(sum(self.sections(k=k, n=n).bytes(n)))

    def check(self, packed: PackedWeights) -> None:
        """Refuse what no triple or pair has, a negative zero, padding, and a negative scale."""
        indices, signs, pairs = self._stored(packed)
        if indices.size and indices.max() > _MAX_INDEX:
            raise ValueError(f"tl2 words must hold triple indices 0 to 13, not {indices.max()}")
        triples = indices.shape[1]
        if signs[:, triples:].any() or signs[:, :triples][indices == 0].any():
            raise ValueError("tl2 signs of zero triples and of padding must be 0, not 1")
        check_pair_indices("tl2", pairs)
        if _trits(indices, signs, pairs)[:, packed.k :].any():
            raise ValueError("tl2 words must be padded with weight 0")
        check_scale(packed)

    def pack(self, trits: NDArray[np.integer], scale: NDArray[np.float32]) -> PackedWeights:
        """Pack weights -1, 0 and 1 of shape (k, n) and their scale, shape (1,)."""
        check_trits(self.name, trits)
        k, n = trits.shape
        parts = self.sections(k=k, n=n)
        rows = np.pad(trits.T, ((0, 0), (0, parts.three + parts.two - k)))
        triples = rows[:, : parts.three].reshape(n, -1, _TRIPLE) @ np.array([9, 3, 1])
        signs = np.pad(triples < 0, ((0, 0), (0, parts.sign_bits - triples.shape[1])))
        indices = nibble_bytes(np.abs(triples).astype(np.uint8)).ravel()
        tail = nibble_bytes(trits_to_pairs(rows[:, parts.three :])).ravel()
        signs = signs.ravel()
        if self.tile_rows:
            of_indices, of_signs, of_tail = self._orders(parts, n)
            indices, signs, tail = indices[of_indices], signs[of_signs], tail[of_tail]
        words = np.concatenate([indices, _sign_bytes(signs), tail])
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"scale": scale})

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the weights -1, 0 and 1, shape (k, n)."""
        return _trits(*self._stored(packed))[:, : packed.k].T

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        return dequantise_ternary(self.unpack, packed)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Add the sums and scale them."""
        return scale_ternary_sums(partials, packed)

    def _stored(
        self, packed: PackedWeights
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Return triple indices, their signs and pair indices, each of shape (n, count)."""
        parts = self.sections(k=packed.k, n=packed.n)
        ends = np.cumsum(parts.bytes(packed.n))
        indices, sign_bytes, tail = np.split(packed.words, ends[:2])
        signs = _sign_bits(sign_bytes)
        if self.tile_rows:
            of_indices, of_signs, of_tail = self._orders(parts, packed.n)
            indices, tail = undo_order(indices, of_indices), undo_order(tail, of_tail)
            signs = undo_order(signs, of_signs)
        indices, tail = indices.reshape(packed.n, -1), tail.reshape(packed.n, -1)
        return byte_nibbles(indices), signs.reshape(packed.n, -1), byte_nibbles(tail)

    def _orders(self, parts: Sections, n: int) -> tuple[NDArray[np.int64], ...]:
        """Return for each stored index byte, sign and tail byte its place output by output."""
        assert self.tile_rows
        slices = (n // self.tile_rows, self.tile_rows // _SLICE_ROWS)
        columns = (parts.three // self.tile_columns, self.tile_columns)
        return (
            _byte_order(slices, *columns, _INDEX_WEIGHTS),
            _sign_order(slices, *columns),
            _byte_order(slices, parts.two // _TAIL_BLOCK, _TAIL_BLOCK, BYTE_WEIGHTS),
        )


def _byte_order(
    slices: tuple[int, int], tiles: int, tile_columns: int, byte_weights: int
) -> NDArray[np.int64]:
    shape = (*slices, len(_RUNS), _SLICE_ROWS // len(_RUNS), tiles, tile_columns // byte_weights)
    places = np.arange(np.prod(shape)).reshape(shape)[:, :, _RUNS]
    return places.transpose(0, 4, 1, 5, 2, 3).ravel()


def _sign_order(slices: tuple[int, int], tiles: int, tile_columns: int) -> NDArray[np.int64]:
    per_word = _SIGN_WEIGHTS // _TRIPLE
    shape = (*slices, 2, _SLICE_ROWS // 2, tiles, tile_columns // _SIGN_WEIGHTS, per_word)
    return np.arange(np.prod(shape)).reshape(shape).transpose(0, 4, 1, 5, 3, 6, 2).ravel()


def _sign_bytes(signs: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return little-endian words of 16 signs, the first in the highest bit, as bytes."""
    return np.packbits(signs).view(">u2").astype("<u2").view(np.uint8)


def _sign_bits(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo ``_sign_bytes``."""
    return np.unpackbits(stored.view("<u2").astype(">u2").view(np.uint8))


def _trits(
    indices: NDArray[np.uint8], signs: NDArray[np.uint8], pairs: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Return the weights with their padding, shape (n, k)."""
    magnitudes = indices.astype(np.int64)
    triples = np.where(signs[:, : indices.shape[1]], -magnitudes, magnitudes)
    high, rest = np.divmod(triples + 13, 9)
    trits = np.stack([high - 1, rest // 3 - 1, rest % 3 - 1], axis=-1)
    return np.concatenate([trits.reshape(len(trits), -1), pairs_to_trits(pairs)], axis=1)

"""TL1: two ternary weights in a four-bit index 3 w0 + w1 + 4, which addresses a table of nine sums.

A byte holds four weights along k, the first pair in its high nibble. By default bytes are stored
output by output, and k is padded to whole bytes with weight 0. With ``tile_rows`` they are stored
as the converter orders them, from outside in::

    tile_rows outputs > tile_columns k > slice_rows outputs > 256 / slice_rows k
        > 16 outputs > 4 k > each of the 16 outputs

Source: microsoft/BitNet, utils/convert-hf-to-gguf-bitnet.py (order) and docs/codegen.md (limits).
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
from bitweight.workloads.packed_weights import PackedLayout, PackedWeights

PAIR_INDICES = 9
BYTE_WEIGHTS = 4
_STRIP = 16
_BLOCK_WEIGHTS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Tl1:
    """Ternary weights as indices of pairs.

    Attributes:
        tile_rows: Outputs of a tile of the converter's order (BM); None stores output by output.
        tile_columns: k of such a tile (BK).
        slice_rows: Outputs of a slice of it (bm), 32 or 64.
    """

    tile_rows: int | None = None
    tile_columns: int = 128
    slice_rows: int = 32

    def __post_init__(self) -> None:
        """Refuse tiles that slices do not divide."""
        if self.slice_rows not in (32, 64):
            raise ValueError(f"tl1 slice_rows must be 32 or 64, not {self.slice_rows!r}")
        check_tile("tl1", "tile_rows", self.tile_rows, self.slice_rows)
        check_tile("tl1", "tile_columns", self.tile_columns, _BLOCK_WEIGHTS // self.slice_rows)

    @property
    def name(self) -> str:
        """Name of the format."""
        return "tl1"

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return 2, what padding adds, and the scale's share."""
        self._check_fit(k=k, n=n)
        return ternary_bits_per_weight(8 * -(-k // BYTE_WEIGHTS), k=k, n=n)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (bytes,) and the scale."""
        self._check_fit(k=k, n=n)
        return ternary_layout(n * -(-k // BYTE_WEIGHTS))

    def check(self, packed: PackedWeights) -> None:
        """Refuse indices 9 to 15, padding other than weight 0, and a negative scale."""
        indices = self._indices(packed)
        check_pair_indices("tl1", indices)
        if pairs_to_trits(indices)[:, packed.k :].any():
            raise ValueError("tl1 words must be padded with weight 0")
        check_scale(packed)

    def pack(self, trits: NDArray[np.integer], scale: NDArray[np.float32]) -> PackedWeights:
        """Pack weights -1, 0 and 1 of shape (k, n) and their scale, shape (1,)."""
        check_trits(self.name, trits)
        k, n = trits.shape
        self._check_fit(k=k, n=n)
        rows = np.pad(trits.T, ((0, 0), (0, -k % BYTE_WEIGHTS)))
        words = nibble_bytes(trits_to_pairs(rows)).ravel()
        words = words[self._order(n, k)] if self.tile_rows else words
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"scale": scale})

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the weights -1, 0 and 1, shape (k, n)."""
        return pairs_to_trits(self._indices(packed))[:, : packed.k].T

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        return dequantise_ternary(self.unpack, packed)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Add the sums and scale them."""
        return scale_ternary_sums(partials, packed)

    def _check_fit(self, *, k: int, n: int) -> None:
        if self.tile_rows:
            check_tiled("tl1", "n", n, self.tile_rows)
            check_tiled("tl1", "k", k, self.tile_columns)

    def _indices(self, packed: PackedWeights) -> NDArray[np.uint8]:
        """Return the pair indices with their padding, shape (n, pairs)."""
        words = packed.words
        if self.tile_rows:
            words = undo_order(words, self._order(packed.n, packed.k))
        return byte_nibbles(words.reshape(packed.n, -1))

    def _order(self, n: int, k: int) -> NDArray[np.int64]:
        """Return for each stored byte its place in the order output by output."""
        assert self.tile_rows
        block = _BLOCK_WEIGHTS // self.slice_rows
        return (
            np.arange(n * k // BYTE_WEIGHTS)
            .reshape(
                n // self.tile_rows,
                self.tile_rows // self.slice_rows,
                self.slice_rows // _STRIP,
                _STRIP,
                k // self.tile_columns,
                self.tile_columns // block,
                block // BYTE_WEIGHTS,
            )
            .transpose(0, 4, 1, 5, 2, 6, 3)
            .ravel()
        )


def trits_to_pairs(rows: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the indices of each two neighbours along the last axis."""
    return (3 * rows[..., 0::2] + rows[..., 1::2] + 4).astype(np.uint8)


def pairs_to_trits(indices: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Undo ``trits_to_pairs``."""
    high, low = np.divmod(indices.astype(np.int64), 3)
    return np.stack([high - 1, low - 1], axis=-1).reshape(*indices.shape[:-1], -1)


def nibble_bytes(nibbles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put each two nibbles along the last axis into a byte, the first one high."""
    return nibbles[..., 0::2] << np.uint8(4) | nibbles[..., 1::2]


def byte_nibbles(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo ``nibble_bytes``."""
    return np.stack([stored >> np.uint8(4), stored & np.uint8(15)], axis=-1).reshape(
        *stored.shape[:-1], -1
    )


def undo_order(stored: NDArray[np.uint8], order: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return what ``order`` picked ``stored`` from."""
    places = np.empty_like(stored)
    places[order] = stored
    return places


def check_pair_indices(name: str, indices: NDArray[np.uint8]) -> None:
    """Raise ``ValueError`` if an index has no pair of weights."""
    if indices.size and indices.max() >= PAIR_INDICES:
        raise ValueError(f"{name} words must hold pair indices 0 to 8, not {indices.max()}")


def check_tile(name: str, what: str, size: int | None, step: int) -> None:
    """Raise ``ValueError`` unless a tile's size is a multiple of ``step``, or None."""
    if size is not None and (size < step or size % step):
        raise ValueError(f"{name} {what} must be a multiple of {step}, not {size!r}")


def check_tiled(name: str, axis: str, size: int, tile: int) -> None:
    """Raise ``ValueError`` unless tiles of that size cover an axis."""
    if size % tile:
        raise ValueError(f"{axis} must be a multiple of {name}'s tile of {tile}, not {size}")

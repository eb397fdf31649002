"""I2_S: two bits per ternary weight, four weights of a block in each byte.

A block is 128 weights along k in 32 bytes: byte j holds weights j, j + 32, j + 64 and j + 96, the
first in its highest two bits, as code w + 1. One vector load, three shifts and a mask so yield four
vectors of 32 neighbours. Blocks never straddle outputs: k is padded to whole blocks with weight 0
(code 1), and the padding is counted.

Source: microsoft/BitNet, src/ggml-bitnet-mad.cpp (quantize_i2_s, AVX2 order). Padding per output is
our reading: the source packs matrices whose k is a multiple of 128.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.ternary import (
    check_scale,
    check_trits,
    dequantise_ternary,
    scale_ternary_sums,
    ternary_bits_per_weight,
    ternary_layout,
)
from bitweight.workloads.packed_weights import PackedLayout, PackedWeights

_BLOCK = 128
_BLOCK_BYTES = 32
_SHIFTS = np.array([6, 4, 2, 0], np.uint8)[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class I2S:
    """Ternary weights as two-bit codes, in blocks of 128."""

    @property
    def name(self) -> str:
        """Name of the format."""
        return "i2_s"

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return 2, what padding adds, and the scale's share."""
        return ternary_bits_per_weight(2 * _BLOCK * groups_along(k, _BLOCK), k=k, n=n)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (n, bytes) and the scale."""
        return ternary_layout(n, _BLOCK_BYTES * groups_along(k, _BLOCK))

    def check(self, packed: PackedWeights) -> None:
        """Refuse code 3, padding other than code 1, and a negative scale."""
        codes = _codes(packed)
        if codes.max() > 2:
            raise ValueError("i2_s words must hold codes 0 to 2, not 3")
        if (codes[:, packed.k :] != 1).any():
            raise ValueError("i2_s words must be padded with weight 0 (code 1)")
        check_scale(packed)

    def pack(self, trits: NDArray[np.integer], scale: NDArray[np.float32]) -> PackedWeights:
        """Pack weights -1, 0 and 1 of shape (k, n) and their scale, shape (1,)."""
        check_trits(self.name, trits)
        k, n = trits.shape
        blocks = groups_along(k, _BLOCK)
        codes = np.ones((n, blocks * _BLOCK), np.uint8)
        codes[:, :k] = trits.T + 1
        quarters = codes.reshape(n, blocks, 4, _BLOCK_BYTES) << _SHIFTS
        words = np.bitwise_or.reduce(quarters, axis=2).reshape(n, -1)
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"scale": scale})

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the weights -1, 0 and 1, shape (k, n)."""
        return _codes(packed)[:, : packed.k].T.astype(np.int64) - 1

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        return dequantise_ternary(self.unpack, packed)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Add the sums and scale them."""
        return scale_ternary_sums(partials, packed)


def _codes(packed: PackedWeights) -> NDArray[np.uint8]:
    """Return the codes with their padding, shape (n, blocks * 128)."""
    blocks = packed.words.reshape(packed.n, -1, 1, _BLOCK_BYTES)
    return (blocks >> _SHIFTS & np.uint8(3)).reshape(packed.n, -1)

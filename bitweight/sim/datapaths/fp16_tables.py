"""Whole look-up tables in fp16, in the order in which LUT-GEMM's kernel builds them.

The table of 8 activations x0..x7 has 256 entries, bit i of a key taking x_i plus. The first
2**direct entries are sums of all eight terms from x0 to x7, one rounding per addition; the rest
follow by doubling, T[key + 2**s] = T[key] + 2 x_s for s = direct..7. With ``direct`` 6, T[255] is
((x0 + .. + x5) - x6 - x7) + 2 x6 + 2 x7 in that order, which is not the plain sum.

Roundings are to nearest even; sums beyond fp16 become infinite.

Source: LUT-GEMM, arXiv 2206.09557 (naver-aics/lut-gemm, mv_fp16_bias.hpp); ShiftAddLLM, arXiv
2406.05981, builds its tables alike.
"""

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.packed_weights import PackedWeights

KEY = 8
_ENTRIES = 1 << KEY
_TILES = (32, 64, 128, 256)


def check_tile(tile: int) -> None:
    """Raise ``ValueError`` unless a block of 256 threads builds the tables of such a tile."""
    if tile not in _TILES:
        raise ValueError(f"Tile must be 32, 64, 128 or 256 inputs, not {tile!r}")


def direct_bits(tile: int) -> int:
    """Return the signs that direct sums cover: 256 threads share the tables of a tile."""
    return (_ENTRIES * KEY // tile).bit_length() - 1


def fp16_tables(x: NDArray[np.float16], tile: int) -> NDArray[np.float16]:
    """Return the tables of activations (m, k), shape (m, keys, 256); k is padded to whole tiles."""
    m, k = x.shape
    padded = np.pad(x, ((0, 0), (0, -k % tile))).reshape(m, -1, KEY)
    direct = direct_bits(tile)
    tables = np.zeros((*padded.shape[:2], _ENTRIES), np.float16)
    keys = np.arange(1 << direct)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(KEY):
            term = np.where(keys >> i & 1, padded[:, :, i, None], -padded[:, :, i, None])
            first = term if i == 0 else tables[:, :, : 1 << direct] + term
            tables[:, :, : 1 << direct] = first
        for i in range(direct, KEY):
            twice = np.float16(2) * padded[:, :, i, None]
            tables[:, :, 1 << i : 2 << i] = tables[:, :, : 1 << i] + twice
    return tables


def check_fp16_operands(x: NDArray[np.float16], packed: PackedWeights, form: object) -> None:
    """Refuse activations that are not fp16 (m, k) and weights in another format than ``form``."""
    if packed.format != form:
        raise TypeError(f"Weights must be {form}, not {packed.format}")
    if x.dtype != np.float16:
        raise TypeError(f"Activations must be float16, not {x.dtype}")
    if x.ndim != 2 or x.shape[1] != packed.k:
        raise ValueError(f"Activations must have shape (m, {packed.k}), not {x.shape}")

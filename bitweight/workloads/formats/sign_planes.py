"""Planes of signs: one bit per weight and plane, 1 for +1 and 0 for -1.

A plane packs 32 consecutive k of one output into a word of 32 bits, the lowest k in bit 0; bits
past k are 0. Words have shape (ceil(k / 32), planes, n), so that one row of words serves all
outputs. LUT-GEMM and ShiftAddLLM share this packing.

Source: LUT-GEMM, arXiv 2206.09557 (naver-aics/lut-gemm, tests); words of rows past k are ours.
"""

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 32


def words_along(k: int) -> int:
    """Return how many words of one plane cover ``k`` inputs."""
    return -(-k // WORD_BITS)


def pack_signs(signs: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Pack signs -1 and +1, shape (planes, k, n), to words, shape (ceil(k / 32), planes, n).

    Raises:
        ValueError: If a sign is neither.
    """
    if not np.isin(signs, (-1, 1)).all():
        raise ValueError(f"Signs must be -1 or +1, not {signs[~np.isin(signs, (-1, 1))].flat[0]}")
    planes, k, n = signs.shape
    bits = np.zeros((planes, words_along(k) * WORD_BITS, n), np.uint32)
    bits[:, :k] = signs > 0
    by_word = (
        bits.reshape(planes, -1, WORD_BITS, n) << np.arange(WORD_BITS, dtype=np.uint32)[:, None]
    )
    words: NDArray[np.uint32] = np.bitwise_or.reduce(by_word, axis=2)
    return np.ascontiguousarray(words.transpose(1, 0, 2))


def unpack_signs(words: NDArray[np.uint32], k: int) -> NDArray[np.int64]:
    """Return the signs, shape (planes, k, n), of words of shape (ceil(k / 32), planes, n)."""
    count, planes, n = words.shape
    shifts = np.arange(WORD_BITS, dtype=np.uint32)[None, :, None]
    bits = words.transpose(1, 0, 2)[:, :, None, :] >> shifts & np.uint32(1)
    return bits.reshape(planes, count * WORD_BITS, n)[:, :k].astype(np.int64) * 2 - 1


def check_padding(name: str, words: NDArray[np.uint32], k: int) -> None:
    """Raise ``ValueError`` if a bit past ``k`` is set."""
    used = k % WORD_BITS
    if used and (words[-1] >> np.uint32(used)).any():
        raise ValueError(f"{name} words must hold 0 in the bits past k = {k}, not 1")

"""Sign planes as a look-up datapath reads them: units of a beat, whole planes, drawn ones.

Reads the words of ``workloads.formats.sign_planes`` on its own terms: bit j of word i is the sign
of k = 32 i + j, 1 for plus.
"""

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.packed_weights import PackedWeights

_WORD_BITS = 32


def sign_units(words: NDArray[np.uint32], lanes: int, beats: int) -> NDArray[np.int64]:
    """Cut words (words, planes, n) to units of ``lanes`` signs, shape (beats, n, planes)."""
    shifts = np.arange(0, _WORD_BITS, lanes)[None, :, None, None]
    cut = words.astype(np.int64)[:, None] >> shifts & (1 << lanes) - 1
    by_beat = cut.reshape(-1, *words.shape[1:])[:beats]
    return by_beat.transpose(0, 2, 1)


def signs_from_words(packed: PackedWeights) -> NDArray[np.int64]:
    """Return the signs -1 and +1, shape (planes, k, n), as the datapath reads them."""
    k = np.arange(packed.k)
    bits = packed.words[k // _WORD_BITS] >> (k % _WORD_BITS).astype(np.uint32)[:, None, None] & 1
    return 2 * bits.transpose(1, 0, 2).astype(np.int64) - 1


def drawn_signs(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Draw signs; a quarter of the outputs have one sign throughout: the extreme sums."""
    _planes, _k, n = shape
    uniform = rng.choice([-1, 1], shape)
    return np.where(rng.random(n) < 0.25, rng.choice([-1, 1], n), uniform)

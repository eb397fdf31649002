"""SeedLM: tries every seed for every block and keeps the one that decodes to the least error.

For each seed the real coefficients are the least-squares solution t, then e by the format's rule,
then q = rint(t / 2**e) within -8..7. What a seed's matrix U cannot express of a block w,
``|w|**2 - |Q^T w|**2`` with an orthonormal basis Q of U's columns, is a lower bound of its error
whatever its coefficients. The bounds of all seeds are computed in float32; only seeds whose bound,
less all that float32 can have lost, is below the best error so far are solved and scored, in
float64 and a fixed order. So the result is that of scoring all seeds, and ties go to the lowest.

Source: SeedLM, arXiv 2410.10714, section 3 (search, least squares, rounding). The bound is ours.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.lfsr import states
from bitweight.workloads.formats.seedlm import ExponentRule, Seedlm, SeedlmCodes
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import Progress, check_weights, encode, no_progress
from bitweight.workloads.quantize.seedlm_search import Blocks, Seeds, keep_best

_SEEDS_AT_ONCE = 4096
_BLOCKS_AT_ONCE = 4096
_GREATEST_TERM = 8 * 2**7  # of |q| 2**e
_HEADROOM = {ExponentRule.FULL_RANGE: 2, ExponentRule.LITERAL: 0}


@encode.register
def _(
    form: Seedlm, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    most = _GREATEST_TERM * form.latent
    if np.abs(values).max() > most:
        raise ValueError(
            f"{form.name} weights must lie in -{most}..{most}, "
            f"not {values.flat[np.abs(values).argmax()]:g}"
        )
    codes = _search(form, form.to_blocks(values), on_done)
    return form.pack(codes, k=values.shape[0], n=values.shape[1])


def _search(form: Seedlm, weights: NDArray[np.float64], on_done: Progress) -> SeedlmCodes:
    """Return the best codes of every block, shape (blocks, block)."""
    blocks = Blocks.of(weights, form.latent)
    end = 1 << form.lfsr_length
    chunks, tiles = range(1, end, _SEEDS_AT_ONCE), range(0, len(weights), _BLOCKS_AT_ONCE)
    for chunk, first in enumerate(chunks):
        seeds = _seeds(form, first, min(first + _SEEDS_AT_ONCE, end))
        for tile, start in enumerate(tiles):
            keep_best(blocks.part(slice(start, start + _BLOCKS_AT_ONCE)), seeds)
            on_done(chunk * len(tiles) + tile + 1, len(chunks) * len(tiles))
    return SeedlmCodes(blocks.seed, blocks.exponent, blocks.coefficients)


def _seeds(form: Seedlm, first: int, end: int) -> Seeds:
    sequence = states(
        np.arange(first, end), length=form.lfsr_length, count=form.block * form.latent
    )
    centred = (sequence - (1 << (form.lfsr_length - 1))).astype(np.int32)
    return Seeds.of(
        centred.reshape(-1, form.block, form.latent),
        first=first,
        divisor=form.divisor,
        headroom=_HEADROOM[form.exponent_rule],
    )

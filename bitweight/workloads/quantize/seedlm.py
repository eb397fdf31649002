"""SeedLM: tries every seed for every block and keeps the one that decodes to the least error.

For each seed the real coefficients are the least-squares solution t, then e by the format's rule,
then q = rint(t / 2**e) within -8..7. What a seed's matrix U cannot express of a block w,
``|w|**2 - |Q^T w|**2`` with an orthonormal basis Q of U's columns, is a lower bound of its error
whatever its coefficients. These bounds are one matrix product of all w w^T with all Q Q^T, in
float32; only seeds whose bound, less all that float32 can have lost, is below the best error so far
are then solved and scored, in float64 and a fixed order. So the result is that of scoring all
seeds, does not depend on the BLAS, and ties go to the lowest seed.

Source: SeedLM, arXiv 2410.10714, section 3 (search, least squares, rounding). The bound is ours.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.lfsr import states
from bitweight.workloads.formats.seedlm import ExponentRule, Seedlm, SeedlmCodes
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import Progress, check_weights, encode, no_progress
from bitweight.workloads.quantize.seedlm_search import (
    Accuracy,
    Bases,
    Blocks,
    factorise,
    keep_best,
)

_SEEDS_AT_ONCE = 2048
_BLOCKS_AT_ONCE = 2048
_GREATEST_TERM = 8 * 2**7  # of |q| 2**e
_HALF_ULP = 2.0**-24  # of float32
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
    upper = np.triu_indices(form.block)
    by = Accuracy(_margin(len(upper[0]), form.latent), _HEADROOM[form.exponent_rule])
    seeds = 1 << form.lfsr_length
    chunks, tiles = range(1, seeds, _SEEDS_AT_ONCE), range(0, len(weights), _BLOCKS_AT_ONCE)
    for chunk, first in enumerate(chunks):
        bases, shares = _bases(form, first, min(first + _SEEDS_AT_ONCE, seeds))
        for tile, start in enumerate(tiles):
            part = blocks.part(slice(start, start + _BLOCKS_AT_ONCE))
            keep_best(_products(part, upper) @ shares.T, part, bases, by)
            on_done(chunk * len(tiles) + tile + 1, len(chunks) * len(tiles))
    return SeedlmCodes(blocks.seed, blocks.exponent, blocks.coefficients)


def _margin(terms: int, latent: int) -> float:
    """Return the most by which a score of ``terms`` float32 products can be wrong.

    Each input, product, sum and the limit is off by half an ulp of what it rounds, in whatever
    order a BLAS adds. The terms' magnitudes sum to at most |Q Q^T| |w w^T| / |w|**2, Frobenius
    norms, which is sqrt(latent).
    """
    return 1.1 * (terms + 5) * _HALF_ULP * math.sqrt(latent)


def _bases(form: Seedlm, first: int, end: int) -> tuple[Bases, NDArray[np.float32]]:
    """Return the matrices of some seeds, and each Q Q^T as its upper triangle, doubled off it."""
    sequence = states(
        np.arange(first, end), length=form.lfsr_length, count=form.block * form.latent
    )
    centred = (sequence - (1 << (form.lfsr_length - 1))).astype(np.int32)
    matrices = centred.reshape(-1, form.block, form.latent)
    inverses, shares, reach = factorise(matrices, form.divisor)
    return Bases(first, form.divisor, matrices, inverses, reach), shares


def _products(
    blocks: Blocks, upper: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float32]:
    """Return w w^T / |w|**2 of each block as its upper triangle; zeros for a block of zeros."""
    norms = np.sqrt(np.where(blocks.squares > 0, blocks.squares, 1.0))
    units = blocks.weights / norms[:, None]
    products: NDArray[np.float32] = (units[:, upper[0]] * units[:, upper[1]]).astype(np.float32)
    return products

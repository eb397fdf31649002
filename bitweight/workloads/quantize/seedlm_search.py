"""SeedLM's search, compiled: least squares of every seed, and the scores of promising ones.

All sums run in one fixed order in float64, so that the same weights give the same bytes anywhere.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_LEAST, _MOST = -8, 7  # of an exponent and of a coefficient
_DEPENDENT = 1e-10  # a column this close to the ones before it, relatively, takes no coefficient
_ZERO = 2.0**-9 * (1 - 1e-9)  # real coefficients below round to 0 even at the least exponent
_TOGETHER = 64  # bounds looked at in one vector loop


class Bases(NamedTuple):
    """The matrices of consecutive seeds.

    Attributes:
        first: The first seed.
        divisor: Makes the centred states the entries of U.
        centred: States less half their range, shape (seeds, block, latent).
        inverses: Pseudo-inverses of U, shape (seeds, latent, block).
        reach: Greatest norm of a row of the pseudo-inverse, shape (seeds,): the most that a
            coefficient of a block of norm 1 can be.
    """

    first: int
    divisor: int
    centred: NDArray[np.int32]
    inverses: NDArray[np.float64]
    reach: NDArray[np.float64]


class Blocks(NamedTuple):
    """Blocks of weights, and the best codes so far of each: arrays that the search updates.

    Attributes:
        weights: Shape (blocks, block).
        squares: Their squared norms.
        error: Squared error of the best codes.
        seed: Shape (blocks,), as are the two before and the exponent.
        exponent: e.
        coefficients: q, shape (blocks, latent).
    """

    weights: NDArray[np.float64]
    squares: NDArray[np.float64]
    error: NDArray[np.float64]
    seed: NDArray[np.int64]
    exponent: NDArray[np.int64]
    coefficients: NDArray[np.int64]

    @classmethod
    def of(cls, weights: NDArray[np.float64], latent: int) -> "Blocks":
        """Return blocks with codes that decode to 0: what a block of zeros keeps."""
        count = len(weights)
        return cls(
            weights,
            add_squares(weights),
            np.full(count, np.inf),
            np.ones(count, np.int64),
            np.full(count, _LEAST, np.int64),
            np.zeros((count, latent), np.int64),
        )

    def part(self, rows: slice) -> "Blocks":
        """Return views of some of the blocks."""
        return Blocks(
            self.weights[rows],
            self.squares[rows],
            self.error[rows],
            self.seed[rows],
            self.exponent[rows],
            self.coefficients[rows],
        )


class Accuracy(NamedTuple):
    """What a search must know of how its numbers were made.

    Attributes:
        margin: The most by which a float32 score can be wrong.
        headroom: What the exponent rule subtracts from floor(log2 max|t|).
    """

    margin: float
    headroom: int


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def add_squares(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squares of each row, added from left to right."""
    squares = np.zeros(blocks.shape[0])
    for i in range(blocks.shape[0]):
        for c in range(blocks.shape[1]):
            squares[i] += blocks[i, c] * blocks[i, c]
    return squares


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _orthogonalise(columns: NDArray[np.float64], triangle: NDArray[np.float64]) -> None:
    """Replace columns, shape (latent, block), by Q and set R; dependent ones become 0.

    Gram-Schmidt, each column twice: that leaves Q orthogonal to rounding error however close to
    dependent the columns are.
    """
    for p in range(columns.shape[0]):
        whole = math.sqrt((columns[p] * columns[p]).sum())
        for _again in range(2):
            for j in range(p):
                share = (columns[j] * columns[p]).sum()
                triangle[j, p] += share
                columns[p] -= share * columns[j]
        rest = math.sqrt((columns[p] * columns[p]).sum())
        if rest <= _DEPENDENT * whole:
            columns[p] = 0.0
        else:
            triangle[p, p] = rest
            columns[p] /= rest


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def factorise(
    centred: NDArray[np.int32], divisor: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]]:
    """Return inverses and reach as ``Bases`` has them, and the projections between them.

    Returns:
        Pseudo-inverses; the upper triangles of Q Q^T, doubled off the diagonal, float32; reach.
    """
    seeds, block, latent = centred.shape
    inverses = np.zeros((seeds, latent, block))
    shares = np.empty((seeds, block * (block + 1) // 2), np.float32)
    reach = np.zeros(seeds)
    for s in range(seeds):
        columns = np.ascontiguousarray(centred[s].T) / np.float64(divisor)
        triangle = np.zeros((latent, latent))
        _orthogonalise(columns, triangle)
        for p in range(latent - 1, -1, -1):
            if triangle[p, p] > 0:
                row = columns[p].copy()
                for j in range(p + 1, latent):
                    row -= triangle[p, j] * inverses[s, j]
                inverses[s, p] = row / triangle[p, p]
            reach[s] = max(reach[s], math.sqrt((inverses[s, p] * inverses[s, p]).sum()))
        place = 0
        for c in range(block):
            for d in range(c, block):
                share = (columns[:, c] * columns[:, d]).sum()
                shares[s, place] = share if c == d else 2 * share
                place += 1
    return inverses, shares, reach


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _fit(
    w: NDArray[np.float64],
    inverse: NDArray[np.float64],
    headroom: int,
    t: NDArray[np.float64],
    q: NDArray[np.int64],
) -> int:
    """Set the real coefficients t and the rounded ones q; return their exponent."""
    greatest = 0.0
    for p in range(len(t)):
        t[p] = 0.0
        for c in range(len(w)):
            t[p] += inverse[p, c] * w[c]
        greatest = max(greatest, abs(t[p]))
    # frexp's mantissa is 0.5 to 1, so its exponent is floor(log2) + 1; of zero it is 0.
    exponent = _LEAST
    if greatest > 0.0:
        exponent = min(max(math.frexp(greatest)[1] - 1 - headroom, _LEAST), _MOST)
    scale = math.ldexp(1.0, -exponent)
    for p in range(len(t)):
        q[p] = np.int64(min(max(np.rint(t[p] * scale), _LEAST), _MOST))
    return exponent


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _score(
    w: NDArray[np.float64],
    centred: NDArray[np.int32],
    q: NDArray[np.int64],
    step: float,
    divisor: int,
) -> float:
    """Return the squared error of the weights that a decoder makes of q and 2**e = step."""
    error = 0.0
    for c in range(len(w)):
        total = np.int64(0)
        for p in range(len(q)):
            total += np.int64(centred[c, p]) * q[p]
        rest = w[c] - np.float64(total) / np.float64(divisor) * step
        error += rest * rest
    return error


@njit(cache=True, parallel=True)  # type: ignore[untyped-decorator, unused-ignore]  # as above
def keep_best(scores: NDArray[np.float32], blocks: Blocks, bases: Bases, by: Accuracy) -> None:
    """Update the best codes of every block with those of some seeds, all above those seen before.

    Args:
        scores: Share of each block's squared norm that each seed can express, (blocks, seeds).
        blocks: The blocks.
        bases: The seeds' matrices.
        by: How the scores and the exponents are made.
    """
    for i in prange(len(scores)):
        if blocks.squares[i] > 0.0:
            _search_block(i, scores[i], blocks, bases, by)


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _search_block(
    i: int, scores: NDArray[np.float32], blocks: Blocks, bases: Bases, by: Accuracy
) -> None:
    w, square = blocks.weights[i], blocks.squares[i]
    latent = blocks.coefficients.shape[1]
    t, q = np.empty(latent), np.empty(latent, np.int64)
    out_of_reach = _ZERO / math.sqrt(square)
    limit = np.float32(1.0 - by.margin - blocks.error[i] / square)
    for start in range(0, len(scores), _TOGETHER):
        end = min(start + _TOGETHER, len(scores))
        hits = 0
        for s in range(start, end):
            hits += scores[s] > limit
        if hits == 0:
            continue
        for s in range(start, end):
            # If all coefficients round to 0, the error is |w|**2: no better than what there is.
            has_more = blocks.error[i] <= square
            if scores[s] <= limit or (has_more and bases.reach[s] < out_of_reach):
                continue
            exponent = _fit(w, bases.inverses[s], by.headroom, t, q)
            if has_more and not q.any():
                continue
            error = _score(w, bases.centred[s], q, math.ldexp(1.0, exponent), bases.divisor)
            if error < blocks.error[i]:
                blocks.error[i], blocks.seed[i] = error, bases.first + s
                blocks.exponent[i], blocks.coefficients[i] = exponent, q
                limit = np.float32(1.0 - by.margin - error / square)

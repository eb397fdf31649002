"""SeedLM's search, compiled: least squares of every seed, bounds, and scores of promising ones.

Sums of scores run in float64 in one fixed order, so that the same weights give the same bytes
anywhere. Bounds are float32 and only choose what is scored. They are loops of ours and not a matrix
product: the product would write every bound to memory, and its threads wait for each other on a
busy machine.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_LEAST, _MOST = -8, 7  # of an exponent and of a coefficient
_DEPENDENT = 1e-10  # a column this close to the ones before it, relatively, takes no coefficient
_ZERO = 2.0**-9 * (1 - 1e-9)  # real coefficients below round to 0 even at the least exponent
_TOGETHER = 256  # seeds whose shares one vector loop adds up
_BLOCKS_OF_A_TASK = 64
_HALF_ULP = 2.0**-24  # of float32


class Seeds(NamedTuple):
    """Consecutive seeds, and what a search needs of their matrices U.

    Attributes:
        first: The first seed.
        divisor: Makes the centred states the entries of U.
        headroom: What the exponent rule subtracts from floor(log2 max|t|).
        centred: States less half their range, shape (seeds, block, latent).
        inverses: Pseudo-inverses of U, shape (seeds, latent, block).
        reach: Greatest norm of a row of the pseudo-inverse, shape (seeds,): the most that a
            coefficient of a block of norm 1 can be.
        directions: Orthonormal bases of U's columns, in groups of seeds side by side, shape
            (groups, latent, block, _TOGETHER); zeros where a column depends on those before it.
    """

    first: int
    divisor: int
    headroom: int
    centred: NDArray[np.int32]
    inverses: NDArray[np.float64]
    reach: NDArray[np.float64]
    directions: NDArray[np.float32]

    @classmethod
    def of(cls, centred: NDArray[np.int32], *, first: int, divisor: int, headroom: int) -> "Seeds":
        """Factorise the matrices of seeds from ``first`` on."""
        return cls(first, divisor, headroom, centred, *factorise(centred, divisor))


class Blocks(NamedTuple):
    """Blocks of weights, and the best codes so far of each: arrays that the search updates.

    Attributes:
        weights: Shape (blocks, block).
        units: The same at norm 1; zeros for a block of zeros.
        squares: Their squared norms.
        error: Squared error of the best codes.
        seed: Shape (blocks,), as are the two before and the exponent.
        exponent: e.
        coefficients: q, shape (blocks, latent).
    """

    weights: NDArray[np.float64]
    units: NDArray[np.float32]
    squares: NDArray[np.float64]
    error: NDArray[np.float64]
    seed: NDArray[np.int64]
    exponent: NDArray[np.int64]
    coefficients: NDArray[np.int64]

    @classmethod
    def of(cls, weights: NDArray[np.float64], latent: int) -> "Blocks":
        """Return blocks with codes that decode to 0: what a block of zeros keeps."""
        count, squares = len(weights), add_squares(weights)
        norms = np.sqrt(np.where(squares > 0, squares, 1.0))
        return cls(
            weights,
            (weights / norms[:, None]).astype(np.float32),
            squares,
            np.full(count, np.inf),
            np.ones(count, np.int64),
            np.full(count, _LEAST, np.int64),
            np.zeros((count, latent), np.int64),
        )

    def part(self, rows: slice) -> "Blocks":
        """Return views of some of the blocks."""
        return Blocks(
            self.weights[rows],
            self.units[rows],
            self.squares[rows],
            self.error[rows],
            self.seed[rows],
            self.exponent[rows],
            self.coefficients[rows],
        )


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
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Return the inverses, reach and directions of ``Seeds``."""
    seeds, block, latent = centred.shape
    inverses, reach = np.zeros((seeds, latent, block)), np.zeros(seeds)
    groups = (seeds + _TOGETHER - 1) // _TOGETHER
    directions = np.zeros((groups, latent, block, _TOGETHER), np.float32)
    for s in range(seeds):
        columns = np.ascontiguousarray(centred[s].T) / np.float64(divisor)
        triangle = np.zeros((latent, latent))
        _orthogonalise(columns, triangle)
        directions[s // _TOGETHER, :, :, s % _TOGETHER] = columns
        for p in range(latent - 1, -1, -1):
            if triangle[p, p] > 0:
                row = columns[p].copy()
                for j in range(p + 1, latent):
                    row -= triangle[p, j] * inverses[s, j]
                inverses[s, p] = row / triangle[p, p]
            reach[s] = max(reach[s], math.sqrt((inverses[s, p] * inverses[s, p]).sum()))
    return inverses, reach, directions


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
def keep_best(blocks: Blocks, seeds: Seeds) -> None:
    """Update the best codes of every block with those of some seeds, all above those seen before.

    Few blocks by many seeds at a time: a group's directions stay in the nearest cache.
    """
    count = len(blocks.weights)
    for task in prange((count + _BLOCKS_OF_A_TASK - 1) // _BLOCKS_OF_A_TASK):
        along, shares = np.empty(_TOGETHER, np.float32), np.empty(_TOGETHER, np.float32)
        first = task * _BLOCKS_OF_A_TASK
        for group in range(len(seeds.directions)):
            for i in range(first, min(first + _BLOCKS_OF_A_TASK, count)):
                _add_shares(blocks.units[i], seeds.directions[group], along, shares)
                _improve(i, group * _TOGETHER, shares, blocks, seeds)


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _add_shares(
    unit: NDArray[np.float32],
    directions: NDArray[np.float32],
    along: NDArray[np.float32],
    shares: NDArray[np.float32],
) -> None:
    """Set the share of a block's squared norm that each of some seeds can express.

    Args:
        unit: The block at norm 1.
        directions: Of one group of seeds.
        along: Scratch.
        shares: What to set.
    """
    shares[:] = 0
    for p in range(directions.shape[0]):
        along[:] = 0
        for c in range(directions.shape[1]):
            for s in range(_TOGETHER):
                along[s] += unit[c] * directions[p, c, s]
        for s in range(_TOGETHER):
            shares[s] += along[s] * along[s]


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _limit(error: float, square: float, block: int, latent: int) -> np.float32:
    """Return the share that a seed must exceed to have a chance of a lower error.

    The float32 share is wrong by at most 2 sqrt(P) (C + 2) + P + 2 half ulps of 1: each input,
    product and sum of P dot products of unit vectors, then their squares and the sum of these,
    which is at most 1; the limit's own rounding is one more.
    """
    ulps = 2 * math.sqrt(latent) * (block + 2) + latent + 3
    return np.float32(1.0 - error / square - 1.1 * _HALF_ULP * ulps)


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _improve(i: int, start: int, shares: NDArray[np.float32], blocks: Blocks, seeds: Seeds) -> None:
    """Solve and score those of a group of seeds, from index ``start`` on, that may be better."""
    w, square = blocks.weights[i], blocks.squares[i]
    if square == 0.0:
        return
    latent = blocks.coefficients.shape[1]
    limit = _limit(blocks.error[i], square, len(w), latent)
    hits = 0
    for at in range(_TOGETHER):
        hits += shares[at] > limit
    if hits == 0:
        return
    t, q = np.empty(latent), np.empty(latent, np.int64)
    out_of_reach = _ZERO / math.sqrt(square)
    for s in range(start, min(start + _TOGETHER, len(seeds.reach))):
        # If all coefficients round to 0, the error is |w|**2: no better than what there is.
        has_more = blocks.error[i] <= square
        if shares[s - start] <= limit or (has_more and seeds.reach[s] < out_of_reach):
            continue
        exponent = _fit(w, seeds.inverses[s], seeds.headroom, t, q)
        if has_more and not q.any():
            continue
        error = _score(w, seeds.centred[s], q, math.ldexp(1.0, exponent), seeds.divisor)
        if error < blocks.error[i]:
            blocks.error[i], blocks.seed[i] = error, seeds.first + s
            blocks.exponent[i], blocks.coefficients[i] = exponent, q
            limit = _limit(error, square, len(w), latent)

"""Least squares with coefficients that are not negative, for up to eight of them.

Every choice of coefficients that may differ from zero is tried, and the best one without a negative
wins: exact, and without the third of a second that importing an optimiser takes in every command.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

_MOST_COEFFICIENTS = 8


def solve_nonnegative(
    terms: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the coefficients of at least 0 that bring ``terms @ coefficients`` next to ``values``.

    Args:
        terms: Shape (points, coefficients).
        values: Shape (points,).

    Returns:
        The coefficients, and the Euclidean norm of what is left.

    Raises:
        ValueError: If there are more than eight coefficients.
    """
    count = terms.shape[1]
    if count > _MOST_COEFFICIENTS:
        raise ValueError(f"Coefficients must be at most {_MOST_COEFFICIENTS}, not {count}")
    best, found = math.inf, np.zeros(count)
    for used in range(count + 1):
        for chosen in map(list, itertools.combinations(range(count), used)):
            solution = np.zeros(count)
            if chosen:
                solution[chosen] = np.linalg.lstsq(terms[:, chosen], values, rcond=None)[0]
            error = float(np.linalg.norm(terms @ solution - values))
            # A coefficient more must earn its place: ties would differ from machine to machine.
            if (solution >= 0).all() and error < best - 1e-9 * float(np.linalg.norm(values)):
                best, found = error, solution
    return found, best

"""Drawn codes that meet their extremes: uniform ones alone hardly ever reach the greatest sums."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_EXTREME_SHARE = 0.25


def often_extreme(
    rng: np.random.Generator, extremes: Sequence[int], uniform: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return drawn codes, a quarter of them replaced by one of ``extremes`` each."""
    is_extreme = rng.random(uniform.shape) < _EXTREME_SHARE
    return np.where(is_extreme, rng.choice(extremes, uniform.shape), uniform)

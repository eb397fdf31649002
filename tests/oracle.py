"""What products and registers must hold, in Python integers alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def product(a: NDArray[Any], b: NDArray[Any]) -> list[list[int]]:
    """Return ``a @ b`` of arrays of shape (m, k) and (k, n)."""
    columns = b.T.tolist()
    return [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns]
        for row in a.tolist()
    ]


def wrapped(value: int, width: int) -> int:
    """Return ``value`` as a two's complement register of ``width`` bits shows it."""
    pattern = value % 2**width
    return pattern - 2**width if pattern >= 2 ** (width - 1) else pattern


def wrapped_product(a: NDArray[Any], b: NDArray[Any], width: int) -> NDArray[np.int64]:
    """Return ``a @ b`` as accumulators of ``width`` bits, at most 64, show it."""
    return np.array([[wrapped(value, width) for value in row] for row in product(a, b)], np.int64)

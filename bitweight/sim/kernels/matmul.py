"""Exact integer matrix product at BLAS speed.

Integers are exact in floating point while no partial sum can leave the mantissa. So k is cut into
chunks that cannot overflow it for the values at hand: float32 where a chunk is long enough to be
worth it, float64 otherwise, and the chunks are added as integers.
"""

import numpy as np
from numpy.typing import NDArray

_FLOAT32_EXACT = 2**24
_FLOAT64_EXACT = 2**53
# Below this chunk length adding up the chunks costs more than float32 gains over float64.
_MIN_FLOAT32_CHUNK = 256


def matmul(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return ``a @ b`` without rounding or overflow.

    Args:
        a: Integers, shape (m, k), of at most 26 bits.
        b: Integers, shape (k, n), of at most 26 bits.

    Returns:
        Shape (m, n), int64.
    """
    bound = max(1, _max_magnitude(a) * _max_magnitude(b))
    k = a.shape[1]
    is_single = _FLOAT32_EXACT // bound >= min(k, _MIN_FLOAT32_CHUNK)
    dtype = np.dtype(np.float32 if is_single else np.float64)
    chunk = (_FLOAT32_EXACT if is_single else _FLOAT64_EXACT) // bound
    total = np.zeros((0, 0), np.int64)
    for start in range(0, k, chunk):
        part = a[:, start : start + chunk].astype(dtype) @ b[start : start + chunk].astype(dtype)
        if start == 0:
            total = part.astype(np.int64)
        else:
            # As integers: in float64, sums past 2**53 would be rounded.
            np.add(total, part, out=total, dtype=np.int64, casting="unsafe")
    return total


def _max_magnitude(codes: NDArray[np.integer]) -> int:
    # Not np.abs: |-128| does not fit an int8.
    return max(-int(codes.min()), int(codes.max()))


def wrap(exact: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return ``exact`` modulo ``2**width`` as signed integers of ``width`` bits, 2 to 63."""
    half = 1 << (width - 1)
    if -half <= int(exact.min()) and int(exact.max()) < half:
        return exact
    # Two's complement int64: adding half may wrap, and masking undoes it.
    return ((exact + np.int64(half)) & np.int64((1 << width) - 1)) - np.int64(half)

"""Formats that store an output as a row of words: words cut to beats, and sums of their groups."""

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.exact import groups_along


def check_group(name: str, group: int, lanes: int) -> None:
    """Raise ``ValueError`` if a group ends inside a beat."""
    if group % lanes:
        raise ValueError(f"Group of {name} must be a multiple of {lanes}, not {group}")


def row_units(
    rows: NDArray[np.unsignedinteger], units: int, *, padding: int = 0
) -> NDArray[np.int64]:
    """Cut rows of words (n, words) to beats, shape (beats, n, units).

    What is missing in the last beat is ``padding``.
    """
    missing = -rows.shape[1] % units
    padded = np.pad(rows, ((0, 0), (0, missing)), constant_values=padding)
    return padded.reshape(len(rows), -1, units).transpose(1, 0, 2).astype(np.int64)


def group_sums(x: NDArray[np.integer], weights: NDArray[np.int64], group: int) -> NDArray[np.int64]:
    """Return the sums of every ``group`` of k, shape (m, n, groups).

    Args:
        x: Activations, shape (m, k).
        weights: Shape (k, n).
        group: K of a sum; the last may have less.
    """
    k, n = weights.shape
    sums = np.empty((len(x), n, groups_along(k, group)), np.int64)
    for at, start in enumerate(range(0, k, group)):
        part = slice(start, start + group)
        sums[:, :, at] = matmul(x[:, part], weights[part])
    return sums

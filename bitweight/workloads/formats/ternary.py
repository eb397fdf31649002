"""What I2_S, TL1 and TL2 share: weights -1, 0 and 1 under one float32 scale per tensor.

Source: microsoft/BitNet (each packed tensor ends with that scale; only its four bytes count here,
not the file's alignment after them).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.packed_weights import ArrayLayout, PackedLayout, PackedWeights

_SCALE_BITS = 32


def ternary_layout(*shape: int) -> PackedLayout:
    """Return the layout of bytes in this shape and the scale."""
    return PackedLayout(
        words=ArrayLayout(shape, np.uint8), scales={"scale": ArrayLayout((1,), np.float32)}
    )


def ternary_bits_per_weight(stored: float, *, k: int, n: int) -> float:
    """Return the bits per weight of a (k, n) matrix.

    Args:
        stored: Bits of one output's packed weights, padding included.
        k: Inputs.
        n: Outputs.
    """
    return (stored * n + _SCALE_BITS) / (k * n)


def check_trits(name: str, trits: NDArray[np.integer]) -> None:
    """Raise ``ValueError`` unless ``trits`` is a matrix of -1, 0 and 1."""
    if trits.ndim != 2:
        raise ValueError(f"{name} weights must have shape (k, n), not {trits.shape}")
    if trits.size and (trits.min() < -1 or trits.max() > 1):
        raise ValueError(f"{name} weights must be -1, 0 or 1, not {trits.min()} to {trits.max()}")


def check_scale(packed: PackedWeights) -> None:
    """Raise ``ValueError`` if the scale is negative."""
    if packed.scales["scale"][0] < 0:
        raise ValueError(
            f"{packed.format.name} scale must be at least 0, not {packed.scales['scale'][0]:g}"
        )


def dequantise_ternary(
    unpack: Callable[[PackedWeights], NDArray[np.int64]], packed: PackedWeights
) -> NDArray[np.float64]:
    """Return the real weights, shape (k, n)."""
    return unpack(packed).astype(np.float64) * float(packed.scales["scale"][0])


def scale_ternary_sums(partials: NDArray[np.int64], packed: PackedWeights) -> NDArray[np.float64]:
    """Add an engine's sums over planes and groups, and scale them once."""
    sums: NDArray[np.int64] = partials.sum(axis=(2, 3))
    return sums.astype(np.float64) * float(packed.scales["scale"][0])

"""Real weights to a packed format: one function on the format's type.

Each encoder file registers itself. Encoders are deterministic: the same weights give the same
bytes, on any machine; ties go to the lowest code.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.packed_weights import PackedWeights

Progress = Callable[[int, int], None]

_GREATEST_HALF = 65504.0


def no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


@singledispatch
def encode(
    form: object, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    """Encode real weights.

    Args:
        form: A ``WeightFormat``, for example ``FORMATS["nf4"]``.
        w: Weights, shape (k, n), finite floats.
        on_done: Called now and then with the steps done and all steps.

    Raises:
        ValueError: If a weight is not finite or the format cannot hold such a matrix.
    """
    raise TypeError(f"No encoder writes a {type(form).__name__}; see FORMATS")


def check_weights(w: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the weights as float64, shape (k, n).

    Raises:
        TypeError: If they are not floats.
        ValueError: If they have not two axes of at least one, or one is not finite.
    """
    if not isinstance(w, np.ndarray) or not np.issubdtype(w.dtype, np.floating):
        kind = getattr(w, "dtype", type(w).__name__)
        raise TypeError(f"Weights to encode must be an array of floats, not {kind}")
    if w.ndim != 2 or not w.size:
        raise ValueError(f"Weights to encode must have shape (k, n), not {w.shape}")
    if not np.isfinite(w).all():
        raise ValueError(f"Weights to encode must be finite, not {w[~np.isfinite(w)].flat[0]}")
    return w.astype(np.float64)


def fp16_scales(scales: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """Return scales rounded to fp16, half to even.

    Raises:
        ValueError: If one is beyond fp16.
    """
    greatest = np.abs(scales).max(initial=0.0)
    if not greatest <= _GREATEST_HALF:
        raise ValueError(f"Scales must fit fp16 (at most {_GREATEST_HALF:g}), not {greatest:g}")
    return scales.astype(np.float16)

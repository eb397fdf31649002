"""The real numbers that a layer's integers stand for.

value = scale * (code - zero point) + minimum, in float64 and in this order of operations.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Operand
from bitweight.workloads.packed_layer import AnyLayer, PackedLayer
from bitweight.workloads.packed_weights import apply_scales

_ALL = slice(None)


def real_weights(layer: Layer) -> NDArray[np.float64]:
    """Return an integer layer's weights, shape (k, n)."""
    w = layer.w_operand
    # Turned round, groups run along the second axis for w as they do for x.
    return _values(
        w.read_codes(_ALL, _ALL).T,
        *(None if part is None else part.T for part in _parts(w)),
        group=layer.group,
    ).T


def real_activations(layer: AnyLayer) -> NDArray[np.float64]:
    """Return a layer's activations, shape (m, k)."""
    x = layer.x_operand
    group = layer.group if isinstance(layer, Layer) else None
    return _values(x.read_codes(_ALL, _ALL), *_parts(x), group=group)


def real_outputs(layer: PackedLayer, partials: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a packed layer's outputs, shape (m, n), without its bias.

    Args:
        layer: The layer.
        partials: What an engine sums of its codes, shape (m, n, planes, groups).
    """
    weights = layer.weights
    sums = apply_scales(partials, weights)
    scale, zero_point, minimum = (
        None if part is None else np.asarray(part, np.float64).reshape(-1, 1)
        for part in _parts(layer.x_operand)
    )
    # sum (s (x - z) + m) w = s (sum x w - z sum w) + m sum w
    if zero_point is None and minimum is None:
        return sums if scale is None else scale * sums
    of_weights = weights.dequantise().sum(axis=0)
    if zero_point is not None:
        sums = sums - zero_point * of_weights
    if scale is not None:
        sums = scale * sums
    return sums if minimum is None else sums + minimum * of_weights


def _parts(operand: Operand) -> tuple[NDArray[Any] | None, ...]:
    return operand.read_scale(), operand.read_zero_point(), operand.read_minimum()


def _values(
    codes: NDArray[Any],
    scale: NDArray[Any] | None,
    zero_point: NDArray[Any] | None,
    minimum: NDArray[Any] | None,
    *,
    group: int | None,
) -> NDArray[np.float64]:
    """Return values of codes, shape (rows, k); parts are of shape (), (rows,) or (rows, groups)."""
    k = codes.shape[1]
    values = codes.astype(np.float64)
    if zero_point is not None:
        values -= _along_k(zero_point, group, k)
    if scale is not None:
        values *= _along_k(scale, group, k)
    if minimum is not None:
        values += _along_k(minimum, group, k)
    return values


def _along_k(part: NDArray[Any], group: int | None, k: int) -> NDArray[np.float64]:
    """Return a part that broadcasts against (rows, k)."""
    wide = part.astype(np.float64)
    if wide.ndim < 2 or group is None:
        return wide[:, None] if wide.ndim == 1 else wide
    return np.take(wide, np.arange(k) // group, axis=1)

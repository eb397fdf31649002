"""Symmetric 8-bit quantisation of activations and weights.

``scale = max|value| / 127`` over the values that share it, rounded to float32;
``code = round_half_even(value / scale)``, -127 to 127: zero is code 0 and no zero point is needed.
Activations are quantised per tensor, token or group; weights per tensor, channel or group.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 3, in the symmetric form; per-token and
per-channel scales as in Xiao et al., "SmoothQuant", ICML 2023, section 2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import exact_product, groups_along
from bitweight.workloads.formats import INT8
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Granularity, Rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantised:
    """Codes and scales of one operand.

    Attributes:
        codes: int8, the shape of the values, -127 to 127.
        scale: float32, of the shape that ``Granularity`` shows for the operand.
    """

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class W8A8:
    """Choice of scales.

    Attributes:
        x: Granularity of activation scales: TENSOR, TOKEN or GROUP.
        w: Granularity of weight scales: TENSOR, CHANNEL or GROUP.
        group: Length of a group along k; given exactly if x or w is GROUP.
    """

    x: Granularity = Granularity.TOKEN
    w: Granularity = Granularity.CHANNEL
    group: int | None = None

    def __post_init__(self) -> None:
        """Refuse granularities that an integer product cannot have."""
        if self.x is Granularity.CHANNEL:
            raise ValueError("Activation scales must be per tensor, token or group, not channel")
        if self.w is Granularity.TOKEN:
            raise ValueError("Weight scales must be per tensor, channel or group, not token")
        grouped = Granularity.GROUP in (self.x, self.w)
        if grouped != (self.group is not None):
            raise ValueError(
                "Group length must be given exactly if activations or weights are quantised "
                f"per group, not {self.group!r} with x per {self.x} and w per {self.w}"
            )
        if self.group is not None and self.group < 1:
            raise ValueError(f"Group length must be at least 1, not {self.group!r}")

    def layer(self, name: str, x: NDArray[Any], w: NDArray[Any]) -> Layer:
        """Quantise a layer and compute its golden accumulators in numpy's int64.

        Args:
            name: The layer's name.
            x: Activations, shape (m, k), floats.
            w: Weights, shape (k, n), floats.

        Raises:
            ValueError: If a value is not finite, or the group is longer than k.
        """
        left = quantise_x(x, self.x, group=self.group)
        right = quantise_w(w, self.w, group=self.group)
        return Layer.from_arrays(
            name,
            left.codes,
            right.codes,
            x_scale=left.scale,
            w_scale=right.scale,
            group=self.group,
            golden=exact_product(left.codes, right.codes, group=self.group),
            rounding=Rounding.HALF_EVEN,
        )


def quantise_x(
    values: NDArray[Any], granularity: Granularity, *, group: int | None = None
) -> Quantised:
    """Quantise activations, shape (m, k), to int8.

    Raises:
        ValueError: If a value is not finite.
    """
    rows, k = values.shape
    if granularity is Granularity.TENSOR:
        scale = _scale(values.reshape(1, -1))
        return Quantised(codes=_codes(values, scale), scale=scale.reshape(()))
    if granularity is not Granularity.GROUP:
        scale = _scale(values)
        return Quantised(codes=_codes(values, scale), scale=scale.reshape(rows))
    if group is None:
        raise ValueError("Group length must be given to quantise per group")
    # Zeros fill the last group: they change neither its greatest magnitude nor a code.
    padded = np.pad(values, ((0, 0), (0, groups_along(k, group) * group - k)))
    grouped = padded.reshape(rows, -1, group)
    scale = _scale(grouped)
    codes = _codes(grouped, scale).reshape(rows, -1)[:, :k]
    return Quantised(codes=np.ascontiguousarray(codes), scale=scale[..., 0])


def quantise_w(
    values: NDArray[Any], granularity: Granularity, *, group: int | None = None
) -> Quantised:
    """Quantise weights, shape (k, n), to int8.

    Raises:
        ValueError: If a value is not finite.
    """
    turned = quantise_x(values.T, granularity, group=group)
    # Not ascontiguousarray, which would give a scale without axes one.
    return Quantised(
        codes=np.asarray(turned.codes.T, order="C"), scale=np.asarray(turned.scale.T, order="C")
    )


def _scale(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return one scale for each row of the last axis, which is kept with length 1."""
    greatest = np.abs(values.astype(np.float64)).max(axis=-1, keepdims=True)
    if not np.isfinite(greatest).all():
        raise ValueError("Values to quantise must be finite, not infinite or NaN")
    scale = (greatest / INT8.max).astype(np.float32)
    # All zeros, or too small for a float32 scale: any scale gives codes 0.
    return np.where(scale > 0, scale, np.float32(1))


def _codes(values: NDArray[Any], scale: NDArray[np.float32]) -> NDArray[np.int8]:
    codes = np.rint(values.astype(np.float64) / scale.astype(np.float64))
    return np.clip(codes, -INT8.max, INT8.max).astype(np.int8)

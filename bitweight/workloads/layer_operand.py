"""One side of a quantised layer: integer codes with their scale and zero point.

Values are checked as they are read, so that no code outside its format and no infinite scale
reaches a model or an engine.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bitweight.workloads.formats import IntFormat
from bitweight.workloads.tensors import ArrayTensor, Tensor


class Granularity(StrEnum):
    """How many values share one scale.

    Attributes:
        TENSOR: All of them; scale of shape ().
        TOKEN: A row of x; scale of shape (m,).
        CHANNEL: A column of w, that is one output; scale of shape (n,).
        GROUP: ``group`` neighbours along k; scale of shape (m, groups) or (groups, n).
    """

    TENSOR = "tensor"
    TOKEN = "token"
    CHANNEL = "channel"
    GROUP = "group"


class Rounding(StrEnum):
    """How real values became codes."""

    HALF_EVEN = "half_even"
    HALF_AWAY = "half_away"
    UNKNOWN = "unknown"


def storage_dtype(fmt: IntFormat) -> np.dtype[Any]:
    """Return the type that stores one code of ``fmt``: 8 bits if they suffice, else 16."""
    return np.dtype(f"{'i' if fmt.signed else 'u'}{1 if fmt.width <= 8 else 2}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operand:
    """Codes and what they mean: value = scale * (code - zero_point) + minimum.

    Attributes:
        name: What messages call it, for example ``blk.3.attn_q.x``.
        codes: Integer codes, shape (m, k) for x and (k, n) for w, one per element.
        format: The integers that a code may be; often fewer bits than the type that stores it.
        scale: Floats of either sign in a shape of ``Granularity``; None for bare integers.
        zero_point: The code of real zero, in a shape of ``Granularity``; None for zero.
        minimum: Floats added to every value, in a shape of ``Granularity``; None for zero. It is
            outside integer accumulators: a float times a sum of the other side's codes.
        rounding: How the codes were made.
    """

    name: str
    codes: Tensor
    format: IntFormat
    scale: Tensor | None = None
    zero_point: Tensor | None = None
    minimum: Tensor | None = None
    rounding: Rounding = Rounding.UNKNOWN

    def __post_init__(self) -> None:
        """Refuse types that cannot hold what they should."""
        if len(self.codes.shape) != 2:
            raise ValueError(f"{self.name} must have two axes, not shape {self.codes.shape}")
        if self.codes.dtype != storage_dtype(self.format):
            raise ValueError(
                f"{self.name} must store {self.format} codes as {storage_dtype(self.format)}, "
                f"not {self.codes.dtype}"
            )
        for part, tensor in (("scale", self.scale), ("min", self.minimum)):
            if tensor is not None and tensor.dtype.kind != "f":
                raise ValueError(f"{self.name}_{part} must be floats, not {tensor.dtype}")
        if self.zero_point is not None and self.zero_point.dtype.kind not in "iu":
            raise ValueError(f"{self.name}_zp must be integers, not {self.zero_point.dtype}")

    @classmethod
    def from_arrays(
        cls,
        name: str,
        codes: ArrayLike,
        fmt: IntFormat,
        *,
        scale: ArrayLike | None = None,
        zero_point: ArrayLike | None = None,
        rounding: Rounding = Rounding.UNKNOWN,
    ) -> "Operand":
        """Make an operand of arrays in memory; codes may be of any integer type.

        Raises:
            ValueError: If the codes are not integers of ``fmt``, two axes of them.
        """
        array = np.asarray(codes)
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} must be integers, not {array.dtype}")
        _check_codes(name, array, fmt)
        return cls(
            name=name,
            codes=ArrayTensor(array.astype(storage_dtype(fmt), copy=False)),
            format=fmt,
            scale=None if scale is None else ArrayTensor(_floats(scale)),
            zero_point=None if zero_point is None else ArrayTensor(np.asarray(zero_point)),
            rounding=rounding,
        )

    def granularity(self, along: Granularity) -> Granularity:
        """Return how many values share a scale, as its axes show.

        Args:
            along: What a single axis means: TOKEN for x, CHANNEL for w.
        """
        tensor = self.scale if self.scale is not None else self.zero_point
        axes = 0 if tensor is None else len(tensor.shape)
        return (Granularity.TENSOR, along, Granularity.GROUP)[min(axes, 2)]

    def read_codes(self, rows: slice, cols: slice) -> NDArray[Any]:
        """Return some codes, in their storage type.

        Raises:
            ValueError: If one of them is outside the format.
        """
        codes = self.codes.read(rows, cols)
        _check_codes(self.name, codes, self.format)
        return codes

    def read_scale(self) -> NDArray[Any] | None:
        """Return the scales.

        Raises:
            ValueError: If one is infinite or not a number.
        """
        return _read_finite(f"{self.name}_scale", self.scale)

    def read_minimum(self) -> NDArray[Any] | None:
        """Return the minima.

        Raises:
            ValueError: If one is infinite or not a number.
        """
        return _read_finite(f"{self.name}_min", self.minimum)

    def read_zero_point(self) -> NDArray[np.int64] | None:
        """Return the zero points.

        Raises:
            ValueError: If one is not a code of the format.
        """
        if self.zero_point is None:
            return None
        points = self.zero_point.read()
        _check_codes(f"{self.name}_zp", points, self.format)
        return points.astype(np.int64)


def _read_finite(name: str, tensor: Tensor | None) -> NDArray[Any] | None:
    if tensor is None:
        return None
    values = tensor.read()
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, not {values[~np.isfinite(values)].flat[0]}")
    return values


def _floats(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _check_codes(name: str, codes: NDArray[Any], fmt: IntFormat) -> None:
    if not fmt.admits(codes):
        least, most = int(codes.min()), int(codes.max())
        raise ValueError(
            f"{name} must be {fmt} codes, {fmt.min} to {fmt.max}, not {least} to {most}"
        )

"""Weights in a packed number format: the words that memory holds, and what they mean.

A format is a value (``WeightFormat``): it packs codes, unpacks them, and says what each array must
look like for a (k, n) matrix. Integer arrays that the datapath itself reads (``side``) are apart
from floats that only scale its sums (``scales``), so an engine never sees a float.

Every format packs along k of one output: w is (k, n), so packing starts from w transposed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.gemm import check_sizes


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """What an array of packed weights must look like.

    Attributes:
        shape: Length of each axis.
        dtype: Type of each value.
    """

    shape: tuple[int, ...]
    dtype: type[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayout:
    """The arrays of a (k, n) matrix in some format.

    Attributes:
        words: The packed codes.
        side: Integers that the datapath reads beside them, by name.
        scales: Floats that scale its sums, by name.
    """

    words: ArrayLayout
    side: Mapping[str, ArrayLayout] = field(default_factory=dict)
    scales: Mapping[str, ArrayLayout] = field(default_factory=dict)


class WeightFormat(Protocol):
    """A packed number format: a frozen dataclass whose fields are its parameters."""

    @property
    def name(self) -> str:
        """Name, as ``quantize --to`` takes it."""
        ...

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return the stored bits per weight of a (k, n) matrix, by formula.

        Raises:
            ValueError: If the format cannot hold that matrix.
        """
        ...

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return what the arrays of a (k, n) matrix look like.

        Raises:
            ValueError: If the format cannot hold that matrix.
        """
        ...

    def check(self, packed: "PackedWeights") -> None:
        """Raise ``ValueError`` if a value is none that an encoder writes, for example seed 0."""
        ...

    def dequantise(self, packed: "PackedWeights") -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        ...

    def apply_scales(
        self, partials: NDArray[np.int64], packed: "PackedWeights"
    ) -> NDArray[np.float64]:
        """Return real outputs, shape (m, n), of integer sums, shape (m, n, planes, groups)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedWeights:
    """One matrix of weights, packed.

    Attributes:
        format: What the arrays mean.
        k: Inputs: rows of w.
        n: Outputs: columns of w.
        words: Packed codes, as ``format.layout`` says.
        side: Integer arrays that the datapath reads.
        scales: Float arrays that scale its sums.
    """

    format: WeightFormat
    k: int
    n: int
    words: NDArray[Any]
    side: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scales: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse wrong shapes and types, floats that are not finite, and illegal codes."""
        check_sizes(m=1, n=self.n, k=self.k)
        layout = self.format.layout(k=self.k, n=self.n)
        _check_array(f"{self.format.name} words", self.words, layout.words)
        for part, arrays, wanted in (
            ("side", self.side, layout.side),
            ("scales", self.scales, layout.scales),
        ):
            if arrays.keys() != wanted.keys():
                raise ValueError(
                    f"{self.format.name} {part} must be {', '.join(wanted) or 'none'}, "
                    f"not {', '.join(arrays) or 'none'}"
                )
            for name, array in arrays.items():
                _check_array(f"{self.format.name} {name}", array, wanted[name])
        for name, array in self.scales.items():
            if not np.isfinite(array).all():
                raise ValueError(
                    f"{self.format.name} {name} must be finite, "
                    f"not {array[~np.isfinite(array)].flat[0]}"
                )
        self.format.check(self)

    @property
    def bytes(self) -> int:
        """Bytes of all arrays: what is fetched to read every weight once."""
        arrays = (self.words, *self.side.values(), *self.scales.values())
        return sum(array.nbytes for array in arrays)

    def dequantise(self) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        return self.format.dequantise(self)


def apply_scales(partials: NDArray[np.int64], packed: PackedWeights) -> NDArray[np.float64]:
    """Turn an engine's integer sums into real outputs.

    Args:
        partials: Sums of integer activations times codes, shape (m, n, planes, groups).
        packed: The weights that they were made with.

    Returns:
        Outputs in units of the activations' scale, shape (m, n).
    """
    return packed.format.apply_scales(partials, packed)


def pack_bits(codes: NDArray[np.integer], width: int) -> NDArray[np.uint8]:
    """Pack the low ``width`` bits of each code into one stream of bytes, bit 0 first.

    Args:
        codes: Integers, shape (..., count); each leading index is a stream of its own.
        width: Bits of a code, 1 to 63.

    Returns:
        Bytes, shape (..., ceil(count * width / 8)); unused bits are 0.
    """
    shifts = np.arange(width, dtype=np.int64)
    bits = (codes.astype(np.int64)[..., None] >> shifts & 1).astype(np.uint8)
    return np.packbits(bits.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little")


def unpack_bits(stream: NDArray[np.uint8], width: int, count: int) -> NDArray[np.int64]:
    """Return the first ``count`` codes of ``width`` bits of each stream, as unsigned integers."""
    bits = np.unpackbits(stream, axis=-1, count=count * width, bitorder="little")
    weights = np.int64(1) << np.arange(width, dtype=np.int64)
    grouped = bits.reshape(*stream.shape[:-1], count, width).astype(np.int64)
    codes: NDArray[np.int64] = (grouped * weights).sum(axis=-1)
    return codes


def _check_array(name: str, array: NDArray[Any], layout: ArrayLayout) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != layout.dtype:
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name} must be {np.dtype(layout.dtype)}, not {kind}")
    if array.shape != layout.shape:
        raise ValueError(f"{name} must have shape {layout.shape}, not {array.shape}")

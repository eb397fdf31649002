"""Tensors that stay in their file until a slice of them is asked for.

``open_tensors`` reads a safetensors header only: names, shapes and types are known, and the file
is known to be as long as they say, before any memory is taken for values. ``Tensor`` is what a
layer holds: values in a file and values in memory look alike.

Source: safetensors format, https://huggingface.co/docs/safetensors (header, then raw buffers).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

_DTYPES = {
    "I8": np.int8,
    "U8": np.uint8,
    "I16": np.int16,
    "U16": np.uint16,
    "I32": np.int32,
    "U32": np.uint32,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}
_LONGEST_NAME = 256


class Tensor(Protocol):
    """Values of a known shape and type, read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of each value."""
        ...

    def read(self, *index: slice) -> NDArray[Any]:
        """Return the values, or those that ``index`` selects (one step-1 slice per axis)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ArrayTensor:
    """A tensor in memory.

    Attributes:
        array: Its values. They are not copied: leave them unchanged.
    """

    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of each value."""
        return self.array.dtype

    def read(self, *index: slice) -> NDArray[Any]:
        """Return the values, or those that ``index`` selects."""
        return self.array[index]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """A tensor in a safetensors file; each ``read`` opens the file anew.

    Attributes:
        path: The file.
        name: The tensor's name in it.
        shape: Length of each axis, as ``read`` delivers them.
        dtype: Type of each value.
        transposed: Whether the file holds the two axes the other way round.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    transposed: bool = False

    def read(self, *index: slice) -> NDArray[Any]:
        """Return the values, or those that ``index`` selects; only these are read.

        Raises:
            ValueError: If the file has changed since its header was read.
        """
        whole = tuple(slice(0, size) for size in self.shape[len(index) :])
        selected = (*index, *whole)
        values = self._read_stored(selected[::-1] if self.transposed else selected)
        return values.T if self.transposed else values

    def _read_stored(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            with safe_open(self.path, framework="numpy") as file:
                if not self.shape:
                    return np.asarray(file.get_tensor(self.name))
                return np.asarray(file.get_slice(self.name)[index])
        except SafetensorError as error:
            raise ValueError(f"{self.path}: cannot read tensor {self.name!r}: {error}") from error

    def transpose(self) -> "StoredTensor":
        """Return the same matrix with rows and columns exchanged."""
        return replace(self, shape=self.shape[::-1], transposed=not self.transposed)


def open_tensors(path: Path) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """Read the header of a safetensors file: its tensors by name, and its metadata.

    Raises:
        ValueError: If the file is not safetensors, is truncated, or holds a type not read here.
        OSError: If it cannot be opened.
    """
    with path.open("rb"):  # a missing file or a folder says so in the system's own words
        pass
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            headers = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no dict
            tensors = {name: _stored(path, name, header) for name, header in headers.items()}
    except SafetensorError as error:
        raise ValueError(
            f"{path}: must be a whole safetensors file ({error}); it may be truncated: "
            "copy or capture it again"
        ) from error
    return tensors, metadata


def _stored(path: Path, name: str, header: Any) -> StoredTensor:
    dtype = header.get_dtype()
    if dtype not in _DTYPES:
        raise ValueError(
            f"{path}: tensor {name[:_LONGEST_NAME]!r} must be one of {', '.join(_DTYPES)}, "
            f"not {dtype}"
        )
    return StoredTensor(
        path=path, name=name, shape=tuple(header.get_shape()), dtype=np.dtype(_DTYPES[dtype])
    )


def tensors_to_bytes(tensors: Mapping[str, NDArray[Any]], key: str, document: object) -> bytes:
    """Return a safetensors file with one JSON ``document`` under metadata ``key``.

    The same input gives the same bytes: safetensors orders tensors by type and name, and the
    JSON keeps the order of its keys.
    """
    whole = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    return save(whole, {key: json.dumps(document, separators=(",", ":"))})

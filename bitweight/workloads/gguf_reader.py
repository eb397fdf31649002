"""Weights and metadata of GGUF files, read a few rows at a time.

GGUF gives shapes as [K, N] but stores one row of K elements per output: everything here is
(N, K), the transpose of a layer's ``w`` (k, n). Container parsing is the ``gguf`` package's, kept
by llama.cpp's authors (extra ``gguf``); the block formats are unpacked in ``gguf_blocks``.
"""

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.gguf_blocks import (
    BLOCK_FORMATS,
    FLOAT_FORMATS,
    BlockCodes,
    float_values,
)

_T = TypeVar("_T")
_ALL = slice(None)
_MAGIC = b"GGUF"


class GgufFile:
    """An open GGUF file; tensor data stays on disk until it is asked for.

    Args:
        path: The file.

    Raises:
        ValueError: If it is no GGUF file or is truncated, or the ``gguf`` package is missing.
        OSError: If it cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        reader = _open(self.path)
        self._fields = reader.fields
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, in the file's order."""
        return tuple(self._tensors)

    def metadata(self, key: str, kind: type[_T], default: _T | None = None) -> _T:
        """Return a metadata value.

        Raises:
            ValueError: If it is missing and has no default, or is not a ``kind``.
        """
        field = self._fields.get(key)
        value: object = default if field is None else field.contents()
        if type(value) is not kind:
            came = "nothing" if value is None else type(value).__name__
            raise ValueError(f"{self.path}: metadata {key} must be {kind.__name__}, not {came}")
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape as stored: (N, K) of a matrix."""
        return tuple(int(size) for size in reversed(self._tensor(name).shape))

    def type_name(self, name: str) -> str:
        """Return a tensor's GGUF type, for example ``Q4_1``."""
        return str(self._tensor(name).tensor_type.name)

    def codes(self, name: str, rows: slice = _ALL) -> BlockCodes:
        """Return integer codes of rows (outputs) of a matrix.

        Raises:
            ValueError: If its type holds floats or is not read here.
        """
        type_name = self.type_name(name)
        if type_name not in BLOCK_FORMATS:
            kind = "floats, not integer codes" if type_name in FLOAT_FORMATS else "not supported"
            raise ValueError(
                f"{self.path}: {name} must be one of {', '.join(BLOCK_FORMATS)} to have codes; "
                f"{type_name} is {kind}"
            )
        return BLOCK_FORMATS[type_name].decode(np.asarray(self._matrix(name)[rows]))

    def dequantise(self, name: str, rows: slice = _ALL) -> NDArray[np.float32]:
        """Return values of rows (outputs) of a matrix, or of a whole vector, as float32.

        Raises:
            ValueError: If its type is not read here.
        """
        type_name = self.type_name(name)
        if type_name in BLOCK_FORMATS:
            return self.codes(name, rows).dequantise()
        if type_name not in FLOAT_FORMATS:
            known = ", ".join((*FLOAT_FORMATS, *BLOCK_FORMATS))
            raise ValueError(f"{self.path}: {name} must be one of {known}, not {type_name}")
        return float_values(type_name, np.asarray(self._tensor(name).data[rows]))

    def sha256(self) -> str:
        """Return the file's SHA-256 in hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _tensor(self, name: str) -> Any:
        if name not in self._tensors:
            raise ValueError(f"{self.path}: must have a tensor {name}, which is missing")
        return self._tensors[name]

    def _matrix(self, name: str) -> NDArray[Any]:
        data: NDArray[Any] = self._tensor(name).data
        if data.ndim != 2:
            raise ValueError(
                f"{self.path}: {name} must be a matrix, not of shape {self.shape(name)}"
            )
        return data


def is_gguf(path: Path) -> bool:
    """Tell whether a file starts as GGUF files do.

    Raises:
        OSError: If it cannot be opened.
    """
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _open(path: Path) -> Any:
    try:
        from gguf import GGUFReader  # noqa: PLC0415 - an extra: only its users need it
    except ModuleNotFoundError as error:
        raise ValueError(
            f"Reading GGUF files needs {error.name}: pip install 'bitweight[gguf]'"
        ) from error
    with path.open("rb") as file:
        start = file.read(24)
    if start[:4] != _MAGIC:
        raise ValueError(f"{path}: must be a GGUF file, but does not start with GGUF")
    # Counts of tensors and of metadata; each entry takes more than eight bytes.
    counts = int.from_bytes(start[8:16], "little") + int.from_bytes(start[16:24], "little")
    if counts * 8 > path.stat().st_size:
        raise ValueError(f"{path}: must be a whole GGUF file, but is too short for its header")
    try:
        return GGUFReader(path)
    except (ValueError, IndexError, KeyError, OverflowError, TypeError, MemoryError) as error:
        raise ValueError(
            f"{path}: must be a whole GGUF file, but cannot be read ({error}); it may be truncated"
        ) from error

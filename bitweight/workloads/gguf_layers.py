"""A GGUF file's own integer weights as layers, with drawn activations.

Nothing is re-quantised: ``w`` is the file's codes, ``w_scale`` its scales, one for each group along
k. Types with a minimum (Q4_1, Q5_1, Q4_K) have ``value = scale * code + minimum``; an integer
engine computes the sums of ``x * code`` per group, and ``minimum`` times the sum of x is added in
floating point outside it. Weights stay in the file until they are read.

Source: ggml's CPU products of quantised weights with int8 activations work this way.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Operand, storage_dtype
from bitweight.workloads.operands import Distribution
from bitweight.workloads.real_layer import RealLayer, RealTrace
from bitweight.workloads.trace import Trace

_LINEAR = re.compile(r"(?:blk\.(\d+)\.\w+|output)\.weight")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GgufTensor:
    """Codes, scales or minima of a GGUF matrix, as a layer sees them: k (or groups) by n.

    Attributes:
        file: The open file.
        name: The matrix.
        part: Which of its three tensors this is.
        shape: (k, n) of codes, (groups, n) of scales and minima.
        dtype: Type of each value.
    """

    file: GgufFile
    name: str
    part: Literal["codes", "scale", "minimum"]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, *index: slice) -> NDArray[Any]:
        """Return the values that ``index`` selects; only the outputs asked for are unpacked."""
        rows, cols = (*index, slice(None), slice(None))[:2]
        stored: NDArray[Any] = getattr(self.file.codes(self.name, cols), self.part)
        return stored[:, rows].T


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTensor:
    """Activations drawn anew, and the same, each time they are read: a model's take no memory.

    Attributes:
        operands: How they are drawn, as int8.
        shape: (m, k).
        seed: Seed of the draw.
    """

    operands: Distribution
    shape: tuple[int, int]
    seed: tuple[int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of each value."""
        return storage_dtype(INT8)

    def read(self, *index: slice) -> NDArray[Any]:
        """Return the values, or those that ``index`` selects."""
        return self.operands.draw(INT8, self.shape, np.random.default_rng(self.seed))[index]


def gguf_layer(file: GgufFile, name: str, x: NDArray[Any], *, x_format: IntFormat = INT8) -> Layer:
    """Return a layer of a GGUF matrix's own codes.

    Args:
        file: The file.
        name: A matrix, for example ``blk.3.attn_q.weight``; the layer drops ``.weight``.
        x: Activation codes of ``x_format``, shape (m, k).
        x_format: Format of x.

    Raises:
        ValueError: If the matrix holds floats or a type not read here, or x does not fit it.
    """
    operand = Operand.from_arrays(f"{name.removesuffix('.weight')}.x", x, x_format)
    return _layer(file, name, operand)


def _layer(file: GgufFile, name: str, x: Operand) -> Layer:
    n, k = file.shape(name)
    # One row shows the format, the group and whether there is a minimum.
    sample = file.codes(name, slice(0, 1))
    groups = k // sample.group
    layer = name.removesuffix(".weight")

    def tensor(part: Literal["codes", "scale", "minimum"], rows: int, dtype: Any) -> GgufTensor:
        return GgufTensor(file=file, name=name, part=part, shape=(rows, n), dtype=np.dtype(dtype))

    weights = Operand(
        name=f"{layer}.w",
        codes=tensor("codes", k, storage_dtype(sample.format)),
        format=sample.format,
        scale=tensor("scale", groups, np.float32),
        minimum=None if sample.minimum is None else tensor("minimum", groups, np.float32),
    )
    return Layer(
        name=layer,
        x_operand=x,
        w_operand=weights,
        group=sample.group,
    )


def gguf_trace(
    path: str | Path,
    *,
    tokens: int,
    operands: Distribution,
    seed: int,
    names: Collection[str] = (),
) -> Trace:
    """Return a file's linear layers with drawn int8 activations.

    Args:
        path: The GGUF file.
        tokens: Rows of each layer's x.
        operands: How activations are drawn.
        seed: Each layer's activations depend on it and on the layer's place in the file only.
        names: Matrices to take; none means those of all blocks and the output layer. A tied head
            is the embedding matrix and is not taken.

    Raises:
        ValueError: If there is no such layer, or one holds floats or a type not read here.
        OSError: If the file cannot be read.
    """
    file = GgufFile(path)
    layers = [
        _layer(file, name, _drawn_operand(file, name, tokens, operands, (seed, place)))
        for place, name in _chosen_layers(file, tokens, names)
    ]
    return Trace(
        layers=tuple(layers),
        model=file.metadata("general.name", str, default=""),
        producer=f"bitweight, activations {operands}, seed {seed}",
        source_sha256=file.sha256(),
    )


def gguf_real_trace(
    path: str | Path,
    *,
    tokens: int,
    operands: Distribution,
    seed: int,
    names: Collection[str] = (),
) -> RealTrace:
    """Return a file's linear layers with real weights and the activations of ``gguf_trace``.

    Args:
        path: The GGUF file; floats will do.
        tokens: As for ``gguf_trace``, like all that follow.
        operands: How activations are drawn.
        seed: Seed of the draw.
        names: Matrices to take.

    Raises:
        ValueError: If there is no such layer, or one holds a type not read here.
        OSError: If the file cannot be read.
    """
    file = GgufFile(path)
    layers = [
        RealLayer(
            name=name.removesuffix(".weight"),
            x_operand=_drawn_operand(file, name, tokens, operands, (seed, place)),
            n=file.shape(name)[0],
            k=file.shape(name)[1],
            read_weights=partial(_real_weights, file, name),
        )
        for place, name in _chosen_layers(file, tokens, names)
    ]
    return RealTrace(
        layers=tuple(layers),
        model=file.metadata("general.name", str, default=""),
        source_sha256=file.sha256(),
    )


def _real_weights(file: GgufFile, name: str) -> NDArray[np.float64]:
    return file.dequantise(name).T.astype(np.float64)


def _chosen_layers(
    file: GgufFile, tokens: int, names: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Yield each chosen linear layer with its place among all of them."""
    if tokens < 1:
        raise ValueError(f"Tokens must be at least 1, not {tokens!r}")
    linear = _linear_layers(file)
    if not linear:
        raise ValueError(f"{file.path}: must have linear layers, but has none")
    for name in names:
        if name not in linear:
            near = get_close_matches(name, linear, n=1, cutoff=0)[0]
            raise ValueError(f"{file.path}: must have a linear layer {name}; the nearest is {near}")
    for place, name in enumerate(linear):
        if not names or name in names:
            yield place, name


def _linear_layers(file: GgufFile) -> list[str]:
    """Return the names of all linear layers by block, the output layer last."""
    matrices = [name for name in file.names if len(file.shape(name)) == 2]
    matches = [match for match in map(_LINEAR.fullmatch, matrices) if match]
    return [match[0] for match in sorted(matches, key=lambda m: int(m[1] or len(matrices)))]


def _drawn_operand(
    file: GgufFile, name: str, tokens: int, operands: Distribution, seed: tuple[int, int]
) -> Operand:
    codes = DrawnTensor(operands=operands, shape=(tokens, file.shape(name)[1]), seed=seed)
    return Operand(name=f"{name.removesuffix('.weight')}.x", codes=codes, format=INT8)

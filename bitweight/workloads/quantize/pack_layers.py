"""Layers of real weights to layers of packed ones, with what each costs in bits and accuracy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.packed_layer import PackedLayer
from bitweight.workloads.packed_tensors import PackedTensors
from bitweight.workloads.packed_weights import PackedWeights, WeightFormat
from bitweight.workloads.quantize.encode import Progress, encode, no_progress
from bitweight.workloads.real_layer import RealLayer, RealTrace
from bitweight.workloads.short_groups import short_groups
from bitweight.workloads.trace import Trace

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packing:
    """One layer, packed.

    Attributes:
        layer: The layer.
        bytes: Bytes of its weights, scales included.
        error: Relative error of its weights, in the Frobenius norm.
        short_groups: Scale groups that k does not fill.
    """

    layer: PackedLayer
    bytes: int
    error: float
    short_groups: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackRequest:
    """What to pack.

    Attributes:
        source: Layers of real weights.
        forms: Formats; with several, each layer comes in each, named ``LAYER.FORMAT``.
        producer: What the trace calls its maker.
    """

    source: RealTrace
    forms: tuple[WeightFormat, ...]
    producer: str

    @property
    def jobs(self) -> list[tuple[RealLayer, WeightFormat]]:
        """Each layer, under its final name, with each format for it."""
        return [
            (replace(layer, name=self._name(layer, form)), form)
            for layer in self.source.layers
            for form in self.forms
        ]

    def _name(self, layer: RealLayer, form: WeightFormat) -> str:
        return f"{layer.name}.{form.name}" if len(self.forms) > 1 else layer.name

    def trace(self, packings: Iterable[Packing]) -> Trace:
        """Return a trace of the packed layers."""
        return Trace(
            layers=tuple(packing.layer for packing in packings),
            model=self.source.model,
            producer=self.producer,
            source_sha256=self.source.source_sha256,
            phase=self.source.phase,
            text=self.source.text,
            token_ids=self.source.token_ids,
        )


def pack_layers(
    jobs: Sequence[tuple[RealLayer, WeightFormat]], *, on_done: Progress = no_progress
) -> list[Packing]:
    """Encode the weights of layers.

    Args:
        jobs: Each layer with a format for it.
        on_done: Called now and then with the weights done and all weights.

    Raises:
        ValueError: If a weight is not finite, or a format cannot hold a layer.
    """
    for layer, form in jobs:  # before any of them takes minutes
        _explained(layer, partial(form.layout, k=layer.k, n=layer.n))
    total = sum(layer.k * layer.n for layer, _form in jobs)
    packings, before = [], 0
    for layer, form in jobs:
        size = layer.k * layer.n
        packings.append(_pack(layer, form, _share(on_done, before, size, total)))
        before += size
        on_done(before, total)
    return packings


def relative_error(came: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Return the norm of the difference over the norm of what was wanted; 0 for 0 over 0."""
    difference, size = float(np.linalg.norm(came - wanted)), float(np.linalg.norm(wanted))
    return difference / size if size else 0.0 if not difference else float("inf")


def describe_packing(
    layer: RealLayer, packed: PackedWeights, w: NDArray[np.float64] | None = None
) -> Packing:
    """Return a layer with packed weights, held against its real ones.

    Args:
        layer: The layer.
        packed: Its weights, encoded.
        w: Its real weights, shape (k, n), if they are at hand.
    """
    real = layer.read_weights() if w is None else w
    return Packing(
        layer=PackedLayer(
            name=layer.name,
            x_operand=layer.x_operand,
            w_tensors=PackedTensors.of(f"{layer.name}.w", packed),
            bias=layer.bias,
        ),
        bytes=packed.bytes,
        error=relative_error(packed.dequantise(), real),
        short_groups=short_groups(packed.format, k=layer.k, n=layer.n),
    )


def _pack(layer: RealLayer, form: WeightFormat, on_done: Progress) -> Packing:
    w = layer.read_weights()
    return describe_packing(layer, _explained(layer, partial(encode, form, w, on_done=on_done)), w)


def _explained(layer: RealLayer, step: Callable[[], _T]) -> _T:
    """Return what a step does; its error says which layer it is about."""
    try:
        return step()
    except ValueError as error:
        raise ValueError(f"{layer.name}.w: {error}") from error


def _share(on_done: Progress, before: int, size: int, total: int) -> Progress:
    """Return the progress of one step that counts ``size`` of ``total``."""
    return lambda done, steps: on_done(before + size * done // steps, total)

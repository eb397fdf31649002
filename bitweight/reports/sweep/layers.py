"""Layers of a sweep: named and described at once, read and encoded only when they run."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, singledispatch
from pathlib import Path
from typing import Any, Protocol

from bitweight.reports.sweep.space import EXAMPLE_TRACE, ModelLayers, TraceLayers
from bitweight.reports.weight_formats import shipped_weights
from bitweight.sim import LayerResult, cycles, layers
from bitweight.sim.engine import check_operand
from bitweight.workloads import AnyLayer, Gemm, Trace
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.integer_layer import integer_layer
from bitweight.workloads.models import model_gemms
from bitweight.workloads.operands import Distribution
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.quantize.pack_layers import describe_packing, pack_layers
from bitweight.workloads.real_layer import real_layer
from bitweight.workloads.settings import nearest
from bitweight.workloads.trace import example_path


class LayerSource(Protocol):
    """A layer of a space."""

    @property
    def title(self) -> str:
        """Where it is from, as rows name it."""
        ...

    @property
    def identity(self) -> str:
        """What it is, by content."""
        ...

    @property
    def gemm(self) -> Gemm:
        """Its name and sizes."""
        ...

    def check(self, spec: Any, form: WeightFormat) -> None:
        """Raise ``ValueError`` if the design cannot run it with weights of that format."""
        ...

    def run(self, spec: Any, form: Any) -> LayerResult:
        """Run it on a design, with weights of that format."""
        ...


@singledispatch
def layer_sources(axis: Any) -> Iterator[LayerSource]:
    """Yield the layers that an axis names.

    Raises:
        ValueError: If a name is unknown or a file is bad.
        OSError: If a file cannot be read.
    """
    raise TypeError(f"No sweep goes through a {type(axis).__name__}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSource:
    """A layer of a trace file; ``path`` is None for the shipped example."""

    path: Path | None
    sha256: str
    gemm: Gemm

    @property
    def title(self) -> str:
        """Name of the file."""
        return EXAMPLE_TRACE if self.path is None else self.path.name

    @property
    def identity(self) -> str:
        """Hash of the file, and the layer in it."""
        return f"{self.sha256} {self.gemm.name}"

    def check(self, spec: Any, form: WeightFormat) -> None:
        """Raise ``ValueError`` if the design cannot run it with weights of that format."""
        layer = _read(self.path, self.gemm.name)
        check_operand(f"{layer.name}.x", layer.x, spec.pe.a)
        form.layout(k=layer.k, n=layer.n)
        if not _has_format(layer, form):
            real_layer(layer)
        if not spec.data_dependent:
            cycles(spec, m=layer.m, n=layer.n, k=layer.k)

    def run(self, spec: Any, form: Any) -> LayerResult:
        """Run it on a design, with weights of that format."""
        return layers.run(spec, _in_format(self.path, self.gemm.name, form))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A shape of a model, with drawn values."""

    title: str
    gemm: Gemm
    operands: Distribution
    seed: int

    @property
    def identity(self) -> str:
        """Sizes, and how values are drawn."""
        return f"{self.title} {self.gemm} {self.operands} {self.seed}"

    def check(self, spec: Any, form: WeightFormat) -> None:
        """Raise ``ValueError`` if the design cannot run it with weights of that format."""
        form.layout(k=self.gemm.k, n=self.gemm.n)
        if not spec.data_dependent:
            cycles(spec, m=self.gemm.m, n=self.gemm.n, k=self.gemm.k)

    def run(self, spec: Any, form: Any) -> LayerResult:
        """Run it on a design; the design's formats are the values'."""
        return layers.run_gemm(spec, self.gemm, operands=self.operands, seed=self.seed)


@layer_sources.register
def _(axis: TraceLayers) -> Iterator[LayerSource]:
    trace = _trace(axis.path)
    file = example_path() if axis.path is None else axis.path
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    chosen = [*map(trace.layer, axis.names)] or trace.layers
    for layer in chosen:
        yield TraceSource(path=axis.path, sha256=sha256, gemm=layer.gemm)


@layer_sources.register
def _(axis: ModelLayers) -> Iterator[LayerSource]:
    gemms = {
        gemm.name: gemm
        for gemm in model_gemms(
            axis.model, phase=axis.phase, tokens=axis.tokens, batch=axis.batch, context=axis.context
        )
    }
    weighted = [name for name, gemm in gemms.items() if gemm.weighted]
    for name in axis.names or weighted:
        if name not in gemms:
            raise ValueError(
                f"Layer of {axis.model} must be one of {', '.join(gemms)}, not {name!r}"
                f"{nearest(name, gemms)}"
            )
        yield ModelSource(
            title=f"{axis.model} {axis.phase}, {axis.operands} seed {axis.seed}",
            gemm=gemms[name],
            operands=axis.operands,
            seed=axis.seed,
        )


@cache
def _trace(path: Path | None) -> Trace:
    return Trace.example() if path is None else Trace.load(path)


@cache
def _read(path: Path | None, name: str) -> AnyLayer:
    return _trace(path).layer(name)


def _has_format(layer: AnyLayer, form: WeightFormat) -> bool:
    """Tell whether a layer runs as it is: it is packed so, or its own codes are such integers."""
    if layers.packed_format(layer) is not None:
        return layers.packed_format(layer) == form
    return isinstance(form, ScaledInteger) and integer_layer(layer).w_format == form.code


@cache
def _in_format(path: Path | None, name: str, form: Any) -> AnyLayer:
    """Return a layer with weights of a format; encoding takes its time, once per process."""
    layer = _read(path, name)
    if _has_format(layer, form):
        return layer
    ready = (shipped_weights(name) if path is None else {}).get(form.name)
    if ready is not None and ready.format == form:
        return describe_packing(real_layer(layer), ready).layer
    (packing,) = pack_layers([(real_layer(layer), form)])
    return packing.layer

"""What a verb works on: layers of a trace or a GGUF file, or shapes with drawn operands.

One source is named, or none: then it is the shipped example. Options that the source has no use for
are refused, since a figure must not look as if it depended on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from pathlib import Path
from typing import Any

import typer

from bitweight.sim import LayerResult, layers
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.packed_layers import PackedEngineSpec, check_weights
from bitweight.sim.spec import DesignSpec
from bitweight.workloads import AnyLayer, Gemm, Operand, Trace
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gguf_layers import gguf_trace
from bitweight.workloads.integer_layer import integer_layer
from bitweight.workloads.models import model_gemms
from bitweight.workloads.operands import Distribution
from bitweight.workloads.phase import Phase
from bitweight.workloads.weight_formats import quantize_command

DRAWN = "normal:20"
"""How operands are drawn where nothing is said."""

TOKENS = 512
"""Rows of drawn activations where nothing is said."""

_SIZES_ONLY = "none"
_USERS_OF = {
    "layer": ("trace", "gguf"),
    "operands": ("gguf", "model", "gemm"),
    "seed": ("gguf", "model", "gemm"),
    "phase": ("gguf", "model"),
    "tokens": ("gguf", "model"),
    "batch": ("gguf", "model"),
    "context": ("model",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOptions:
    """Options of the command line, named as there; None or empty where not given."""

    trace: Path | None = None
    gguf: Path | None = None
    model: str | None = None
    gemm: str | None = None
    layer: Sequence[str] = ()
    operands: str | None = None
    seed: int | None = None
    phase: Phase | None = None
    tokens: int | None = None
    batch: int | None = None
    context: int | None = None

    def __post_init__(self) -> None:
        """Refuse several sources, and options that the source has no use for."""
        sources = ("trace", "gguf", "model", "gemm")
        given = [name for name in sources if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(
                "Workload must be one of --trace, --gguf, --model and --gemm, not "
                + " and ".join(f"--{name}" for name in given)
            )
        source = given[0] if given else "trace"
        for option, users in _USERS_OF.items():
            if getattr(self, option) not in (None, ()) and source not in users:
                wanted = " or ".join(f"--{name}" for name in users)
                came = f"--{source}" if given else "the shipped example"
                raise ValueError(f"--{option} must come with {wanted}, not with {came}")

    @property
    def prompt(self) -> int:
        """Tokens of a prefill."""
        return TOKENS if self.tokens is None else self.tokens

    @property
    def sequences(self) -> int:
        """Sequences computed together."""
        return 1 if self.batch is None else self.batch

    def distribution(self, default: str) -> Distribution | None:
        """Return how operands are drawn; None counts cycles only."""
        wish = default if self.operands is None else self.operands
        return None if wish == _SIZES_ONLY else Distribution.parse(wish)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnGemm:
    """A shape, with how to draw its operands; None counts cycles only."""

    gemm: Gemm
    operands: Distribution | None
    seed: int


Job = AnyLayer | DrawnGemm


def find_jobs(spec: DesignSpec, options: WorkloadOptions) -> list[Job]:
    """Return what the options ask for, in the workload's order; for nothing, the design's example.

    Raises:
        ValueError: If a file, a layer, a model or a size is bad.
        OSError: If a file cannot be read.
    """
    if options.gguf is not None:
        return [*_gguf_layers(options.gguf, options)]
    if options.model is not None:
        gemms = model_gemms(
            options.model,
            phase=options.phase or Phase.PREFILL,
            tokens=options.prompt,
            batch=options.sequences,
            context=options.context,
        )
        return _draw(_runnable(spec, gemms), options, _SIZES_ONLY)
    if options.gemm is not None:
        return _draw((Gemm.parse(options.gemm),), options, DRAWN)
    trace = _example(spec) if options.trace is None else Trace.load(options.trace)
    return [*map(trace.layer, dict.fromkeys(options.layer))] or [*trace.layers]


def run_job(spec: DesignSpec, job: Job, binding: str) -> LayerResult:
    """Run one layer or shape on an engine."""
    if isinstance(job, DrawnGemm):
        return layers.run_gemm(spec, job.gemm, binding, operands=job.operands, seed=job.seed)
    return layers.run(spec, job, binding)


def check_fit(spec: DesignSpec, job: Job) -> None:
    """Raise ``ValueError`` if the design's formats cannot hold a layer's codes."""
    if not isinstance(job, DrawnGemm):
        _check_layer(spec, job)


@singledispatch
def _runnable(spec: Any, gemms: Sequence[Gemm]) -> Sequence[Gemm]:
    """Return the products that the design computes, and tell on stderr which are left out."""
    return gemms


@_runnable.register
def _(spec: PackedEngineSpec, gemms: Sequence[Gemm]) -> Sequence[Gemm]:
    left_out = ", ".join(gemm.name for gemm in gemms if not gemm.weighted)
    if left_out:
        typer.echo(f"left out: {left_out}, which multiply activations, not weights", err=True)
    return [gemm for gemm in gemms if gemm.weighted]


@singledispatch
def _check_layer(spec: Any, layer: AnyLayer) -> None:
    integers = integer_layer(layer)
    _check_side(integers.x_operand, spec.pe.a, "pe.a")
    _check_side(integers.w_operand, spec.pe.b, "pe.b")


@_check_layer.register
def _(spec: BlockDotSpec, layer: AnyLayer) -> None:
    check_weights(spec, layer)
    _check_side(layer.x_operand, spec.pe.a, "pe.a")


@_check_layer.register
def _(spec: DecodedSpec, layer: AnyLayer) -> None:
    check_weights(spec, layer)
    _check_side(layer.x_operand, spec.engine.pe.a, "engine.pe.a")


@singledispatch
def _example(spec: Any) -> Trace:
    """Return the shipped example, as far as the design runs it."""
    return Trace.example()


@_example.register
def _(spec: PackedEngineSpec) -> Trace:
    trace, form = Trace.packed_example(), spec.pe.format
    found = tuple(layer for layer in trace.layers if layers.packed_format(layer) == form)
    if not found:
        raise ValueError(
            f"Workload must be named for {form}, which the shipped example does not hold; "
            f"`{quantize_command(form)} FILE -o OUT` makes a file for --trace"
        )
    return replace(trace, layers=found)


def _check_side(operand: Operand, form: IntFormat, field: str) -> None:
    own = operand.format
    if form.min <= own.min and own.max <= form.max:
        return
    # The format is too wide; the codes themselves may still fit.
    codes = operand.read_codes(slice(None), slice(None))
    if not form.admits(codes):
        raise ValueError(
            f"{operand.name} must fit {field}, {form.min} to {form.max}, but holds codes from "
            f"{codes.min()} to {codes.max()}; --set {field}={own} makes a design that takes them"
        )


def _gguf_layers(path: Path, options: WorkloadOptions) -> tuple[AnyLayer, ...]:
    operands = options.distribution(DRAWN)
    if operands is None:
        raise ValueError("--operands must be drawn for a GGUF file's weights, not none")
    rows = 1 if options.phase is Phase.DECODE else options.prompt
    return gguf_trace(
        path,
        tokens=rows * options.sequences,
        operands=operands,
        seed=options.seed or 0,
        names=[f"{name.removesuffix('.weight')}.weight" for name in options.layer],
    ).layers


def _draw(gemms: Sequence[Gemm], options: WorkloadOptions, default: str) -> list[Job]:
    operands, seed = options.distribution(default), options.seed or 0
    return [
        DrawnGemm(gemm=gemm, operands=operands, seed=seed + place)
        for place, gemm in enumerate(gemms)
    ]

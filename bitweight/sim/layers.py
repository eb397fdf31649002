"""The layer loop: one quantised layer on one engine, held against its golden accumulators.

A scale group along k is a GEMM with a drain of its own; a ragged last group is a shorter GEMM.
Zero points are taken off outside the engine, as exact integers, and counted.

Engines of packed weights have a loop of their own, ``sim.packed_layers``.
"""

import dataclasses
import enum
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import Activity, MatmulResult, cycles, simulate
from bitweight.sim.kernels.matmul import wrap
from bitweight.sim.spec import EngineSpec
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.integer_layer import integer_layer
from bitweight.workloads.layer import Layer
from bitweight.workloads.operands import Distribution
from bitweight.workloads.packed_layer import AnyLayer, PackedLayer
from bitweight.workloads.packed_weights import WeightFormat


class Binding(enum.StrEnum):
    """Which side of a layer streams as ``a``; with ``w`` the engine computes the transpose."""

    X = "x"
    W = "w"
    AUTO = "auto"


class Golden(enum.StrEnum):
    """How accumulators compare with the trace's golden ones."""

    EQUAL = "equal"
    DIFFERS = "differs"
    ABSENT = "absent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerResult:
    """What an engine makes of a layer.

    Attributes:
        name: The layer's name.
        m: Tokens.
        n: Outputs.
        k: Inputs.
        binding: The side that streamed as ``a``.
        acc: Accumulators with zero points taken off, shape (m, n), or (m, n, groups), int64; None
            if only sizes were given, or packed weights whose sums have no integer combination.
        calls: How often the workload runs this layer; the other figures are of one call.
        overflow: Outputs of the engine whose exact value did not fit its accumulator.
        cycles: Sum over the layer's GEMMs.
        utilisation: m n k / (cycles x peak MACs per clock).
        golden: Comparison with the layer's golden accumulators.
        wrong: Number of accumulators that differ from golden ones; 0 if there are none.
        activity: Event counts, summed over the layer's GEMMs.
        saved_cycles: With ``auto``, cycles saved over the other binding; else 0.
        partials: For packed weights the very sums that the engine delivers, shape (m, n, planes,
            groups), int64, zero points not taken off; None if only sizes were given.
        format: Format of packed weights; None for integer ones.
    """

    name: str
    m: int
    n: int
    k: int
    binding: Binding
    acc: NDArray[np.int64] | None
    overflow: int
    cycles: int
    utilisation: float
    golden: Golden
    wrong: int
    activity: Activity
    saved_cycles: int = 0
    calls: int = 1
    partials: NDArray[np.int64] | None = None
    format: WeightFormat | None = None

    @property
    def bits_per_weight(self) -> float | None:
        """Stored bits per weight of packed weights."""
        return None if self.format is None else self.format.bits_per_weight(k=self.k, n=self.n)


@singledispatch
def run(spec: Any, layer: AnyLayer, binding: str = Binding.X) -> LayerResult:
    """Run a layer on an engine.

    Args:
        spec: The engine.
        layer: Operands, scale groups, zero points and golden accumulators.
        binding: ``x``: activations stream as ``a``; ``w``: weights do, with the spec's operand
            formats swapped; ``auto``: whichever takes fewer cycles. Packed weights take ``x`` only.

    Raises:
        ValueError: If the binding is unknown, or the operands do not fit the engine's formats.
    """
    result = _run_integers(spec, integer_layer(layer), binding)
    return dataclasses.replace(result, format=packed_format(layer))


@singledispatch
def packed_format(layer: AnyLayer) -> WeightFormat | None:
    """Return the format of a layer's packed weights; None if they are integer codes."""
    return None


@packed_format.register
def _(layer: PackedLayer) -> WeightFormat:
    return layer.format


def _run_integers(spec: EngineSpec, layer: Layer, binding: str) -> LayerResult:
    if binding == Binding.AUTO and spec.data_dependent:
        x, w = (_run_bound(spec, layer, side) for side in (Binding.X, Binding.W))
        return dataclasses.replace(
            x if x.cycles <= w.cycles else w, saved_cycles=abs(x.cycles - w.cycles)
        )
    parts = [part.stop - part.start for part in _groups(layer)]
    side, saved = _choose(spec, layer.gemm, parts, binding)
    return dataclasses.replace(_run_bound(spec, layer, side), saved_cycles=saved)


@singledispatch
def run_gemm(
    spec: Any,
    gemm: Gemm,
    binding: str = Binding.X,
    *,
    operands: Distribution | None = None,
    seed: int = 0,
) -> LayerResult:
    """Run a GEMM of which only the sizes are known.

    Args:
        spec: The engine.
        gemm: Its sizes; m are tokens, n outputs.
        binding: As for ``run``.
        operands: How to draw both operands, in the spec's formats; None counts cycles only. Packed
            weights are legal codes at random instead, extreme ones often.
        seed: Seed of the draw.

    Raises:
        ValueError: If the binding is unknown.
    """
    if operands is not None:
        rng = np.random.default_rng(seed)
        x = operands.draw(spec.pe.a, (gemm.m, gemm.k), rng)
        w = operands.draw(spec.pe.b, (gemm.k, gemm.n), rng)
        layer = Layer.from_arrays(gemm.name, x, w, x_format=spec.pe.a, w_format=spec.pe.b)
        return dataclasses.replace(run(spec, layer, binding), calls=gemm.calls)
    side, saved = _choose(spec, gemm, [gemm.k], binding)
    total = _count_cycles(spec, gemm, [gemm.k], side)
    return LayerResult(
        name=gemm.name,
        m=gemm.m,
        n=gemm.n,
        k=gemm.k,
        binding=side,
        acc=None,
        overflow=0,
        cycles=total,
        utilisation=gemm.macs / (total * spec.peak_macs),
        golden=Golden.ABSENT,
        wrong=0,
        activity=Activity(macs=gemm.macs),
        saved_cycles=saved,
        calls=gemm.calls,
    )


def _choose(spec: EngineSpec, gemm: Gemm, parts: list[int], binding: str) -> tuple[Binding, int]:
    """Return the side that streams, and with ``auto`` the cycles that it saves."""
    if binding not in list(Binding):
        raise ValueError(f"Binding must be {', '.join(Binding)}, not {binding!r}")
    if binding != Binding.AUTO:
        return Binding(binding), 0
    x, w = (_count_cycles(spec, gemm, parts, side) for side in (Binding.X, Binding.W))
    return (Binding.X if x <= w else Binding.W), abs(x - w)


def _count_cycles(spec: EngineSpec, gemm: Gemm, parts: list[int], side: Binding) -> int:
    m, n = (gemm.m, gemm.n) if side is Binding.X else (gemm.n, gemm.m)
    bound = _bind(spec, side)
    return sum(cycles(bound, m=m, n=n, k=k) for k in parts)


def _run_bound(spec: EngineSpec, layer: Layer, binding: Binding) -> LayerResult:
    bound = _bind(spec, binding)
    x, w = layer.x, layer.w
    results = [
        simulate(bound, x[:, part], w[part])
        if binding is Binding.X
        else simulate(bound, w[part].T, x[:, part].T)
        for part in _groups(layer)
    ]
    acc, corrections = _assemble(layer, results, binding, x, w)
    golden, wrong = _compare(layer, acc)
    total = sum(result.cycles for result in results)
    activity = sum((result.activity for result in results), Activity(correction_ops=corrections))
    return LayerResult(
        name=layer.name,
        m=layer.m,
        n=layer.n,
        k=layer.k,
        binding=binding,
        acc=acc,
        overflow=sum(result.overflow for result in results),
        cycles=total,
        utilisation=layer.gemm.macs / (total * spec.peak_macs),
        golden=golden,
        wrong=wrong,
        activity=activity,
    )


def _bind(spec: EngineSpec, binding: Binding) -> EngineSpec:
    if binding is Binding.X:
        return spec
    # Every spec is a dataclass; a protocol cannot say so.
    pe: Any = spec.pe
    engine: Any = spec
    bound: EngineSpec = dataclasses.replace(engine, pe=dataclasses.replace(pe, a=pe.b, b=pe.a))
    return bound


def _groups(layer: Layer) -> Iterator[slice]:
    length = layer.group or layer.k
    for start in range(0, layer.k, length):
        yield slice(start, min(start + length, layer.k))


def _assemble(
    layer: Layer,
    results: list[MatmulResult],
    binding: Binding,
    x: NDArray[Any],
    w: NDArray[Any],
) -> tuple[NDArray[np.int64], int]:
    """Stack the groups, undo the transpose, and take the zero points off."""
    parts, operations = [], 0
    for index, (part, result) in enumerate(zip(_groups(layer), results, strict=True)):
        acc = result.results if binding is Binding.X else result.results.T
        acc, count = _take_off_zero_points(layer, acc, x[:, part], w[part], index)
        parts.append(acc)
        operations += count
    return (parts[0] if layer.group is None else np.stack(parts, axis=2)), operations


def _take_off_zero_points(
    layer: Layer, acc: NDArray[np.int64], x: NDArray[Any], w: NDArray[Any], group: int
) -> tuple[NDArray[np.int64], int]:
    """Return ``sum (x - zx)(w - zw)`` from ``sum x w``, and the additions and multiplications.

    sum (x - zx)(w - zw) = sum x w - zx sum w - zw sum x + k zx zw
    """
    (m, k), n = x.shape, w.shape[1]
    x_zero, w_zero = layer.x_zero_point, layer.w_zero_point
    operations = 0
    x_sums = x.sum(axis=1, dtype=np.int64)[:, None]
    if x_zero is not None:
        zx = (x_zero[:, group] if x_zero.ndim == 2 else x_zero).reshape(-1, 1)
        acc = acc - zx * w.sum(axis=0, dtype=np.int64)[None, :]
        x_sums = x_sums - k * zx
        operations += k * n + 2 * m * n
    if w_zero is not None:
        zw = (w_zero[group] if w_zero.ndim == 2 else w_zero).reshape(1, -1)
        acc = acc - x_sums * zw
        operations += m * k + 2 * m * n
    return (acc if operations == 0 else wrap(acc, min(layer.acc_bits, 63))), operations


def _compare(layer: Layer, acc: NDArray[np.int64]) -> tuple[Golden, int]:
    golden = layer.golden
    if golden is None:
        return Golden.ABSENT, 0
    wrong = int(np.count_nonzero(golden != acc))
    return (Golden.DIFFERS if wrong else Golden.EQUAL), wrong

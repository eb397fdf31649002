"""The layer loop of packed weights: one layer in one format, on an engine of that format.

The engine delivers integer sums per plane and scale group; scales, zero points of the activations
and the bias belong to the floats after it. No golden accumulators exist to hold the sums against.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from bitweight.sim.catalog import DATAPATHS
from bitweight.sim.datapath import draw
from bitweight.sim.engine import Activity, MatmulResult, cycles, simulate
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.layers import Binding, Golden, LayerResult, packed_format, run, run_gemm
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.operands import Distribution
from bitweight.workloads.packed_layer import AnyLayer, PackedLayer
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.weight_formats import quantize_command

PackedEngineSpec = BlockDotSpec | DecodedSpec


def engine_of(form: WeightFormat) -> BlockDotSpec:
    """Return the catalog's engine of a format, with the format's own parameters.

    Raises:
        ValueError: If no engine takes such weights.
    """
    kin = [spec for spec in DATAPATHS.values() if type(spec.pe.format) is type(form)]
    if not kin:
        names = ", ".join(spec.pe.format.name for spec in DATAPATHS.values())
        raise ValueError(f"Format must be one that an engine takes ({names}), not {form.name}")
    nearest = next((spec for spec in kin if spec.pe.format.name == form.name), kin[0])
    pe: Any = nearest.pe
    return nearest if pe.format == form else replace(nearest, pe=replace(pe, format=form))


def check_weights(spec: PackedEngineSpec, layer: AnyLayer) -> PackedLayer:
    """Return the layer, whose weights are packed in the engine's very format.

    Raises:
        ValueError: If they are not.
    """
    wanted, came = spec.pe.format, packed_format(layer)
    if isinstance(layer, PackedLayer) and came == wanted:
        return layer
    names = (wanted.name, "integer codes" if came is None else came.name)
    if names[0] == names[1]:  # the parameters differ
        names = (str(wanted), str(came))
    raise ValueError(
        f"{layer.name}.w must be packed in {names[0]} for {spec.name}, not {names[1]}; "
        f"`{quantize_command(wanted)} FILE -o OUT` packs real or integer weights so"
    )


@run.register
def _(spec: PackedEngineSpec, layer: AnyLayer, binding: str = Binding.X) -> LayerResult:
    _check_binding(binding)
    packed = check_weights(spec, layer)
    result = simulate(spec, packed.x, packed.weights)
    return _layer_result(spec, layer.gemm, result)


@run_gemm.register
def _(
    spec: PackedEngineSpec,
    gemm: Gemm,
    binding: str = Binding.X,
    *,
    operands: Distribution | None = None,
    seed: int = 0,
) -> LayerResult:
    _check_binding(binding)
    if operands is None:
        total = cycles(spec, m=gemm.m, n=gemm.n, k=gemm.k)
        sizes = MatmulResult(acc=None, overflow=0, cycles=total, activity=Activity(macs=gemm.macs))
        return _layer_result(spec, gemm, sizes)
    rng = np.random.default_rng(seed)
    x = operands.draw(spec.pe.a, (gemm.m, gemm.k), rng)
    block = spec if isinstance(spec, BlockDotSpec) else engine_of(spec.decoder)
    weights = draw(block.pe, rng, k=gemm.k, n=gemm.n)
    return _layer_result(spec, gemm, simulate(spec, x, weights))


def _check_binding(binding: str) -> None:
    if binding != Binding.X:
        raise ValueError(
            f"Binding must be x for packed weights, not {str(binding)!r}: they cannot stream as a"
        )


def _layer_result(spec: PackedEngineSpec, gemm: Gemm, result: MatmulResult) -> LayerResult:
    return LayerResult(
        name=gemm.name,
        m=gemm.m,
        n=gemm.n,
        k=gemm.k,
        binding=Binding.X,
        acc=result.acc,
        overflow=result.overflow,
        cycles=result.cycles,
        utilisation=gemm.macs / (result.cycles * spec.peak_macs),
        golden=Golden.ABSENT,
        wrong=0,
        activity=result.activity,
        calls=gemm.calls,
        partials=result.partials,
        format=spec.pe.format,
    )

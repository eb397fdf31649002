"""Weight formats on one real layer: bits, accuracy, bytes fetched, cycles and operations, in rows.

Each format runs on its engine of the catalog at the default size; int8 and int4 run on two engines
of 128 MACs a clock, as most of the others make: a multiplier-adder tree keeps its weights, and a
cube of one row streams them. ``compare`` is a function of the layer and the formats alone. Run as a
program it writes a page of the docs::

    python -m bitweight.reports.weight_formats docs/formats.md
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.reports.format_row import EngineSize, FormatRow, OperationsPerOutput, PhaseCost
from bitweight.sim import LayerResult, cycles, layers
from bitweight.sim.engine import check_operand
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.packed_layers import engine_of
from bitweight.sim.pe.mac import MacSpec
from bitweight.workloads.example import PACKED_EXAMPLE_LAYER
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.layer_operand import Operand
from bitweight.workloads.packed_layer import AnyLayer, PackedLayer
from bitweight.workloads.packed_weights import PackedWeights, WeightFormat
from bitweight.workloads.quantize.encode import Progress, no_progress
from bitweight.workloads.quantize.pack_layers import (
    Packing,
    describe_packing,
    pack_layers,
    relative_error,
)
from bitweight.workloads.real_layer import real_layer
from bitweight.workloads.real_values import real_activations, real_outputs
from bitweight.workloads.trace import Trace
from bitweight.workloads.weight_formats import FORMATS
from bitweight.workloads.whole_files import write_whole

_LANES, _COLUMNS = 8, 16
ComparedSpec = BlockDotSpec | AdderTreeSpec | CubeSpec
_NONE: Mapping[str, PackedWeights] = MappingProxyType({})


def compare(
    layer: AnyLayer,
    forms: Sequence[WeightFormat],
    *,
    ready: Mapping[str, PackedWeights] = _NONE,
    on_done: Progress = no_progress,
) -> list[FormatRow]:
    """Return a row for each format.

    Args:
        layer: Real activations, and integer codes that stand for the real weights.
        forms: Formats to encode its weights in.
        ready: Weights by the name of their format that are encoded already; others are encoded.
        on_done: Told how much of the encoding is done.

    Raises:
        ValueError: If the layer is packed already, or a format or its engine cannot hold it.
    """
    source = real_layer(layer)
    specs = {form.name: engines(form) for form in forms}
    for spec in (spec for several in specs.values() for spec in several):
        # What an engine refuses, it refuses before the long part.
        cycles(spec, m=layer.m, n=layer.n, k=layer.k)
        check_operand("a", layer.x, spec.pe.a)
    known = {
        form.name: describe_packing(source, ready[form.name])
        for form in forms
        if form.name in ready and ready[form.name].format == form
    }
    missing = [(source, form) for form in forms if form.name not in known]
    for packing in pack_layers(missing, on_done=on_done):
        known[packing.layer.format.name] = packing
    wanted = real_activations(layer) @ source.read_weights()
    return [_row(known[name], spec, wanted) for name, several in specs.items() for spec in several]


@singledispatch
def engines(form: Any) -> tuple[ComparedSpec, ...]:
    """Return the engines that a format is compared on.

    Raises:
        ValueError: If there is none.
    """
    return (engine_of(form),)


@engines.register
def _(form: ScaledInteger) -> tuple[ComparedSpec, ...]:
    """Return one engine that keeps its weights, and one that streams them as packed ones are."""
    pe = MacSpec(b=form.code)
    return (
        AdderTreeSpec(pe=pe, lanes=_LANES, columns=_COLUMNS),
        CubeSpec(pe=pe, rows=1, cols=_COLUMNS, depth=_LANES),
    )


@singledispatch
def engine_size(spec: Any) -> EngineSize:
    """Return an engine's size in words that all engines of a comparison share."""
    raise TypeError(f"No comparison runs on a {type(spec).__name__}")


@engine_size.register
def _(spec: BlockDotSpec) -> EngineSize:
    return EngineSize(design=spec.name, rows=spec.rows, columns=spec.columns, lanes=spec.lanes)


@engine_size.register
def _(spec: AdderTreeSpec) -> EngineSize:
    return EngineSize(design=_with_formats(spec), rows=1, columns=spec.columns, lanes=spec.lanes)


@engine_size.register
def _(spec: CubeSpec) -> EngineSize:
    return EngineSize(
        design=_with_formats(spec), rows=spec.rows, columns=spec.cols, lanes=spec.depth
    )


def _with_formats(spec: AdderTreeSpec | CubeSpec) -> str:
    return f"{spec.name}/{spec.pe.a}x{spec.pe.b}"


def _row(packing: Packing, spec: ComparedSpec, wanted: NDArray[np.float64]) -> FormatRow:
    layer = packing.layer
    assert math.isclose(layer.bits_per_weight * layer.k * layer.n, 8 * packing.bytes), "same bits"
    prefill, decode = layers.run(spec, layer), layers.run(spec, _first_token(layer))
    outputs, activity = layer.m * layer.n, prefill.activity
    return FormatRow(
        format=layer.format.name,
        engine=engine_size(spec),
        bits_per_weight=layer.bits_per_weight,
        weight_error=packing.error,
        output_error=relative_error(real_outputs(layer, _sums(prefill)), wanted),
        decode=PhaseCost(tokens=1, weight_bytes=packing.bytes, cycles=decode.cycles),
        prefill=PhaseCost(
            tokens=layer.m,
            weight_bytes=packing.bytes * (activity.beats["b"] // decode.activity.beats["b"]),
            cycles=prefill.cycles,
        ),
        per_output=OperationsPerOutput(
            lookups=(activity.lookups or 0) / outputs,
            adds=_or_macs(activity.adds, activity.macs) / outputs,
            multiplies=_or_macs(activity.multiplies, activity.macs) / outputs,
        ),
        short_groups=packing.short_groups,
    )


def _or_macs(count: int | None, macs: int) -> int:
    """Return a count; engines of integer operands count MACs, a multiply and an addition each."""
    return macs if count is None else count


def _first_token(layer: PackedLayer) -> PackedLayer:
    x = layer.x_operand
    codes = Operand.from_arrays(x.name, layer.x_slice(slice(0, 1)), x.format)
    return PackedLayer(name=layer.name, x_operand=codes, w_tensors=layer.w_tensors)


def _sums(result: LayerResult) -> NDArray[np.int64]:
    """Return an engine's sums, shape (m, n, planes, groups)."""
    if result.partials is not None:
        return result.partials
    assert result.acc is not None, "values were given"
    return result.acc.reshape(result.m, result.n, 1, -1)


def shipped_weights(name: str) -> Mapping[str, PackedWeights]:
    """Return what the shipped packed example holds of a layer of the shipped example, by format."""
    if name != PACKED_EXAMPLE_LAYER:
        return _NONE
    packed = [layer for layer in Trace.packed_example().layers if isinstance(layer, PackedLayer)]
    return {layer.format.name: layer.weights for layer in packed}


_HEAD = """# Weight formats

Every packed format on four layers of SmolLM2-135M (the shipped example), next to plain int8 and
int4: `bitweight compare --layer NAME` prints one of these tables. A layer's own weights are the
real values of its int8 codes; each format is encoded from them, without a look at activations.

- *bits/weight*: stored bits, scales and padding included.
- *weight error*, *output error*: relative, in the Frobenius norm; outputs are the engine's integer
  sums, scaled, on the layer's int8 activations, against the same activations times its own weights.
- *engine*, *size*: rows x columns x lanes; a clock computes that many products, or what stands for
  them. int8 and int4 run on two engines of the size that most of the others have, a GEMM with a
  drain of its own for every scale group along k. `decoder/nf2` is `decoder/nf4` with NF2's table.
- *bytes*, *cycles*: weights fetched, and engine cycles, in decode (the first token alone) and in
  prefill (all tokens). Engines of packed weights keep none: they fetch them again for every `rows`
  tokens, as the cube does. The adder tree keeps its weights and fetches them once; it takes eight
  of them a clock, so it waits for them in decode.
- *look-ups*, *adds*, *multiplies*: of the engine per output, building tables, decoding and
  accumulating included. Scaling of finished sums is floating point, outside, and not counted.
- *short groups*: scale groups that k does not fill; each has a scale of its own.

i2_s, tl1 and tl2 hold weights of -1, 0 and 1 under one scale: they are for models trained so, which
SmolLM2 is not. nf2, nf3 and nf4 run on 8-bit entries of their tables; seedlm is searched with the
default exponent rule. The first token of blk.11.ffn_down holds an outlier of 2000 times the usual
size, so its output error is that of one token and nearly one input.

This page is made by `make docs`; a test makes parts of it again and compares.
"""

COLUMNS = (
    "format",
    "bits/weight",
    "weight error",
    "output error",
    "engine",
    "size",
    "bytes, decode",
    "bytes, prefill",
    "cycles, decode",
    "cycles, prefill",
    "look-ups",
    "adds",
    "multiplies",
    "short groups",
)


def cells(row: FormatRow) -> list[str | int]:
    """Return what a table shows under ``COLUMNS``."""
    size, per_output = row.engine, row.per_output
    return [
        row.format,
        f"{row.bits_per_weight:.3f}",
        f"{row.weight_error:.4f}",
        f"{row.output_error:.4f}",
        size.design,
        f"{size.rows} x {size.columns} x {size.lanes}",
        row.decode.weight_bytes,
        row.prefill.weight_bytes,
        row.decode.cycles,
        row.prefill.cycles,
        f"{per_output.lookups:.0f}",
        f"{per_output.adds:.0f}",
        f"{per_output.multiplies:.0f}",
        row.short_groups,
    ]


def section(layer: AnyLayer, rows: Iterable[FormatRow]) -> str:
    """Return a layer's part of the page, in Markdown."""
    lines = [
        f"## {layer.name}",
        "",
        f"{layer.m} tokens, {layer.k} inputs, {layer.n} outputs.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| --- |{' ---: |' * (len(COLUMNS) - 1)}",
    ]
    return "\n".join([*lines, *map(markdown_row, rows)]) + "\n"


def markdown_row(row: FormatRow) -> str:
    """Return a row of a layer's table, in Markdown."""
    shown = [f"{cell:,}" if isinstance(cell, int) else cell for cell in cells(row)]
    return f"| {' | '.join(shown)} |"


def page(on_done: Callable[[str], None] = lambda _name: None) -> str:
    """Return the page in Markdown, in minutes; ``on_done`` is told each finished layer."""
    forms, found = list(FORMATS.values()), []
    for layer in Trace.example().layers:
        rows = compare(layer, forms, ready=shipped_weights(layer.name))
        found.append(section(layer, rows))
        on_done(layer.name)
    return "\n".join([_HEAD, *found])


def main() -> None:
    """Write the page to the file named on the command line."""
    write_whole(Path(sys.argv[1]), page(_tell).encode())


def _tell(name: str) -> None:
    sys.stderr.write(f"{name}\n")


if __name__ == "__main__":
    main()

"""``bitweight compare``: weight formats on one real layer."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bitweight.cli.options import Json
from bitweight.cli.output import print_json, print_table, progress
from bitweight.reports.weight_formats import COLUMNS, cells, shipped_weights
from bitweight.reports.weight_formats import compare as compare_formats
from bitweight.workloads import Trace
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.weight_formats import FORMATS, weight_format

_BASELINES = ("int8", "int4")


def compare(
    *,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            metavar="F...", help="Formats, joined by commas or repeated; default: all there are."
        ),
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="Trace file; default: the example.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer of the trace; default: its first.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare weight formats on a real layer, next to plain int8 and int4.

    Bits, errors of weights and outputs, bytes fetched and cycles for one token and for all, and
    operations per output. SeedLM's search takes tens of seconds for a layer not shipped encoded.
    """
    source = Trace.example() if trace is None else Trace.load(trace)
    chosen = source.layers[0] if layer is None else source.layer(layer)
    ready = shipped_weights(chosen.name) if trace is None else {}
    with progress("encode") as advance:
        rows = compare_formats(chosen, _forms(formats or ()), ready=ready, on_done=advance)
    if json:
        sizes = {"layer": chosen.name, "m": chosen.m, "n": chosen.n, "k": chosen.k}
        print_json({**sizes, "formats": [asdict(row) for row in rows]})
        return
    typer.echo(f"{chosen.name}: {chosen.m} tokens, {chosen.k} inputs, {chosen.n} outputs")
    print_table(COLUMNS, [cells(row) for row in rows])


def _forms(names: Sequence[str]) -> list[WeightFormat]:
    wished = [name for joined in names for name in joined.split(",")] or [*FORMATS]
    return [weight_format(name) for name in dict.fromkeys([*wished, *_BASELINES])]

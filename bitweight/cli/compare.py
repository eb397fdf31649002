"""``bitweight compare``: weight formats on one real layer, or designs on a page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bitweight.cli.options import Json
from bitweight.cli.output import print_json, print_table, progress
from bitweight.cost_models import TECHNOLOGIES
from bitweight.reports.comparison.make import Request, make
from bitweight.reports.weight_formats import COLUMNS, cells, shipped_weights
from bitweight.reports.weight_formats import compare as compare_formats
from bitweight.workloads import Trace
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.weight_formats import FORMATS, weight_format

_BASELINES = ("int8", "int4")


def compare(
    designs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DESIGN]...", help="Designs; with --out, all integer engines."),
    ] = None,
    *,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            metavar="F...", help="Formats, joined by commas or repeated; default: all there are."
        ),
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="Trace file; default: the example.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer of the trace; default: its first, for designs all.")
    ] = None,
    technology: Annotated[
        list[str] | None,
        typer.Option(
            metavar="T...",
            help=f"Technologies of designs, joined by commas or repeated: "
            f"{', '.join(TECHNOLOGIES)}; default: all.",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="File of `characterise` instead of the shipped data; repeat."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the page of designs.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare weight formats on a real layer, or with --out designs in area, energy and time.

    Formats: bits, errors of weights and outputs, bytes fetched and cycles for one token and for
    all, and operations per output, next to plain int8 and int4. SeedLM's search takes tens of
    seconds for a layer not shipped encoded. Designs: a page of pictures with the data behind them,
    next to what was published. Needs bitweight[report].
    """
    if designs or technology or data or out is not None:
        request = Request(
            designs=tuple(dict.fromkeys(designs or ())),
            formats=tuple(_forms(formats or ())),
            named=tuple(_split(formats or ())),
            trace=trace,
            layer=layer,
            technologies=tuple(dict.fromkeys(_split(technology or ()))),
            data=tuple(data or ()),
        )
        _write_page(request, out, json)
        return
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
    wished = _split(names) or [*FORMATS]
    return [weight_format(name) for name in dict.fromkeys([*wished, *_BASELINES])]


def _split(names: Sequence[str]) -> list[str]:
    return [name for joined in names for name in joined.split(",")]


def _write_page(request: Request, out: Path | None, json: bool) -> None:
    if out is None:
        raise ValueError("--out must come with designs: the folder that their page is written to")
    with progress("compare") as advance:
        written = make(request, out, on_done=advance)
    rows = [{"file": name, "bytes": size} for name, size in written.items()]
    if json:
        print_json({"folder": str(out), "files": rows})
        return
    print_table(["file", "bytes"], [[f"{out}/{row['file']}", row["bytes"]] for row in rows])

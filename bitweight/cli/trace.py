"""``bitweight trace``: make, describe and check trace files."""

import hashlib
from functools import singledispatch
from pathlib import Path
from typing import Annotated, Any

import typer

from bitweight.cli.output import fail, print_json, print_table, progress
from bitweight.workloads import AnyLayer, Granularity, Layer, PackedLayer, Trace, example_path
from bitweight.workloads.capture import Capture, Selection, capture
from bitweight.workloads.example import EXAMPLE, EXAMPLE_SHA256
from bitweight.workloads.quantize import W8A8
from bitweight.workloads.whole_files import check_writable, write_whole

app = typer.Typer(help="Make, describe and check trace files.", no_args_is_help=True)

_File = Annotated[Path | None, typer.Argument(help="Trace file; if none, the shipped example.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("capture")
def capture_(
    *,
    gguf: Annotated[Path, typer.Option(help="Llama-architecture GGUF file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Trace file to write.")],
    text: Annotated[str, typer.Option(help="Prompt.")] = "",
    example: Annotated[bool, typer.Option("--example", help="Make the shipped example.")] = False,
    block: Annotated[list[int] | None, typer.Option(help="Block; repeat; else all.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="As attn_q; repeat; else all.")] = None,
    outputs: Annotated[int | None, typer.Option(help="Keep first outputs of layers.")] = None,
    x_scale: Annotated[Granularity, typer.Option(help="x values per scale.")] = Granularity.TOKEN,
    w_scale: Annotated[Granularity, typer.Option(help="w values per scale.")] = Granularity.CHANNEL,
    group: Annotated[int | None, typer.Option(help="Length of a scale group along k.")] = None,
    json: _Json = False,
) -> None:
    """Run a model on a text and write the quantised operands of its linear layers.

    With --example, exits 1 if the bytes written are not those of the shipped example.
    """
    chosen = Selection(blocks=tuple(block or ()), kinds=tuple(kind or ()), outputs=outputs)
    scales = W8A8(x=x_scale, w=w_scale, group=group)
    request = EXAMPLE if example else Capture(text=text, layers=chosen, scales=scales)
    check_writable(out)
    with progress("capture") as advance:
        data = capture(gguf, request, on_block=advance).to_bytes()
        write_whole(out, data)
    row = {"file": str(out), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    print_json(row) if json else _print_rows([row])
    if example and row["sha256"] != EXAMPLE_SHA256:
        fail([f"{out}: SHA-256 must be the shipped example's, {EXAMPLE_SHA256}"])


@app.command()
def info(file: _File = None, json: _Json = False) -> None:
    """Describe a trace: where it comes from, and its layers."""
    path = file or example_path()
    trace = Trace.load(path)
    about = {"file": str(path), **_about(trace)}
    layers = [_describe(layer) for layer in trace.layers]
    if json:
        print_json({**about, "layers": layers})
    else:
        print_table(["trace", ""], [[key, value] for key, value in about.items()])
        _print_rows(layers)


@app.command()
def check(file: _File = None, json: _Json = False) -> None:
    """Check every code and scale, and golden accumulators against numpy's exact product.

    Exits 1 if an accumulator differs, 2 if the file is bad.
    """
    path = file or example_path()
    layers = []
    with progress("check") as advance:
        trace = Trace.load(path)
        for done, layer in enumerate(trace.layers, 1):
            layers.append(_verdict(layer))
            advance(done, len(trace.layers))
    print_json({"file": str(path), "layers": layers}) if json else _print_rows(layers)
    wrong = [
        f"{row['layer']}: {row['wrong']} golden accumulators are wrong"
        for row in layers
        if row["wrong"]
    ]
    if wrong:
        fail(wrong)


def _about(trace: Trace) -> dict[str, Any]:
    # Escaped: a file's own text must not steer the terminal.
    return {
        "model": repr(trace.model)[1:-1],
        "producer": repr(trace.producer)[1:-1],
        "source_sha256": repr(trace.source_sha256)[1:-1],
        "phase": str(trace.phase),
        "tokens": len(trace.token_ids),
        "text": repr(trace.text)[1:-1],
    }


def _describe(layer: AnyLayer) -> dict[str, Any]:
    return {
        "layer": layer.name,
        "m": layer.m,
        "n": layer.n,
        "k": layer.k,
        "x": str(layer.x_format),
        "x_scale": str(layer.x_granularity),
        **_describe_weights(layer),
    }


@singledispatch
def _describe_weights(layer: Any) -> dict[str, Any]:
    raise TypeError(f"No trace holds a {type(layer).__name__}")


@_describe_weights.register
def _(layer: Layer) -> dict[str, Any]:
    return {
        "w": str(layer.w_format),
        "w_scale": str(layer.w_granularity),
        "group": layer.group,
        "golden": "absent" if layer.golden_tensor is None else "present",
    }


@_describe_weights.register
def _(layer: PackedLayer) -> dict[str, Any]:
    group = getattr(layer.format, "group", None)
    return {"w": layer.format.name, "w_scale": "packed", "group": group, "golden": "absent"}


def _verdict(layer: AnyLayer) -> dict[str, Any]:
    wrong = layer.wrong_golden()
    golden = "absent" if wrong is None else "differs" if wrong else "equal"
    return {"layer": layer.name, "codes": "in range", "golden": golden, "wrong": wrong or 0}


def _print_rows(rows: list[dict[str, Any]]) -> None:
    cells = [["-" if cell is None else cell for cell in row.values()] for row in rows]
    print_table(list(rows[0]), cells)

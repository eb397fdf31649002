"""``bitweight quantize``: the weights of a file's layers in a packed format."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bitweight.cli.options import Json
from bitweight.cli.output import fail, print_json, print_table, progress
from bitweight.cli.workload import DRAWN, TOKENS
from bitweight.workloads import Trace
from bitweight.workloads.example import PACKED_EXAMPLE_SHA256, packed_example
from bitweight.workloads.gguf_layers import gguf_real_trace
from bitweight.workloads.gguf_reader import is_gguf
from bitweight.workloads.operands import Distribution
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.quantize.pack_layers import Packing, PackRequest, pack_layers
from bitweight.workloads.real_layer import real_trace
from bitweight.workloads.weight_formats import FORMATS, quantize_command, weight_format
from bitweight.workloads.whole_files import check_writable, write_whole


def quantize(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="IN", help="Trace of integer weights, or GGUF file; default: the example."
        ),
    ] = None,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Trace file to write.")],
    layer: Annotated[list[str] | None, typer.Option(help="Layer of IN; repeat; else all.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the format; repeat."),
    ] = None,
    operands: Annotated[
        str | None,
        typer.Option(help="How activations of a GGUF file are drawn, as `simulate` draws them."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of drawn activations; default: 0.", min=0)
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help=f"Rows of drawn activations; default: {TOKENS}.", min=1)
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Make the shipped packed example.")
    ] = False,
    json: Json = False,
) -> None:
    """Encode real weights in a packed format and write the layers as a trace.

    Real weights are what a trace's integer codes stand for, or a GGUF file's dequantised weights.
    With --example, exits 1 if the bytes written are not those of the shipped packed example.
    """
    options = _Options(
        file=file,
        to=to,
        layer=tuple(layer or ()),
        settings=tuple(settings or ()),
        operands=operands,
        seed=seed,
        tokens=tokens,
    )
    request = options.example() if example else options.request()
    check_writable(out)
    with progress("quantize") as advance:
        packings = pack_layers(request.jobs, on_done=advance)
        data = request.trace(packings).to_bytes()
        write_whole(out, data)
    about = {"file": str(out), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (_print_json if json else _print_tables)(about, packings)
    if example and about["sha256"] != PACKED_EXAMPLE_SHA256:
        fail([f"{out}: SHA-256 must be the shipped example's, {PACKED_EXAMPLE_SHA256}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """Options of the command line, named as there; None or empty where not given."""

    file: Path | None
    to: str | None
    layer: tuple[str, ...]
    settings: tuple[str, ...]
    operands: str | None
    seed: int | None
    tokens: int | None

    def example(self) -> PackRequest:
        """Return what makes the shipped packed example."""
        surplus = [name for name in self.__slots__ if getattr(self, name) not in (None, ())]
        if surplus:
            raise ValueError(f"--example must come alone with --out, not with {_told(surplus[0])}")
        return packed_example()

    def request(self) -> PackRequest:
        """Return what the options ask for.

        Raises:
            ValueError: If a name or a value is bad, or an option has no use for the file.
            OSError: If the file cannot be read.
        """
        if self.to is None:
            raise ValueError("--to FORMAT must be given, or --example")
        form = weight_format(self.to, self.settings)
        if self.file is not None and is_gguf(self.file):
            return self._of_gguf(self.file, form)
        for option in ("operands", "seed", "tokens"):
            if getattr(self, option) is not None:
                raise ValueError(
                    f"{_told(option)} must come with a GGUF file, not with a trace, "
                    "which has activations"
                )
        trace = Trace.example() if self.file is None else Trace.load(self.file)
        source = real_trace(trace, self.layer)
        return PackRequest(source=source, forms=(form,), producer=quantize_command(form))

    def _of_gguf(self, file: Path, form: WeightFormat) -> PackRequest:
        operands, seed = Distribution.parse(self.operands or DRAWN), self.seed or 0
        source = gguf_real_trace(
            file,
            tokens=TOKENS if self.tokens is None else self.tokens,
            operands=operands,
            seed=seed,
            names=[f"{name.removesuffix('.weight')}.weight" for name in self.layer],
        )
        producer = f"{quantize_command(form)}, activations {operands}, seed {seed}"
        return PackRequest(source=source, forms=(form,), producer=producer)


def _told(name: str) -> str:
    """Return what the command line calls an option."""
    return {"file": "IN", "settings": "--set"}.get(name, f"--{name}")


def _print_json(about: dict[str, Any], packings: list[Packing]) -> None:
    layers = [
        {
            "name": packing.layer.name,
            "m": packing.layer.m,
            "n": packing.layer.n,
            "k": packing.layer.k,
            "format": packing.layer.format.name,
            "bits_per_weight": packing.layer.bits_per_weight,
            "relative_error": packing.error,
            "weight_bytes": packing.bytes,
            "short_groups": packing.short_groups,
        }
        for packing in packings
    ]
    print_json({**about, "layers": layers})


def _print_tables(about: dict[str, Any], packings: list[Packing]) -> None:
    rows = [
        [
            packing.layer.name,
            packing.layer.n,
            packing.layer.k,
            packing.layer.format.name,
            f"{packing.layer.bits_per_weight:.4g}",
            f"{packing.error:.4f}",
            packing.bytes,
            packing.short_groups,
        ]
        for packing in packings
    ]
    columns = ("layer", "n", "k", "format", "bits/weight", "error", "weight bytes", "short groups")
    print_table(columns, rows)
    print_table(list(about), [list(about.values())])

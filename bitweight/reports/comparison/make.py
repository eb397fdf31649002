"""From names of designs to a folder with their page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bitweight.cost_models import TECHNOLOGIES
from bitweight.cost_models.estimates import LEFT_OUT
from bitweight.cost_models.measurements import Measurements, load, shipped
from bitweight.reports.comparison.operating import Run
from bitweight.reports.comparison.page import Page, check_replaceable, files, write
from bitweight.reports.comparison.study import Study, missing, pictures
from bitweight.reports.sweep.layers import layer_sources
from bitweight.reports.sweep.space import DesignAxis, TraceLayers
from bitweight.reports.sweep.variants import Variant, variants
from bitweight.reports.weight_formats import compare as compare_formats
from bitweight.reports.weight_formats import shipped_weights
from bitweight.sim import ENGINES
from bitweight.workloads import Trace
from bitweight.workloads.example import PACKED_EXAMPLE_LAYER
from bitweight.workloads.packed_weights import WeightFormat

OnDone = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a page is wished of.

    Attributes:
        designs: Names in the catalog; empty for all engines of integer operands.
        formats: Weight formats of the table.
        named: Those that the command names; empty if it leaves the choice.
        trace: Trace file; None for the shipped example.
        layer: Layer of it; None for all, and for the table its first.
        technologies: Names; empty for all.
        data: Data files instead of those that are shipped.
    """

    designs: tuple[str, ...]
    formats: tuple[WeightFormat, ...]
    named: tuple[str, ...]
    trace: Path | None
    layer: str | None
    technologies: tuple[str, ...]
    data: tuple[Path, ...] = ()

    @property
    def command(self) -> str:
        """The command that makes the page, without folders."""
        words = ["bitweight compare", *self.designs]
        words += ["--formats", ",".join(self.named)] if self.named else []
        words += [] if self.trace is None else ["--trace", self.trace.name]
        words += [] if self.layer is None else ["--layer", self.layer]
        words += [word for path in self.data for word in ("--data", path.name)]
        if not self.data:
            words += ["--technology", ",".join(self.technologies or TECHNOLOGIES)]
        return " ".join([*words, "-o page"])

    @property
    def measured(self) -> tuple[Measurements, ...]:
        """Measured points of each technology.

        Raises:
            ValueError: If a technology is unknown or comes twice, or a file holds something else.
        """
        if not self.data:
            return tuple(map(shipped, self.technologies or TECHNOLOGIES))
        if self.technologies:
            raise ValueError("--data must come without --technology: a file names its own")
        found = tuple(map(load, self.data))
        names = [one.technology for one in found]
        if len(set(names)) < len(names):
            raise ValueError(f"--data must be files of different technologies, not {names}")
        return found


def make(
    request: Request, out: Path, on_done: OnDone = lambda _done, _total: None
) -> Mapping[str, int]:
    """Write the folder and return the size of each file, by name.

    Raises:
        ValueError: If a design, a layer or a technology is unknown or has no data, or ``out`` is
            there and is no page.
        ImportError: If the extra ``report`` is not installed.
        OSError: If a file cannot be read or written.
    """
    import jinja2  # noqa: F401, PLC0415 - refuses at once, not after the work
    import matplotlib  # noqa: F401, PLC0415 - as above

    check_replaceable(out)
    study = _study(request)
    page = Page(
        title="What tensor engines cost",
        lead=_lead(study),
        left_out=LEFT_OUT,
        facts=study.facts([run.design for run in study.runs], []),
    )
    found = files(page, pictures(study), on_done)
    write(out, found)
    return {name: len(data) for name, data in sorted(found.items())}


def _study(request: Request) -> Study:
    data = request.measured
    trace = Trace.example() if request.trace is None else Trace.load(request.trace)
    names = () if request.layer is None else (request.layer,)
    table_layer = request.layer or (
        PACKED_EXAMPLE_LAYER if request.trace is None else trace.layers[0].name
    )
    layers = TraceLayers(path=request.trace, names=names)
    designs = tuple(variants(DesignAxis(names=request.designs or tuple(ENGINES))))
    ready = shipped_weights(table_layer) if request.trace is None else {}
    return Study(
        runs=tuple(run_on(variant, layers) for variant in designs),
        data=data,
        formats=tuple(compare_formats(trace.layer(table_layer), request.formats, ready=ready)),
        formats_layer=table_layer,
        workload=_describe(trace, request),
        command=request.command,
    )


def run_on(variant: Variant, layers: TraceLayers) -> Run:
    """Return what a design makes of layers.

    Raises:
        ValueError: If it cannot run one of them, before any runs.
    """
    sources = list(layer_sources(layers))
    for source in sources:
        source.check(variant.spec, variant.weights)
    return Run(
        design=variant.name,
        spec=variant.spec,
        layers=tuple(source.run(variant.spec, variant.weights) for source in sources),
    )


def _describe(trace: Trace, request: Request) -> str:
    chosen = [*trace.layers] if request.layer is None else [trace.layer(request.layer)]
    file = "the shipped example" if request.trace is None else request.trace.name
    names = ", ".join(layer.name for layer in chosen)
    model = f" of {trace.model}" if trace.model else ""
    count = f"{len(chosen)} layer{'s' if len(chosen) > 1 else ''}"
    return f"{count}{model} ({names}), {trace.phase} of {chosen[0].m} tokens, operands of {file}"


def _lead(study: Study) -> tuple[str, ...]:
    return (
        "Area, energy and time of tensor engines on real quantised layers, from netlists of "
        "Verilog that is checked bit for bit and clock for clock against its model.",
        *missing(study),
    )

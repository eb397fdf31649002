"""The roofline of designs on a language model, decode and prefill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bitweight.cost_models import Figure, Provenance
from bitweight.cost_models.layer_time import layer_cost
from bitweight.cost_models.model_cost import ModelRun
from bitweight.cost_models.roofline import Roof, RooflinePoint, roof, roofline
from bitweight.cost_models.system import System
from bitweight.cost_models.technology import title
from bitweight.reports.comparison.area_delay import plain_ticks
from bitweight.reports.comparison.operating import Operating
from bitweight.reports.comparison.picture import Facts, Note, Picture
from bitweight.reports.comparison.style import (
    INK,
    MUTED,
    NARROW_INCHES,
    hue,
    label_ends,
    mark,
    styled,
)
from bitweight.workloads.phase import Phase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MODEL = "smollm2-135m"

COLUMNS = (
    "technology",
    "design",
    "clock_mhz",
    "phase",
    "layer",
    "macs_per_dram_byte",
    "attained_gmacs_per_s",
    "bound_gmacs_per_s",
    "peak_gmacs_per_s",
    "limit",
    "provenance",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A kind of layer under a roof.

    Attributes:
        phase: Prefill or decode.
        point: Its place.
        provenance: How its cycles are known: ``assumed`` where they hang on drawn digits.
    """

    phase: Phase
    point: RooflinePoint
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """A design under its roof.

    Attributes:
        technology: Name of the technology.
        design: Name of the design.
        clock_mhz: Clock.
        over: The roof.
        points: Kinds of layers; empty if they cannot be known.
        refused: Why they cannot.
    """

    technology: str
    design: str
    clock_mhz: float
    over: Roof
    points: tuple["Placed", ...]
    refused: str = ""


def under(which: Operating) -> Under:
    """Return a design at a clock under its roof, on all layers of the model that hold weights."""
    system, clock_mhz = System(), which.cost.clock_mhz
    points: list[Placed] = []
    refused = ""
    over = roof(which.spec, system.dram, clock_mhz=clock_mhz)
    try:
        for phase in Phase:
            gemms = [gemm for gemm in ModelRun(model=MODEL, phase=phase).gemms if gemm.weighted]
            layers = [
                layer_cost(
                    which.spec,
                    gemm,
                    system=system,
                    technology=which.cost.technology,
                    clock_mhz=clock_mhz,
                    array_energy=_unasked,
                )
                for gemm in gemms
            ]
            points += [
                Placed(phase=phase, point=point, provenance=layer.counts.provenance)
                for point, layer in zip(roofline(over, layers), layers, strict=True)
            ]
    except ValueError as error:
        points, refused = [], str(error)
    return Under(
        technology=which.cost.technology,
        design=which.run.design,
        clock_mhz=clock_mhz,
        over=over,
        points=tuple(points),
        refused=refused,
    )


def _unasked(_spec: Any, _activity: Any) -> Figure:
    """Return no energy: only time is shown, and a design may have no gate-level run."""
    return Figure(parts={}, provenance=Provenance.MEASURED, source="not asked for")


def picture(found: Sequence[Under], facts: Facts) -> Picture:
    """Return the picture of designs under their roofs."""
    rows = tuple(
        (
            one.technology,
            one.design,
            one.clock_mhz,
            str(placed.phase),
            placed.point.name,
            placed.point.macs_per_byte,
            placed.point.attained_gmacs,
            placed.point.bound_gmacs,
            one.over.peak_gmacs,
            str(placed.point.limit),
            str(placed.provenance),
        )
        for one in found
        for placed in one.points
    )
    drawn = [one for one in found if one.points]
    system = System()
    return Picture(
        name="roofline",
        title="Roofline: decode and prefill of a language model",
        reading=(
            "Each point is a kind of layer of the workload: what a design attains of the "
            "products that a byte of DRAM feeds, at its clock of greatest throughput per area in "
            f"{title(found[0].technology)}. The slope is DRAM "
            f"({system.dram.name}, {system.dram.bandwidth_gbs:g} GB/s), the level lines are the "
            "arrays' peaks."
        ),
        facts=facts,
        columns=COLUMNS,
        rows=rows,
        draw=(lambda width: _draw(drawn, width)) if drawn else None,
        notes=tuple(Note(title=one.design, text=one.refused) for one in found if one.refused),
        notes_title="Not shown",
    )


def workload() -> str:
    """Return what is computed, in words."""
    run = ModelRun(model=MODEL, phase=Phase.PREFILL)
    return (
        f"layers of {MODEL} that hold weights, prefill of {run.tokens} tokens and decode of one, "
        "activations drawn like those of the shipped example"
    )


def _draw(found: Sequence[Under], width: float) -> "Drawing":
    from matplotlib.figure import Figure as Drawing  # noqa: PLC0415 - an extra

    right = 1.5 if width <= NARROW_INCHES else 1.75
    height = max(3.2, 0.75 + 0.17 * len(found))
    with styled():
        drawing = Drawing(figsize=(width, height))
        axes = drawing.subplots()
        drawing.subplots_adjust(
            left=0.62 / width, right=1 - right / width, top=1 - 0.12 / height, bottom=0.45 / height
        )
        _panel(axes, found)
    return drawing


def _panel(axes: "Axes", found: Sequence[Under]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    x = [point.macs_per_byte for one in found for point in _points(one)]
    low, high = min(x) / 1.6, max(x) * 1.6
    bandwidth = found[0].over.bandwidth_gbs
    top = max(one.over.peak_gmacs for one in found)
    axes.plot([low, top / bandwidth], [low * bandwidth, top], color=INK, linewidth=1, zorder=2)
    ends = []
    for one in found:
        colour = hue(one.design)
        ridge, peak = one.over.ridge_macs_per_byte, one.over.peak_gmacs
        axes.plot([max(ridge, low), high], [peak, peak], color=colour, linewidth=0.8, alpha=0.7)
        for provenance in dict.fromkeys(placed.provenance for placed in one.points):
            alike = [placed.point for placed in one.points if placed.provenance is provenance]
            axes.plot(
                [point.macs_per_byte for point in alike],
                [point.attained_gmacs for point in alike],
                linestyle="",
                alpha=0.9,
                zorder=3,
                **mark(provenance, colour, 4.5),
            )
        ends.append((high, peak, one.design, colour))
    for phase in Phase:
        middle = [
            placed.point.macs_per_byte
            for one in found
            for placed in one.points
            if placed.phase is phase
        ]
        axes.annotate(
            str(phase),
            xy=(sorted(middle)[len(middle) // 2], 0.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=8,
            color=MUTED,
        )
    axes.set_xlim(low, high)
    axes.set_xlabel("MACs per byte of DRAM")
    axes.set_ylabel("GMAC/s")
    plain_ticks(axes)
    label_ends(axes, ends)


def _points(one: Under) -> list[RooflinePoint]:
    return [placed.point for placed in one.points]

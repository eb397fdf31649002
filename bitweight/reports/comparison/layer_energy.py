"""Energy of each layer by component, design by design."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitweight.cost_models import Provenance, estimate
from bitweight.cost_models.measurements import Measurements
from bitweight.cost_models.technology import title
from bitweight.reports.comparison.operating import Operating
from bitweight.reports.comparison.picture import Facts, Picture
from bitweight.reports.comparison.style import INK, NARROW_INCHES, PARTS, hue, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

COLUMNS = (
    "technology",
    "design",
    "clock_mhz",
    "layer",
    "component",
    "energy_pj",
    "energy_pj_per_mac",
    "provenance",
)
_OTHERS = "others"
_BAR_INCHES = 0.19


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEnergy:
    """Energy of a design on one layer.

    Attributes:
        technology: Name of the technology.
        design: Name of the design.
        clock_mhz: Clock.
        layer: Name of the layer.
        macs: Multiply-accumulates of the layer.
        parts_pj: By component.
        provenance: How it is known.
    """

    technology: str
    design: str
    clock_mhz: float
    layer: str
    macs: int
    parts_pj: Mapping[str, float]
    provenance: Provenance


def layer_energies(which: Operating, data: Measurements) -> list[LayerEnergy]:
    """Return the energy of every layer of a run at its clock; nothing if it is not known."""
    found: list[LayerEnergy] = []
    if which.energy_pj is None:
        return found
    for layer in which.run.layers:
        cost = estimate(which.spec, data, clock_mhz=which.cost.clock_mhz, activity=layer.activity)
        assert cost.energy_pj is not None, "activity was given"
        found.append(
            LayerEnergy(
                technology=data.technology,
                design=which.run.design,
                clock_mhz=which.cost.clock_mhz,
                layer=layer.name,
                macs=layer.m * layer.n * layer.k,
                parts_pj=cost.energy_pj.parts,
                provenance=cost.energy_pj.provenance,
            )
        )
    return found


def picture(found: Sequence[LayerEnergy], facts: Facts) -> Picture:
    """Return the picture of energies, drawn for the first technology; the data hold all."""
    rows = tuple(
        (
            one.technology,
            one.design,
            one.clock_mhz,
            one.layer,
            name,
            part,
            part / one.macs,
            str(one.provenance),
        )
        for one in found
        for name, part in one.parts_pj.items()
    )
    first = found[0].technology
    drawn = [one for one in found if one.technology == first]
    others = len({one.technology for one in found}) - 1
    elsewhere = f" The CSV holds the other {others}." if others else ""
    return Picture(
        name="layer_energy",
        title="Where the energy of each layer goes",
        reading=(
            f"Engine energy per multiply-accumulate in {title(first)}, by component, "
            "each design at its clock of greatest throughput per area. Paler bars are not "
            f"measured but composed.{elsewhere}"
        ),
        facts=facts,
        columns=COLUMNS,
        rows=rows,
        draw=lambda width: _draw(drawn, width),
    )


def _draw(found: Sequence[LayerEnergy], width: float) -> "Drawing":
    from matplotlib.figure import Figure as Drawing  # noqa: PLC0415 - an extra

    layers = list(dict.fromkeys(one.layer for one in found))
    names = _components(found)
    columns = 1 if width <= NARROW_INCHES or len(layers) == 1 else 2
    rows = -(-len(layers) // columns)
    designs = len({one.design for one in found})
    inches = designs * _BAR_INCHES + 0.75
    with styled():
        drawing = Drawing(figsize=(width, inches * rows + 0.5), layout="constrained")
        grid = drawing.subplots(rows, columns, squeeze=False)
        most = max(sum(one.parts_pj.values()) / one.macs for one in found)
        for axes, layer in zip(grid.flat, layers, strict=False):
            _panel(axes, [one for one in found if one.layer == layer], names)
            axes.set_title(layer, fontsize=8.5)
            axes.set_xlim(0, most * 1.16)
            axes.tick_params(labelleft=axes in grid[:, 0])
        for axes in grid.flat[len(layers) :]:
            axes.set_visible(False)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        drawing.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=3 if width <= NARROW_INCHES else 6,
            fontsize=7.6,
            handlelength=1,
            columnspacing=1.1,
        )
    return drawing


def _components(found: Sequence[LayerEnergy]) -> list[str]:
    """Return the components that matter most, those left over last as one."""
    sums: dict[str, float] = {}
    for one in found:
        for name, part in one.parts_pj.items():
            sums[name] = sums.get(name, 0.0) + part / one.macs
    names = sorted(sums, key=lambda name: -sums[name])
    kept = len(PARTS) - 1
    return names if len(names) <= len(PARTS) else [*names[:kept], _OTHERS]


def _panel(axes: "Axes", found: Sequence[LayerEnergy], names: Sequence[str]) -> None:
    places = [float(place) for place in range(len(found))]
    left = [0.0] * len(found)
    for name, colour in zip(names, PARTS, strict=False):
        values = [_part(one, name, names) / one.macs for one in found]
        bars = axes.barh(places, values, left=left, height=0.72, color=colour, label=name)
        for bar, one in zip(bars, found, strict=True):
            if one.provenance is not Provenance.MEASURED:
                bar.set_alpha(0.55)
        left = [x + value for x, value in zip(left, values, strict=True)]
    for height, total in zip(places, left, strict=True):
        axes.annotate(
            f"{total:.3g}",
            xy=(total, height),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.4,
            color=INK,
        )
    axes.set_yticks(places, [one.design for one in found], fontsize=7.6)
    for label, one in zip(axes.get_yticklabels(), found, strict=True):
        label.set_color(hue(one.design))
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("pJ per MAC")


def _part(one: LayerEnergy, name: str, names: Sequence[str]) -> float:
    if name != _OTHERS:
        return one.parts_pj.get(name, 0.0)
    return math.fsum(part for other, part in one.parts_pj.items() if other not in names)

"""The Pareto front of area, energy and time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bitweight.cost_models.technology import title
from bitweight.reports.comparison.area_delay import plain_ticks
from bitweight.reports.comparison.operating import Operating
from bitweight.reports.comparison.picture import Facts, Picture
from bitweight.reports.comparison.style import MUTED, NARROW_INCHES, hue, label_ends, mark, styled
from bitweight.reports.pareto import front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

COLUMNS = (
    "technology",
    "design",
    "clock_mhz",
    "logic_um2",
    "memory_um2",
    "energy_pj_per_mac",
    "energy_uj",
    "cycles",
    "time_us",
    "gmacs_per_s_mm2",
    "provenance",
    "on_front",
)


def fronts(points: Mapping[str, Sequence[Operating]]) -> dict[str, list[Operating]]:
    """Return for each technology the designs and clocks that no other beats."""
    return {
        technology: front(known(found), lambda one: (one.area_um2, one.energy_pj or 0, one.time_us))
        for technology, found in points.items()
    }


def known(found: Sequence[Operating]) -> list[Operating]:
    """Return those whose energy is known."""
    return [one for one in found if one.energy_pj is not None]


def picture(points: Mapping[str, Sequence[Operating]], facts: Facts) -> Picture:
    """Return the picture of all designs at all clocks, those on the front in colour."""
    best = fronts(points)
    rows = tuple(
        (
            technology,
            one.run.design,
            one.cost.clock_mhz,
            one.cost.area_um2.total,
            one.cost.memory_um2.total,
            one.energy_pj_per_mac,
            None if one.energy_pj is None else one.energy_pj * 1e-6,
            one.run.cycles,
            one.time_us,
            one.gmacs_per_s_mm2,
            str(one.provenance),
            "yes" if any(one is kept for kept in best[technology]) else "no",
        )
        for technology, found in points.items()
        for one in found
    )
    return Picture(
        name="front",
        title="Area, energy and time: what nothing else beats",
        reading=(
            "Every design at every clock, with its time for the whole workload. Those that no "
            "other beats in area, energy and time at once are in colour and joined per design; "
            "the rest is grey, and so is a design whose energy is not known. Lower and further "
            "left is better in both panels."
        ),
        facts=facts,
        columns=COLUMNS,
        rows=rows,
        draw=lambda width: _draw(points, best, width),
    )


def _draw(
    points: Mapping[str, Sequence[Operating]],
    best: Mapping[str, Sequence[Operating]],
    width: float,
) -> "Drawing":
    from matplotlib.figure import Figure as Drawing  # noqa: PLC0415 - an extra

    is_narrow = width <= NARROW_INCHES
    columns = 1 if is_narrow else 2
    count = len(points) * 2 // columns
    height = 2.9
    right = 1.5 if is_narrow else 1.55
    with styled():
        drawing = Drawing(figsize=(width, height * count))
        grid = drawing.subplots(count, columns, squeeze=False)
        drawing.subplots_adjust(
            left=0.62 / width,
            right=1 - right / width,
            top=1 - 0.32 / (height * count),
            bottom=0.45 / (height * count),
            hspace=0.8 / (height - 0.8),
            wspace=0.28,
        )
        panels = list(grid.flat)
        for place, (technology, found) in enumerate(points.items()):
            kept = best[technology]
            energy, area = panels[2 * place], panels[2 * place + 1]
            _panel(energy, found, kept, "energy_pj_per_mac", is_labelled=is_narrow)
            _panel(area, found, kept, "area_um2", is_labelled=True)
            energy.set_ylabel("energy, pJ per MAC")
            area.set_ylabel("cells and memories, µm²")
            energy.set_title(title(technology))
    return drawing


def _panel(
    axes: "Axes",
    found: Sequence[Operating],
    kept: Sequence[Operating],
    what: str,
    *,
    is_labelled: bool,
) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    chosen = set(map(id, kept))
    beaten = [one for one in found if id(one) not in chosen and getattr(one, what) is not None]
    for provenance in dict.fromkeys(one.provenance for one in beaten):
        alike = [one for one in beaten if one.provenance is provenance]
        times, values = [one.time_us for one in alike], [getattr(one, what) for one in alike]
        look = mark(provenance, MUTED, 3)
        axes.plot(times, values, linestyle="", alpha=0.35, zorder=1, **look)
    ends = []
    for design in dict.fromkeys(one.run.design for one in kept):
        own = [one for one in kept if one.run.design == design]
        own.sort(key=lambda one: one.time_us)
        colour = hue(design)
        x, y = [one.time_us for one in own], [float(getattr(one, what)) for one in own]
        axes.plot(x, y, color=colour, linewidth=1, zorder=2, **mark(own[0].provenance, colour, 4.5))
        ends.append((x[-1], y[-1], design, colour))
    axes.set_xlabel("time of the workload, µs")
    plain_ticks(axes)
    if is_labelled:
        label_ends(axes, ends)

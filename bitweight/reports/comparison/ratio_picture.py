"""The picture of ratios: a row for each technology of a pair, the published value across them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitweight.cost_models import Provenance
from bitweight.reports.comparison.picture import Cell, Facts, Picture
from bitweight.reports.comparison.ratios import BEST, EQUAL, Ratio
from bitweight.reports.comparison.shortfalls import notes
from bitweight.reports.comparison.style import INK, MUTED, NARROW_INCHES, PAPER, hue, mark, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

COLUMNS = (
    "optimised",
    "baseline",
    "technology",
    "clocks",
    "optimised_mhz",
    "baseline_mhz",
    "optimised_cells_um2",
    "baseline_cells_um2",
    "optimised_cells_pj_per_mac",
    "baseline_cells_pj_per_mac",
    "optimised_cycles",
    "baseline_cycles",
    "throughput_per_area_ratio",
    "published_throughput_per_area_ratio",
    "area_provenance",
    "energy_efficiency_ratio",
    "published_energy_efficiency_ratio",
    "energy_provenance",
    "throughput_per_area_ratio_with_memories",
    "energy_efficiency_ratio_with_memories",
    "published_source",
)
_ROW_INCHES = 0.17


def picture(found: Sequence[Ratio], facts: Facts) -> Picture:
    """Return the picture of ratios, with a paragraph for each that is below the published one."""
    return Picture(
        name="ratios",
        title="Optimised engines against their baselines, and what was published",
        reading=(
            "How many times the baseline's throughput per area, and operations per energy, an "
            "optimised engine reaches: large mark at each one's own best clock (greatest "
            "throughput per area), small grey mark with both at the baseline's; the numbers are in "
            "that order. The diamond is published. Right of 1 is better than the baseline. Of "
            "cells: memories that an engine holds are left out here, and counted in columns of the "
            "data and in the paragraphs below. What the paper's abstract counts is not known."
        ),
        facts=facts,
        columns=COLUMNS,
        rows=tuple(map(_row, found)),
        draw=(lambda width: _draw(found, width)) if found else None,
        notes=tuple(notes(found)),
    )


def _row(ratio: Ratio) -> tuple[Cell, ...]:
    one, other, pair = ratio.optimised, ratio.baseline, ratio.pair
    goals = [goal for goal in (pair.area, pair.energy) if goal is not None]
    return (
        pair.optimised,
        pair.baseline,
        ratio.data.technology,
        ratio.clocks,
        one.cost.clock_mhz,
        other.cost.clock_mhz,
        one.cells_um2,
        other.cells_um2,
        one.cells_pj_per_mac,
        other.cells_pj_per_mac,
        one.run.cycles,
        other.run.cycles,
        ratio.area,
        None if pair.area is None else pair.area.value,
        str(ratio.area_provenance),
        ratio.energy,
        None if pair.energy is None else pair.energy.value,
        str(ratio.energy_provenance or ""),
        ratio.area_with_memories,
        ratio.energy_with_memories,
        "; ".join(dict.fromkeys(f"{p.technology}, {p.source}" for p in goals)),
    )


def _draw(found: Sequence[Ratio], width: float) -> "Drawing":
    from matplotlib.figure import Figure as Drawing  # noqa: PLC0415 - an extra

    pairs = list(dict.fromkeys(ratio.pair for ratio in found))
    technologies = list(dict.fromkeys(ratio.data.technology for ratio in found))
    is_narrow = width <= NARROW_INCHES
    panel_inches = (len(pairs) * (len(technologies) + 2.4)) * _ROW_INCHES + 0.8
    with styled():
        drawing = Drawing(
            figsize=(width, panel_inches * (2 if is_narrow else 1)), layout="constrained"
        )
        shape = (2, 1) if is_narrow else (1, 2)
        left, right = drawing.subplots(*shape, sharey=not is_narrow).flat
        for axes, what, title in (
            (left, "area", "Throughput per area, times the baseline's"),
            (right, "energy", "MACs per energy, times the baseline's"),
        ):
            _panel(axes, found, what)
            axes.set_title(title, fontsize=8.5)
        if not is_narrow:
            right.tick_params(labelleft=False)
    return drawing


def _panel(axes: "Axes", found: Sequence[Ratio], what: str) -> None:
    by_pair: dict[object, list[Ratio]] = {}
    for ratio in found:
        by_pair.setdefault(ratio.pair, []).append(ratio)
    y, ticks, labels = 0.0, [], []
    axes.set_xscale("log")
    axes.axvline(1, color=MUTED, linewidth=0.9, zorder=1)
    for ratios in by_pair.values():
        pair, colour = ratios[0].pair, hue(ratios[0].pair.optimised)
        axes.annotate(
            f"{pair.optimised} / {pair.baseline}",
            xy=(0, y),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.6,
            fontweight="bold",
            color=colour,
        )
        goal = getattr(pair, what)
        if goal is not None:
            y += 1
            ticks.append(y)
            labels.append("published")
            last = y + len({ratio.data.technology for ratio in ratios}) + 0.4
            _published(axes, goal.value, y, last)
        for technology in dict.fromkeys(ratio.data.technology for ratio in ratios):
            y += 1
            ticks.append(y)
            labels.append(technology)
            _marks(axes, y, [r for r in ratios if r.data.technology == technology], what, colour)
        y += 1.4
    axes.set_yticks(ticks, labels)
    axes.set_ylim(y - 0.6, -0.8)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    _ratio_ticks(axes)


def _marks(axes: "Axes", y: float, ratios: Sequence[Ratio], what: str, colour: str) -> None:
    by_clocks = {ratio.clocks: ratio for ratio in ratios}
    at_best, at_equal = by_clocks[BEST], by_clocks[EQUAL]
    if getattr(at_best, what) is None or getattr(at_equal, what) is None:
        _value(axes, 1.0, y, "no gate-level run")
        return
    values = [getattr(at_best, what), getattr(at_equal, what)]
    axes.plot(values, [y, y], color=MUTED, linewidth=0.8, zorder=2)
    for ratio, value, shade, size in (
        (at_equal, values[1], MUTED, 4.0),
        (at_best, values[0], colour, 6.5),
    ):
        known: Provenance = getattr(ratio, f"{what}_provenance")
        axes.plot([value], [y], linestyle="", zorder=3, **mark(known, shade, size))
    _value(axes, max(values), y, f"{values[0]:.2f} / {values[1]:.2f}")


def _published(axes: "Axes", value: float, y: float, last: float) -> None:
    axes.plot([value, value], [y, last], color=INK, linewidth=0.8, linestyle=":", zorder=2)
    axes.plot([value], [y], linestyle="", zorder=3, **mark(Provenance.PUBLISHED, INK, 5))
    _value(axes, value, y, f"{value:g}")


def _value(axes: "Axes", x: float, y: float, text: str) -> None:
    axes.annotate(
        text,
        xy=(x, y),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.6,
        color=INK,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},
        zorder=4,
    )


def _ratio_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: PLC0415

    low, high = axes.get_xlim()
    low, high = min(low, 0.8), max(high, 1.6) * (1.9 if high > 4 else 1.45)
    axes.set_xlim(low, high)
    wide = high / low > 6
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if wide else (0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3)
    axes.xaxis.set_major_locator(FixedLocator([step for step in steps if low <= step <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))

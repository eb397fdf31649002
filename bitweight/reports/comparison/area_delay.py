"""Area against delay: what each netlist of a design takes and how fast it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitweight.cost_models.measurements import Measurements, NetlistPoint
from bitweight.cost_models.technology import title
from bitweight.reports.comparison.picture import Facts, Picture
from bitweight.reports.comparison.style import NARROW_INCHES, hue, label_ends, styled
from bitweight.reports.pareto import front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# Where ticks stand in a decade.
_COARSE, _FINE = (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)

Address = tuple[str, tuple[str, ...]]

COLUMNS = (
    "technology",
    "design",
    "settings",
    "recipe",
    "target_ns",
    "delay_ns",
    "area_um2",
    "on_front",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """All netlists of a design in a technology.

    Attributes:
        technology: Name of the technology.
        label: Name of the design, with settings that are not the catalog's.
        points: Its netlists, fastest first.
        front: Those that no other beats in both area and delay, fastest first.
        is_baseline: Whether others are held against it.
    """

    technology: str
    label: str
    points: tuple[NetlistPoint, ...]
    front: tuple[NetlistPoint, ...]
    is_baseline: bool


def curves(
    data: Iterable[Measurements], addresses: Iterable[Address], baselines: Iterable[str]
) -> list[Curve]:
    """Return the curves of designs, by technology; those without netlists have none.

    Args:
        data: Measured points, one of each technology.
        addresses: Names and settings as netlists have them: an engine's, or ``pe:`` and a PE's.
        baselines: Names that others are held against.
    """
    wanted, base = list(addresses), set(baselines)
    found = []
    for measured in data:
        for design, settings in wanted:
            points = [
                point
                for point in measured.netlists
                if (point.design, point.settings) == (design, settings)
            ]
            if points:
                found.append(_curve(measured.technology, design, settings, points, design in base))
    return found


def _curve(
    technology: str,
    design: str,
    settings: tuple[str, ...],
    points: Sequence[NetlistPoint],
    is_baseline: bool,
) -> Curve:
    ordered = sorted(points, key=lambda point: (point.delay_ns, point.area_um2, point.recipe))
    return Curve(
        technology=technology,
        label=" ".join([design.removeprefix("pe:"), *map(_short, settings)]),
        points=tuple(ordered),
        front=tuple(front(ordered, lambda point: (point.delay_ns, point.area_um2))),
        is_baseline=is_baseline,
    )


def _short(setting: str) -> str:
    """Return a setting as a label has it: ``fused``, ``pipelined``, ``pass_depth=65536``."""
    field, _, value = setting.rpartition(".")[2].partition("=")
    if value == "true":
        return field
    return setting.rpartition(".")[2] if value.isdigit() else value


def picture(name: str, title: str, found: Sequence[Curve], facts: Facts) -> Picture:
    """Return the picture of curves, a panel for each technology."""
    rows = tuple(
        (
            curve.technology,
            point.design,
            " ".join(point.settings),
            point.recipe,
            point.target_ns,
            point.delay_ns,
            point.area_um2,
            "yes" if point in curve.front else "no",
        )
        for curve in found
        for point in curve.points
    )
    return Picture(
        name=name,
        title=title,
        reading=(
            "Each point is a netlist: cell area against its shortest clock period, both on "
            "logarithmic scales. The line joins those that no other of the design beats in both; "
            "lower and further left is better. Baselines are dashed."
        ),
        facts=facts,
        columns=COLUMNS,
        rows=rows,
        draw=lambda width: _draw(found, width),
    )


def _draw(found: Sequence[Curve], width: float) -> "Drawing":
    from matplotlib.figure import Figure as Drawing  # noqa: PLC0415 - an extra

    technologies = list(dict.fromkeys(curve.technology for curve in found))
    most = max(sum(c.technology == name for c in found) for name in technologies)
    height = max(2.6, 0.75 + 0.155 * most)
    with styled():
        drawing = Drawing(figsize=(width, height * len(technologies)))
        panels = drawing.subplots(len(technologies), 1, squeeze=False)[:, 0]
        is_narrow = width <= NARROW_INCHES
        right = 1.5 if is_narrow else 1.75
        drawing.subplots_adjust(
            left=0.62 / width,
            right=1 - right / width,
            top=1 - 0.3 / (height * len(technologies)),
            bottom=0.45 / (height * len(technologies)),
            hspace=0.72 / (height - 0.72),
        )
        for axes, technology in zip(panels, technologies, strict=True):
            _panel(axes, [curve for curve in found if curve.technology == technology], is_narrow)
            axes.set_title(title(technology))
    return drawing


def _panel(axes: "Axes", found: Sequence[Curve], is_narrow: bool) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = []
    for curve in found:
        colour = hue(curve.label)
        behind = [point for point in curve.points if point not in curve.front]
        if not is_narrow:
            axes.plot(*_xy(behind), ".", color=colour, alpha=0.22, markersize=3, zorder=1)
        axes.plot(
            *_xy(curve.front),
            color=colour,
            linestyle="--" if curve.is_baseline else "-",
            marker="o",
            markersize=3,
            markerfacecolor=colour,
            zorder=2,
        )
        last = curve.front[-1]
        ends.append((last.delay_ns, last.area_um2, curve.label, colour))
    axes.set_xlabel("shortest clock period, ns")
    axes.set_ylabel("cell area, µm²")
    plain_ticks(axes)
    label_ends(axes, ends)


def _xy(points: Sequence[NetlistPoint]) -> tuple[list[float], list[float]]:
    return [point.delay_ns for point in points], [point.area_um2 for point in points]


def plain_ticks(axes: "Axes") -> None:
    """Write ticks of logarithmic axes as plain numbers: at 1, 2 and 5, or closer if few show."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    axes.autoscale_view()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(base=10, subs=_COARSE if high > 8 * low else _FINE))
        axis.set_major_formatter(FuncFormatter(_plain))
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)


def _plain(value: float, _place: int) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"

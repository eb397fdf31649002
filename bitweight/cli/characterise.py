"""``bitweight characterise``: areas, delays and energies of designs in a cell library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bitweight.cli.options import Json, Settings
from bitweight.cli.output import print_json, print_table, progress
from bitweight.cost_models.liberty import Library
from bitweight.cost_models.measurements import NetlistPoint, load
from bitweight.verify.characterise.energies import add_energies
from bitweight.verify.characterise.points import addresses
from bitweight.verify.characterise.run import characterise as measure
from bitweight.verify.characterise.run import technology_library
from bitweight.workloads.whole_files import check_writable

_COLUMNS = ("design", "settings", "target_ns", "delay_ns", "met", "area_um2", "recipe")


def characterise(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DESIGN]...", help="Catalog names, or pe:NAME; all if none."),
    ] = None,
    *,
    liberty: Annotated[
        list[Path], typer.Option(help="Unzipped Liberty file of the library; repeat.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Data file to make, or to go on with.")],
    technology: Annotated[
        str, typer.Option(help="Its name; a name of its own for a library of your own.")
    ] = "own",
    targets: Annotated[
        str | None, typer.Option(help="Clock periods in ns, for example 1.5,2,4; else the front.")
    ] = None,
    energy: Annotated[
        bool, typer.Option(help="Run the best netlist of each design at gate level as well.")
    ] = True,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Synthesise, time and run designs; a run that was stopped goes on where it was."""
    wished = [(name, tuple(settings or ())) for name in names or ()] or addresses(technology)
    check_writable(out)
    library = technology_library(technology, liberty)
    with progress("characterise") as advance:
        measure(technology, library, wished, out, targets_ns=_periods(targets), on_done=advance)
    if energy:
        with progress("energy") as advance:
            add_energies(out, wished, library, Library.read(liberty), on_done=advance)
    points = [p for p in load(out).netlists if (p.design, p.settings) in set(wished)]
    rows = [dict(zip(_COLUMNS, _row(point), strict=True)) for point in points]
    if json:
        print_json({"file": str(out), "points": rows})
        return
    print_table(_COLUMNS, [list(row.values()) for row in rows])


def _periods(text: str | None) -> Sequence[float]:
    """Return the clock periods that ``--targets`` lists."""
    try:
        periods = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        periods = [0.0]
    if not all(period > 0 for period in periods):
        raise ValueError(f"--targets must be periods in ns such as 1.5,2,4, not {text!r}")
    return periods


def _row(point: NetlistPoint) -> list[object]:
    settings = " ".join(point.settings) or "-"
    met = "yes" if point.is_met else "no"
    area = round(point.area_um2, 1)
    return [point.design, settings, point.target_ns, point.delay_ns, met, area, point.recipe]

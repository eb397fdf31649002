"""``bitweight sweep``: many designs on many layers, resumable."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bitweight.cli.options import Json
from bitweight.cli.output import print_json, print_table, progress
from bitweight.reports.sweep import example_space, fronts, read_space, totals
from bitweight.reports.sweep import run as run_sweep
from bitweight.reports.sweep.totals import Total


def sweep(
    space: Annotated[
        Path | None,
        typer.Argument(metavar="SPACE.toml", help="What to go through; default: the example."),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file, a row for each point.")],
    processes: Annotated[
        int | None, typer.Option(help="Worker processes; default: one for each core.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Cost designs x settings x formats on layers, in technologies, at clocks, in parallel.

    Stopped at any moment, the same command goes on where it was. Prints the designs that no other
    beats in area, energy and time over all layers.
    """
    points = read_space(example_space() if space is None else space)
    with progress("sweep") as advance:
        found = run_sweep(points, out, processes=processes, on_done=advance)
    best = fronts(totals(found.rows))
    counts = {
        "file": str(out),
        "points": len(found.rows),
        "computed": found.computed,
        "refused": sum(bool(row.refused) for row in found.rows),
    }
    if json:
        print_json({**counts, "front": [asdict(total) for total in best]})
        return
    print_table(list(counts), [list(counts.values())])
    typer.echo("Not beaten in area, energy and time at once:")
    print_table(_COLUMNS, [_cells(total) for total in best])


_COLUMNS = (
    "technology",
    "design",
    "settings",
    "format",
    "MHz",
    "area um2",
    "energy nJ",
    "time us",
    "provenance",
)


def _cells(total: Total) -> list[str]:
    return [
        total.technology,
        total.design,
        total.settings or "-",
        total.format,
        f"{total.clock_mhz:g}",
        f"{total.area_um2:.0f}",
        f"{total.energy_pj * 1e-3:.4g}",
        f"{total.time_us:.4g}",
        total.provenance,
    ]

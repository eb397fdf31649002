"""``bitweight verify``: a design's Verilog against its model."""

from dataclasses import asdict
from typing import Annotated

import typer

from bitweight.cli.options import Json, Settings
from bitweight.cli.output import fail, print_json, print_table, progress
from bitweight.sim import DESIGNS, design
from bitweight.verify.design_check import CheckReport, check_designs
from bitweight.verify.engine_check import Outcome


def verify(
    name: Annotated[str | None, typer.Argument(metavar="DESIGN", help="Catalog name.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Check the whole catalog.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of sizes, operands and stalls.", min=0)] = 0,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Run a design's Verilog under cocotb and compare bits and clock edges with the model.

    Exits 1 if they differ.
    """
    if (name is None) != every:
        raise ValueError("verify must be given either one DESIGN or --all")
    specs = [design(one, settings or ()) for one in (DESIGNS if name is None else [name])]
    with progress("verify") as advance:
        reports = check_designs(specs, seed=seed, on_done=advance)
    (_print_json if json else _print_reports)(reports)
    faults = [_describe(report, outcome) for report in reports for outcome in report.faults]
    if faults:
        fail(faults)


def _print_json(reports: list[CheckReport]) -> None:
    print_json({"checks": [asdict(report) for report in reports]})


def _print_reports(reports: list[CheckReport]) -> None:
    columns = (
        "design",
        "variant",
        "GEMMs",
        "real tile",
        "cycles",
        "edges",
        "with stalls",
        "result",
    )
    print_table(columns, [_row(report) for report in reports])


def _describe(report: CheckReport, outcome: Outcome) -> str:
    stalls = ", with stalls" if outcome.stalls else ""
    return (
        f"{report.design} {report.label}: {outcome.work} "
        f"({outcome.m}x{outcome.k}x{outcome.n}{stalls}): {outcome.fault}"
    )


def _row(report: CheckReport) -> list[object]:
    smooth = [outcome for outcome in report.outcomes if not outcome.stalls]
    stalled = [outcome for outcome in report.outcomes if outcome.stalls]
    return [
        report.design,
        report.label,
        len(smooth),
        next(filter(None, map(_real_layer, smooth)), "-"),
        sum(outcome.cycles for outcome in smooth),
        sum(outcome.edges for outcome in smooth),
        sum(outcome.edges for outcome in stalled),
        f"{len(report.faults)} differ" if report.faults else "equal",
    ]


def _real_layer(outcome: Outcome) -> str:
    _, is_tile, layer = outcome.work.partition("tile of ")
    return layer if is_tile else ""

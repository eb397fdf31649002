"""``bitweight cost``: area, delay, power and energy of a design on layers, from measured data."""

from functools import reduce
from operator import add
from pathlib import Path
from typing import Annotated, Any

import typer

from bitweight.cli.fpga_rows import print_fpga
from bitweight.cli.model_rows import ModelOptions, print_models
from bitweight.cli.options import Json, Settings
from bitweight.cli.output import print_json, print_table, progress
from bitweight.cli.workload import WorkloadOptions, check_fit, find_jobs, run_job
from bitweight.cost_models import Cost, Figure, estimate
from bitweight.cost_models.estimates import has_runs
from bitweight.cost_models.fpga import FAMILIES
from bitweight.cost_models.measurements import Measurements, load, shipped
from bitweight.cost_models.system import DRAMS
from bitweight.cost_models.technology import TECHNOLOGIES
from bitweight.sim import design
from bitweight.sim.catalog import pe_design
from bitweight.sim.engine import Activity
from bitweight.workloads.phase import Phase


def cost(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[DESIGN]",
            help="Catalog name, with formats or without.",
        ),
    ] = None,
    *,
    technology: Annotated[
        str, typer.Option(help=f"Standard-cell technology: {', '.join(TECHNOLOGIES)}.")
    ] = next(iter(TECHNOLOGIES)),
    clock_mhz: Annotated[float, typer.Option(help="Clock in MHz.")] = 200.0,
    fpga: Annotated[
        str | None, typer.Option(help=f"FPGA instead of cells: {', '.join(FAMILIES)}.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="File of `characterise` instead of the shipped data.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="Trace file; default: an example.")] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer of a trace; repeat; else all.")
    ] = None,
    gemm: Annotated[str | None, typer.Option(help="Sizes MxKxN, with drawn operands.")] = None,
    operands: Annotated[
        str | None, typer.Option(help="How operands of --gemm are drawn: uniform or normal:STD.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of drawn operands; default: 0.", min=0)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model preset, see `list models`: all its layers.")
    ] = None,
    phase: Annotated[Phase | None, typer.Option(help="Step of the model; default: both.")] = None,
    tokens: Annotated[
        int | None, typer.Option(help="Prompt length of a prefill; default: 512.", min=1)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Sequences computed together; default: 1.", min=1)
    ] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens that a model attends to.", min=1)
    ] = None,
    dram: Annotated[
        str | None,
        typer.Option(help=f"DRAM of a model: {', '.join(DRAMS)}; default: lpddr4."),
    ] = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Tell what a design costs at a clock: area, delay, and power and energy on layers.

    pe:NAME instead of a design tells of one PE behind operand registers, without energy. --fpga
    tells LUTs, flip-flops and clock of the design, at sizes that were placed, and of its PE.
    --model adds buffers and DRAM and tells time, energy and what limits, by layer; without DESIGN
    for the engines and formats that whole models are compared on.
    """
    wished = ModelOptions(
        model=model, phase=phase, tokens=tokens, batch=batch, context=context, dram=dram, seed=seed
    )
    if model is not None:
        if trace or layer or gemm or operands or fpga:
            raise ValueError("--model brings its layers: leave out --fpga and other layers")
        measured = shipped(technology) if data is None else load(data)
        print_models(
            name, settings or (), wished, measured=measured, clock_mhz=clock_mhz, json=json
        )
        return
    if name is None:
        raise ValueError("DESIGN must be given without --model; see `bitweight list designs`")
    if fpga is not None:
        if trace or layer or gemm or operands or seed is not None:
            raise ValueError("--fpga tells of logic and clock, not of layers: leave out the others")
        print_fpga(name, settings or (), fpga, data=data, json=json)
        return
    measured = shipped(technology) if data is None else load(data)
    pe = pe_design(name, settings or ())
    if pe is not None:
        found = estimate(pe, measured, clock_mhz=clock_mhz)
    else:
        options = WorkloadOptions(
            trace=trace, layer=tuple(layer or ()), gemm=gemm, operands=operands, seed=seed
        )
        found = _on_layers(name, settings or (), measured, clock_mhz, options)
    (_print_json if json else _print)(found)


def _on_layers(
    name: str,
    settings: Any,
    measured: Measurements,
    clock_mhz: float,
    options: WorkloadOptions,
) -> Cost:
    spec = design(name, settings)
    bare = estimate(spec, measured, clock_mhz=clock_mhz)  # refuses before layers are run
    if not has_runs(spec, measured):
        typer.echo(f"energy: no gate-level run of {bare.design} in {bare.technology}", err=True)
        return bare
    jobs = find_jobs(spec, options)
    for job in jobs:
        check_fit(spec, job)
    activities: list[Activity] = []
    with progress("simulate") as advance:
        for done, job in enumerate(jobs, 1):
            activities.append(run_job(spec, job, "x").activity)
            advance(done, len(jobs))
    return estimate(spec, measured, clock_mhz=clock_mhz, activity=reduce(add, activities))


def _print(found: Cost) -> None:
    energy = found.energy_pj
    areas, memories = found.area_um2.parts, found.memory_um2.parts
    typer.echo(f"{found.design} in {found.technology} at {found.clock_mhz:g} MHz")
    spent = {} if energy is None else energy.parts
    names = [*areas, *(f"memory {one}" for one in memories)]
    names += [one for one in spent if one not in names]
    rows = [
        [
            one,
            _number(areas.get(one)),
            _number(memories.get(one.removeprefix("memory "))),
            _number(spent[one] / found.macs if one in spent else None),
        ]
        for one in names
    ]
    total = [found.area_um2.total, found.memory_um2.total, found.energy_pj_per_mac]
    columns = ["component", "area um2", "memory um2", "energy pJ/MAC"]
    used = 4 if energy is not None else 3
    print_table(columns[:used], [row[:used] for row in [*rows, ["total", *map(_number, total)]]])
    for line in _lines(found):
        typer.echo(line)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}" if value < 1000 else f"{value:.0f}"


def _lines(found: Cost) -> list[str]:
    lines = [f"shortest period {found.delay_ns:.4g} ns: {found.path}"]
    if found.power_mw is not None:
        lines.append(
            f"{found.macs} MACs in {found.clocks} clocks: {found.power_mw:.4g} mW, of which "
            f"{found.leakage_mw:.3g} mW leakage"
        )
    figures = {"area": found.area_um2, "memory": found.memory_um2, "energy": found.energy_pj}
    lines += [
        f"{name}: {figure.provenance}, {figure.source}"
        for name, figure in figures.items()
        if figure is not None and figure.parts
    ]
    return [*lines, f"left out: {'; '.join(found.left_out)}"]


def _print_json(found: Cost) -> None:
    figures = {"area": found.area_um2, "memory": found.memory_um2, "energy": found.energy_pj}
    per_clock = 0.0 if not found.clocks else found.clock_mhz * 1e-3 / found.clocks
    print_json(
        {
            "design": found.design,
            "technology": found.technology,
            "clock_mhz": found.clock_mhz,
            "area_um2": found.area_um2.total,
            "area_um2_breakdown": dict(found.area_um2.parts),
            "memory_um2": found.memory_um2.total,
            "memory_um2_breakdown": dict(found.memory_um2.parts),
            "delay_ns": found.delay_ns,
            "delay_ns_breakdown": {"path": found.path},
            "power_mw": found.power_mw,
            "power_mw_breakdown": _scaled(found.energy_pj, per_clock),
            "energy_pj_per_mac": found.energy_pj_per_mac,
            "energy_pj_per_mac_breakdown": _scaled(found.energy_pj, 1 / max(1, found.macs)),
            "leakage_mw": found.leakage_mw,
            "macs": found.macs,
            "clocks": found.clocks,
            "provenance": {k: str(f.provenance) for k, f in figures.items() if f is not None},
            "source": {k: f.source for k, f in figures.items() if f is not None},
            "left_out": list(found.left_out),
        }
    )


def _scaled(figure: Figure | None, factor: float) -> dict[str, float] | None:
    return None if figure is None else {k: v * factor for k, v in figure.parts.items()}

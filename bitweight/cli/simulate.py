"""``bitweight simulate``: bits, cycles and utilisation of a design on a workload."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bitweight.cli.options import Design, Json, Settings
from bitweight.cli.output import print_json, print_table, progress
from bitweight.sim import LayerResult, design, layers
from bitweight.sim.spec import EngineSpec
from bitweight.workloads import Gemm, Layer, Trace, example_path
from bitweight.workloads.models import model_gemms
from bitweight.workloads.operands import Distribution
from bitweight.workloads.phase import Phase

_Run = Callable[[EngineSpec, str], LayerResult]


def simulate(
    name: Design,
    *,
    trace: Annotated[Path | None, typer.Option(help="Trace file; default: the example.")] = None,
    model: Annotated[str | None, typer.Option(help="Model preset, see `list models`.")] = None,
    gemm: Annotated[str | None, typer.Option(help="Sizes MxKxN.")] = None,
    operands: Annotated[
        str | None,
        typer.Option(
            help="uniform or normal:STD; none counts cycles only. Default: normal:20 with --gemm, "
            "none with --model."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of drawn operands.", min=0)] = 0,
    binding: Annotated[
        layers.Binding, typer.Option(help="Which side streams as a.")
    ] = layers.Binding.X,
    phase: Annotated[Phase, typer.Option(help="Step of a model.")] = Phase.PREFILL,
    tokens: Annotated[int, typer.Option(help="Prompt length of a prefill.")] = 512,
    batch: Annotated[int, typer.Option(help="Sequences computed together.")] = 1,
    context: Annotated[int | None, typer.Option(help="Tokens attended to.")] = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Run layers through a design; exits 1 if accumulators differ from a trace's golden ones."""
    spec = design(name, settings or ())
    if sum(source is not None for source in (trace, model, gemm)) > 1:
        raise ValueError("Workload must be one of --trace, --model and --gemm, not several")
    if model is not None:
        shapes = model_gemms(model, phase=phase, tokens=tokens, batch=batch, context=context)
        runs = _drawn(shapes, operands or "none", seed)
    elif gemm is not None:
        runs = _drawn((Gemm.parse(gemm),), operands or "normal:20", seed)
    elif operands is not None:
        raise ValueError("--operands must come with --gemm or --model: a trace has its own")
    else:
        runs = _traced(trace or example_path())
    results = _run_all(spec, runs, binding)
    (_print_json if json else _print_results)(spec.name, results)
    if any(result.golden is layers.Golden.DIFFERS for result in results):
        raise typer.Exit(1)


def _drawn(gemms: tuple[Gemm, ...], operands: str, seed: int) -> list[_Run]:
    drawn = None if operands == "none" else Distribution.parse(operands)
    return [
        partial(_run_gemm, gemm=gemm, operands=drawn, seed=seed + i) for i, gemm in enumerate(gemms)
    ]


def _run_gemm(
    spec: EngineSpec, binding: str, *, gemm: Gemm, operands: Distribution | None, seed: int
) -> LayerResult:
    return layers.run_gemm(spec, gemm, binding, operands=operands, seed=seed)


def _traced(path: Path) -> list[_Run]:
    return [partial(_run_layer, layer=layer) for layer in Trace.load(path).layers]


def _run_layer(spec: EngineSpec, binding: str, *, layer: Layer) -> LayerResult:
    return layers.run(spec, layer, binding)


def _run_all(spec: EngineSpec, runs: list[_Run], binding: str) -> list[LayerResult]:
    results = []
    with progress("simulate") as advance:
        for done, run in enumerate(runs, 1):
            results.append(run(spec, binding))
            advance(done, len(runs))
    return results


def _total_cycles(results: list[LayerResult]) -> int:
    return sum(result.cycles * result.calls for result in results)


def _print_json(name: str, results: list[LayerResult]) -> None:
    rows = [
        {
            "name": result.name,
            "m": result.m,
            "n": result.n,
            "k": result.k,
            "calls": result.calls,
            "binding": str(result.binding),
            "saved_cycles": result.saved_cycles,
            "cycles": result.cycles,
            "utilisation": result.utilisation,
            "overflow": result.overflow,
            "golden": str(result.golden),
            "wrong": result.wrong,
            "activity": result.activity.as_dict(),
        }
        for result in results
    ]
    print_json({"design": name, "total_cycles": _total_cycles(results), "layers": rows})


def _print_results(name: str, results: list[LayerResult]) -> None:
    is_repeated = any(result.calls > 1 for result in results)
    is_bound = any(
        result.saved_cycles or result.binding is not layers.Binding.X for result in results
    )
    columns: dict[str, Callable[[LayerResult], object]] = {
        "layer": lambda result: result.name,
        "m": lambda result: result.m,
        "n": lambda result: result.n,
        "k": lambda result: result.k,
        **({"calls": lambda result: result.calls} if is_repeated else {}),
        **({"binding": lambda result: result.binding} if is_bound else {}),
        **({"saved": lambda result: result.saved_cycles} if is_bound else {}),
        "cycles": lambda result: result.cycles,
        "utilisation": lambda result: f"{result.utilisation:.1%}",
        "overflow": lambda result: result.overflow,
        "golden": lambda result: str(result.golden),
    }
    rows = [[cell(result) for cell in columns.values()] for result in results]
    print_table(list(columns), rows)
    typer.echo(f"{name}: {_total_cycles(results)} cycles in total")

"""How verbs show what a design makes of layers."""

from collections.abc import Callable

import typer

from bitweight.cli.output import print_json, print_table
from bitweight.sim import LayerResult, layers


def _has_values(result: LayerResult) -> bool:
    # Sizes alone move no beats; what depends on values is then unknown, not zero.
    return bool(result.activity.beats)


def _overflow(result: LayerResult) -> int | None:
    return result.overflow if _has_values(result) else None


def _packing(result: LayerResult) -> dict[str, object]:
    if result.format is None:
        return {}
    return {"format": result.format.name, "bits_per_weight": result.bits_per_weight}


def _total_cycles(results: list[LayerResult]) -> int:
    return sum(result.cycles * result.calls for result in results)


_PACKING_COLUMNS: dict[str, Callable[[LayerResult], object]] = {
    "format": lambda result: "-" if result.format is None else result.format.name,
    "bits/weight": lambda result: (
        "-" if result.bits_per_weight is None else f"{result.bits_per_weight:.4g}"
    ),
}


def print_results_json(name: str, results: list[LayerResult]) -> None:
    """Print a design's layers and total as one JSON document."""
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
            "overflow": _overflow(result),
            "golden": str(result.golden),
            "wrong": result.wrong,
            **_packing(result),
            "activity": result.activity.as_dict() if _has_values(result) else None,
        }
        for result in results
    ]
    print_json({"design": name, "total_cycles": _total_cycles(results), "layers": rows})


def print_results(name: str, results: list[LayerResult]) -> None:
    """Print a design's layers as a table, and their total."""
    is_repeated = any(result.calls > 1 for result in results)
    is_bound = any(
        result.saved_cycles or result.binding is not layers.Binding.X for result in results
    )
    is_packed = any(result.format is not None for result in results)
    columns: dict[str, Callable[[LayerResult], object]] = {
        "layer": lambda result: result.name,
        "m": lambda result: result.m,
        "n": lambda result: result.n,
        "k": lambda result: result.k,
        **(_PACKING_COLUMNS if is_packed else {}),
        **({"calls": lambda result: result.calls} if is_repeated else {}),
        **({"binding": lambda result: result.binding} if is_bound else {}),
        **({"saved": lambda result: result.saved_cycles} if is_bound else {}),
        "cycles": lambda result: result.cycles,
        "utilisation": lambda result: f"{result.utilisation:.1%}",
        "overflow": lambda result: "-" if _overflow(result) is None else result.overflow,
        "golden": lambda result: str(result.golden),
    }
    rows = [[cell(result) for cell in columns.values()] for result in results]
    print_table(list(columns), rows)
    typer.echo(f"{name}: {_total_cycles(results)} cycles in total")

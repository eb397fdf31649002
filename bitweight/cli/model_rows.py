"""What ``cost --model`` prints: a whole model on one design by layer, or on many side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from bitweight.cli.output import print_json, print_table, progress
from bitweight.cost_models import estimate
from bitweight.cost_models.layer_time import LayerCost, estimated_energy
from bitweight.cost_models.measurements import Measurements
from bitweight.cost_models.model_cost import (
    ModelCost,
    ModelRun,
    compared_designs,
    least_energy,
    mac_structures,
    model_cost,
    name_with_format,
)
from bitweight.cost_models.system import DRAMS, System
from bitweight.reports.whole_models import COLUMNS, number, row
from bitweight.sim import design
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.phase import Phase
from bitweight.workloads.settings import nearest

_BY_LAYER = (
    *("phase", "layer", "m", "n", "k", "calls", "cycles"),
    *("array ms", "buffers ms", "DRAM ms", "limit", "energy mJ"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """What to run a model with, as the command line gives it.

    Attributes:
        model: The model's slug; None: no model is asked for.
        phase: One phase; None: both.
        tokens: Prompt length of a prefill.
        batch: Sequences computed together.
        context: Tokens attended to.
        dram: Name of a DRAM interface.
        seed: Seed of drawn activations.
    """

    model: str | None = None
    phase: Phase | None = None
    tokens: int | None = None
    batch: int | None = None
    context: int | None = None
    dram: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse sizes of no model."""
        for name in ("phase", "tokens", "batch", "context", "dram"):
            if self.model is None and getattr(self, name) is not None:
                raise ValueError(f"--{name} must come with --model")

    @property
    def runs(self) -> list[ModelRun]:
        """The steps of the model."""
        if self.model is None:
            raise ValueError("Model must be given")
        model = self.model
        sizes = {"tokens": self.tokens, "batch": self.batch, "context": self.context}
        given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
        phases = [*Phase] if self.phase is None else [self.phase]
        return [ModelRun(model=model, phase=phase, **given) for phase in phases]

    @property
    def system(self) -> System:
        """The memories around an engine."""
        if self.dram is None:
            return System()
        if self.dram not in DRAMS:
            raise ValueError(
                f"DRAM must be one of {', '.join(DRAMS)}, not {self.dram!r}"
                f"{nearest(self.dram, DRAMS)}"
            )
        return System(dram=DRAMS[self.dram])


def print_models(
    name: str | None,
    settings: Iterable[str],
    options: ModelOptions,
    *,
    measured: Measurements,
    clock_mhz: float,
    json: bool,
) -> None:
    """Print what a model costs on a design, or on all that whole models are compared on.

    Args:
        name: The design; None: those that are compared.
        settings: Fields of the design that differ.
        options: Model, sizes and memories.
        measured: Measured points of a technology.
        clock_mhz: Clock of engines and buffers.
        json: Print JSON.

    Raises:
        ValueError: If the model is unknown, or no design has a cost; where others have, those
            without are told below the table.
    """
    specs = compared_designs() if name is None else (design(name, settings),)
    found, refused = _costs(specs, options, measured, clock_mhz)
    if not found:
        raise ValueError(next(iter(refused.values())))
    if json:
        print_json(_document(found, refused, options, measured, clock_mhz))
        return
    where = f"{measured.technology} at {clock_mhz:g} MHz with {options.system.dram.name}"
    typer.echo(f"{options.model} in {where}")
    if name is None:
        print_table(COLUMNS, [row(cost) for cost in found])
    else:
        print_table(_BY_LAYER, [_by_layer(cost, one) for cost in found for one in cost.layers])
        for cost in found:
            typer.echo(_total(cost))
    for line in _notes(found, refused):
        typer.echo(line)


def _costs(
    specs: Sequence[DesignSpec], options: ModelOptions, measured: Measurements, clock_mhz: float
) -> tuple[list[ModelCost], dict[str, str]]:
    """Return costs by phase and design, and why some designs have none."""
    energy, runs, system = estimated_energy(measured, clock_mhz), options.runs, options.system
    for run in runs:
        _ = run.gemms  # an unknown model is refused once, not for each design
    refused: dict[str, str] = {}
    costs: list[ModelCost] = []

    def cost(spec: DesignSpec, run: ModelRun) -> ModelCost:
        estimate(spec, measured, clock_mhz=clock_mhz)  # refuses before layers are drawn
        return model_cost(
            spec,
            run,
            technology=measured.technology,
            clock_mhz=clock_mhz,
            system=system,
            array_energy=energy,
            seed=options.seed or 0,
        )

    with progress("cost") as advance:
        for done, (run, spec) in enumerate([(run, spec) for run in runs for spec in specs], 1):
            known: list[ModelCost] = []
            # A baseline is given the better structure of its MACs; a design asked for is as it is.
            for one in mac_structures(spec) if len(specs) > 1 else (spec,):
                try:
                    known.append(cost(one, run))
                except ValueError as error:
                    refused[name_with_format(one)] = str(error)
            if known:
                costs.append(least_energy(known))
            advance(done, len(runs) * len(specs))
    return costs, refused


def _by_layer(cost: ModelCost, layer: LayerCost) -> list[object]:
    times = (layer.array_us, layer.buffers_us, layer.dram_us)
    return [
        str(cost.run.phase),
        layer.name,
        *(layer.m, layer.n, layer.k, layer.calls, layer.counts.cycles),
        *(number(layer.calls * time / 1e3) for time in times),
        str(layer.limit),
        number(layer.calls * layer.energy_pj.total / 1e9),
    ]


def _total(cost: ModelCost) -> str:
    return (
        f"{cost.design}, {cost.run.phase}: {number(cost.time_us / 1e3)} ms, "
        f"{number(cost.energy_pj.total / 1e9)} mJ ({cost.energy_pj.provenance})"
    )


def _notes(found: Sequence[ModelCost], refused: dict[str, str]) -> list[str]:
    sources = dict.fromkeys(one.counts.source for cost in found for one in cost.layers)
    return [
        *(f"cycles: {source}" for source in sources),
        *(f"no cost: {name}: {reason}" for name, reason in refused.items()),
    ]


def _document(
    found: Sequence[ModelCost],
    refused: dict[str, str],
    options: ModelOptions,
    measured: Measurements,
    clock_mhz: float,
) -> dict[str, Any]:
    return {
        "model": options.model,
        "technology": measured.technology,
        "clock_mhz": clock_mhz,
        "dram": options.system.dram.name,
        "designs": [_as_dict(cost) for cost in found],
        "refused": [{"design": name, "reason": reason} for name, reason in refused.items()],
    }


def _as_dict(cost: ModelCost) -> dict[str, Any]:
    return {
        "design": cost.design,
        "format": cost.format,
        "phase": str(cost.run.phase),
        "linear_time_us": cost.linear_time_us,
        "linear_energy_pj": cost.linear_energy_pj.as_dict(),
        "limit": str(cost.limit),
        "time_us": cost.time_us,
        "energy_pj": cost.energy_pj.as_dict(),
        "left_out": list(cost.left_out),
        "layers": [
            {
                "name": layer.name,
                "m": layer.m,
                "n": layer.n,
                "k": layer.k,
                "calls": layer.calls,
                "cycles": layer.counts.cycles,
                "cycles_known_as": str(layer.counts.provenance),
                "array_us": layer.array_us,
                "buffers_us": layer.buffers_us,
                "dram_us": layer.dram_us,
                "dram_bytes": layer.traffic.dram_bytes,
                "limit": str(layer.limit),
                "energy_pj": layer.energy_pj.as_dict(),
            }
            for layer in cost.layers
        ],
    }

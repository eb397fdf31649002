"""Designs at their clocks: what each makes of a workload in a technology, clock by clock."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from bitweight.cost_models import Cost, Provenance, estimate
from bitweight.cost_models.composition import default_size
from bitweight.cost_models.cost import worst
from bitweight.cost_models.measurements import Measurements
from bitweight.sim import LayerResult
from bitweight.sim.catalog import address
from bitweight.sim.engine import Activity
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.workloads.settings import vary


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A design on all layers of a workload.

    Attributes:
        design: Name, as the user gave it.
        spec: The design.
        layers: What it made of each layer.
    """

    design: str
    spec: Any
    layers: tuple[LayerResult, ...]

    @property
    def cycles(self) -> int:
        """Engine cycles of all layers."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.m * layer.n * layer.k for layer in self.layers)

    @property
    def activity(self) -> Activity:
        """Event counts of all layers."""
        return sum((layer.activity for layer in self.layers), Activity())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """A run in a technology at a clock.

    Attributes:
        run: The design and what it computed.
        spec: The design in the structure that was taken.
        cost: What that costs.
    """

    run: Run
    spec: Any
    cost: Cost

    @property
    def area_um2(self) -> float:
        """Cells and memories."""
        return self.cost.area_um2.total + self.cost.memory_um2.total

    @property
    def cells_um2(self) -> float:
        """Cells alone."""
        return self.cost.area_um2.total

    @property
    def time_us(self) -> float:
        """Time of the engine, every input always there."""
        return self.run.cycles / self.cost.clock_mhz

    @property
    def energy_pj(self) -> float | None:
        """Energy of the engine; None where no gate-level run tells it."""
        return None if self.cost.energy_pj is None else self.cost.energy_pj.total

    @property
    def energy_pj_per_mac(self) -> float | None:
        """Energy of the engine per multiply-accumulate of the workload."""
        return None if self.energy_pj is None else self.energy_pj / self.run.macs

    @property
    def cells_pj_per_mac(self) -> float | None:
        """Energy of the cells alone per multiply-accumulate of the workload."""
        if self.cost.energy_pj is None:
            return None
        return math.fsum(self.cells_pj.values()) / self.run.macs

    @property
    def cells_pj(self) -> dict[str, float]:
        """Energy by component, memories left out; empty where no gate-level run tells it."""
        parts = {} if self.cost.energy_pj is None else self.cost.energy_pj.parts
        return {name: part for name, part in parts.items() if not name.startswith("memory ")}

    @property
    def gmacs_per_s(self) -> float:
        """Multiply-accumulates of the workload per nanosecond."""
        return self.run.macs / self.time_us * 1e-3

    @property
    def gmacs_per_s_mm2(self) -> float:
        """Throughput per area."""
        return self.gmacs_per_s / (self.area_um2 * 1e-6)

    @property
    def provenance(self) -> Provenance:
        """How area and energy are known: the worst of them."""
        return worst([self.area_provenance, self.energy_provenance or Provenance.MEASURED])

    @property
    def area_provenance(self) -> Provenance:
        """How the area is known."""
        figures = [figure for figure in (self.cost.area_um2, self.cost.memory_um2) if figure.parts]
        return worst(figure.provenance for figure in figures)

    @property
    def energy_provenance(self) -> Provenance | None:
        """How the energy is known."""
        return None if self.cost.energy_pj is None else self.cost.energy_pj.provenance


def operate(run: Run, data: Measurements) -> list[Operating]:
    """Return a run at every clock that a netlist of the design was made for, slowest first.

    Raises:
        ValueError: If the data say nothing of the design.
    """
    clocks = clocks_mhz(run.spec, data)
    if not clocks:
        raise ValueError(
            f"{data.technology} must hold netlists of {run.design}, and has none; "
            "`bitweight characterise` makes them"
        )
    return [at_clock(run, data, clock_mhz) for clock_mhz in clocks]


def at_clock(run: Run, data: Measurements, clock_mhz: float) -> Operating:
    """Return a run at a clock: in the structure that is smallest there.

    Raises:
        ValueError: If the design does not reach it.
    """
    able = [
        spec for spec in structures(run.spec) if clock_mhz <= max(_clocks(spec, data), default=0)
    ]
    if not able:
        estimate(run.spec, data, clock_mhz=clock_mhz)  # says why not
    costs = [(spec, _cost(spec, run, data, clock_mhz)) for spec in able]
    spec, cost = min(costs, key=lambda known: known[1].area_um2.total)
    return Operating(run=run, spec=spec, cost=cost)


def _cost(spec: Any, run: Run, data: Measurements, clock_mhz: float) -> Cost:
    activity = run.activity if has_energy(spec, data) else None
    return estimate(spec, data, clock_mhz=clock_mhz, activity=activity)


def has_energy(spec: Any, data: Measurements) -> bool:
    """Tell whether a gate-level run of a design is there, at its size or the default one."""
    own = {address(spec), address(default_size(spec))}
    return any((point.design, point.settings) in own for point in data.energies)


def clocks_mhz(spec: Any, data: Measurements) -> list[float]:
    """Return the fastest clock of each netlist of a design, a little below it, slowest first."""
    return sorted({clock for one in structures(spec) for clock in _clocks(one, data)})


def _clocks(spec: Any, data: Measurements) -> set[float]:
    own = {address(spec), address(default_size(spec))}
    return {
        math.floor(1e4 / point.delay_ns) / 10
        for point in data.netlists
        if (point.design, point.settings) in own
    }


def structures(spec: Any) -> list[Any]:
    """Return a design in all the ways that its arithmetic can be built: same cycles, same bits.

    A baseline gets the better one at each clock, as the synthesis of its opponent does.
    """
    inner = structure_field(spec.pe)
    return [vary(spec, [f"pe.{inner}={one.value}"]) for one in MacStructure] if inner else [spec]


@singledispatch
def structure_field(pe: Any) -> str:
    """Return the field of a PE that chooses how it is built, if it has one."""
    return ""


@structure_field.register
def _(pe: MacSpec) -> str:
    return "structure"


def best(points: Iterable[Operating]) -> Operating:
    """Return the clock of the greatest throughput per area; the slowest of equals."""
    return max(points, key=lambda one: (one.gmacs_per_s_mm2, -one.cost.clock_mhz))


def equal_clock(one: Sequence[Operating], other: Sequence[Operating]) -> float:
    """Return the clock to compare two designs at: the best of the second, if the first meets it.

    Else the fastest of the first.
    """
    return min(best(other).cost.clock_mhz, max(point.cost.clock_mhz for point in one))

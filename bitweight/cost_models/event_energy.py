"""Energy per event, from gate-level runs: what a clock costs, and what a busy slot adds.

The runs of a netlist differ in how busy it is; one of them idles. For each component the two
energies that are not negative and explain all runs best are taken (least squares, per clock).
Accesses of memories are split in the same way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitweight.cost_models.composition import component
from bitweight.cost_models.least_squares import solve_nonnegative
from bitweight.cost_models.measurements import EnergyPoint, MemoryUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A quantity of every clock, and of every busy slot on top.

    Attributes:
        clock: Per clock.
        slot: Per busy digit slot.
    """

    clock: float
    slot: float

    def over(self, clocks: float, busy_slots: float) -> float:
        """Return the quantity of an activity."""
        return self.clock * clocks + self.slot * busy_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEnergies:
    """What the runs of one netlist tell.

    Attributes:
        energies_pj: By component, without leakage.
        reads: Reads of memories by words and width, all copies together.
        writes: Writes likewise.
        slots_per_clock: Digit slots of a clock.
        streams: What ran.
    """

    energies_pj: Mapping[str, Rate]
    reads: Mapping[tuple[int, int], Rate]
    writes: Mapping[tuple[int, int], Rate]
    slots_per_clock: float
    streams: tuple[str, ...]


def event_energies(top: str, runs: Sequence[EnergyPoint]) -> EventEnergies:
    """Split the energies of one netlist's runs into events.

    Args:
        top: Name of the netlist's top module.
        runs: At least two, of different busyness.

    Raises:
        ValueError: If the runs cannot tell clocks from busy slots.
    """
    if len({run.busy_slots / run.clocks for run in runs}) < 2:
        raise ValueError(f"Runs of {top} must include an idle one and a busy one")
    energies = [_by_component(top, run) for run in runs]
    sizes = {(use.words, use.width) for run in runs for use in run.memories}
    slots = sum(run.busy_slots + run.idle_slots for run in runs)
    return EventEnergies(
        energies_pj={
            name: _rate(runs, [energy[name] for energy in energies])
            for name in dict.fromkeys(name for energy in energies for name in energy)
        },
        reads=_uses(runs, sizes, lambda use: use.reads),
        writes=_uses(runs, sizes, lambda use: use.writes),
        slots_per_clock=slots / sum(run.clocks for run in runs),
        streams=tuple(run.stream for run in runs),
    )


def _by_component(top: str, run: EnergyPoint) -> dict[str, float]:
    energies: dict[str, float] = {}
    for block in run.blocks:
        name = component(top, block.module)
        spent = block.switching_pj + block.internal_pj + block.clock_pj
        energies[name] = energies.get(name, 0.0) + spent
    return energies


def _rate(runs: Sequence[EnergyPoint], totals: Sequence[float]) -> Rate:
    clocks = np.array([run.clocks for run in runs], dtype=float)
    busy = np.array([run.busy_slots for run in runs], dtype=float) / clocks
    matrix = np.stack([np.ones(len(runs)), busy], axis=1)
    (clock, slot), _ = solve_nonnegative(matrix, np.array(totals, dtype=float) / clocks)
    return Rate(clock=float(clock), slot=float(slot))


def _uses(
    runs: Sequence[EnergyPoint],
    sizes: set[tuple[int, int]],
    count: Callable[[MemoryUse], int],
) -> dict[tuple[int, int], Rate]:
    return {
        size: _rate(
            runs,
            [
                sum(count(use) for use in run.memories if (use.words, use.width) == size)
                for run in runs
            ],
        )
        for size in sorted(sizes)
    }

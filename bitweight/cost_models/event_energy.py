"""Energy per event, from gate-level runs: what a clock costs, and what a busy slot adds.

A run that idles gives the energy of a clock, the others that of a busy slot on top; between idle
and busy a component is taken as linear. What a slot adds may be negative: flip-flops of some
libraries take less from the clock while they hold a one. Accesses of memories are split likewise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bitweight.cost_models.composition import component
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
        runs: At least one that idles and one that does not.

    Raises:
        ValueError: If the runs cannot tell clocks from busy slots.
    """
    if len({run.busy_slots > 0 for run in runs}) < 2:
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
    idle = [i for i, run in enumerate(runs) if not run.busy_slots]
    busy = [i for i, run in enumerate(runs) if run.busy_slots]
    clock = sum(totals[i] for i in idle) / sum(runs[i].clocks for i in idle)
    extra = sum(totals[i] - clock * runs[i].clocks for i in busy)
    return Rate(clock=clock, slot=extra / sum(runs[i].busy_slots for i in busy))


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

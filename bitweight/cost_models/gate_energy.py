"""Energy of a gate-level run, by module: switching, internal, and clock pins.

Switching energy is C V^2 / 2 for each move of a net, C being the capacitances of the pins on it.
Internal energy comes from Liberty's tables, at each cell's own load and at a slew that is carried
through the netlist once: each output takes the mean transition time of its arcs, both edges, and
the clock and the inputs have the smallest slew that the library was measured at.

Not contained: wires, the clock tree (clock pins are), glitches, since the simulator knows no
delays, and leakage, which is a netlist's. Moves of the top module's inputs count as the top's:
somebody must drive these pins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.gate_run import Circuit, Run
from bitweight.cost_models.liberty import Cell, Library, Table
from bitweight.cost_models.measurements import BlockEnergy, MemoryUse
from bitweight.cost_models.netlist import CellGroup, Netlist, levels

_PJ_PER_FJ = 1e-3
_MOVES_OF_CLOCK = 2


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What cells of a netlist see.

    Attributes:
        loads_ff: By net, the pins on it.
        slews_ns: By net.
    """

    loads_ff: NDArray[np.float64]
    slews_ns: NDArray[np.float64]


def circuit(netlist: Netlist, library: Library, *, clock: str = "clk") -> Circuit:
    """Return a netlist ready to run, with the energies of its cells where they stand."""
    seen = conditions(netlist, library)
    energies = [_group_energies(group, seen) for group in netlist.groups]
    return Circuit(netlist=netlist, clock=clock, energies_pj=energies)


def block_energies(netlist: Netlist, run: Run, library: Library) -> tuple[BlockEnergy, ...]:
    """Return the energy of a run by module, in the netlist's order of modules."""
    seen = conditions(netlist, library)
    half_v2 = library.voltage_v**2 / 2 * _PJ_PER_FJ
    net_pj = run.toggles * seen.loads_ff * half_v2
    count = len(netlist.modules)
    switching, internal, clock = np.zeros(count), np.zeros(count), np.zeros(count)
    for group, spent, clocked in zip(netlist.groups, run.internal_pj, run.clock_pj, strict=True):
        driven = net_pj[group.outputs].sum(axis=1)
        switching += np.bincount(group.modules, driven, count)
        internal += np.bincount(group.modules, spent, count)
        if group.cell.flip_flop is not None:
            pin_ff = group.cell.capacitances_ff[group.cell.flip_flop.clock]
            pins = _MOVES_OF_CLOCK * run.clocks * pin_ff * half_v2
            clock += np.bincount(group.modules, clocked + pins, count)
    for memory in netlist.memories:
        switching[memory.module] += net_pj[memory.read_data].sum()
    for nets in netlist.inputs.values():
        switching[0] += net_pj[nets].sum()
    return tuple(
        BlockEnergy(module=name, switching_pj=one, internal_pj=two, clock_pj=three)
        for name, one, two, three in zip(
            netlist.modules, switching.tolist(), internal.tolist(), clock.tolist(), strict=True
        )
    )


def memory_uses(netlist: Netlist, run: Run) -> tuple[MemoryUse, ...]:
    """Return the accesses of memories of each size, all copies together."""
    uses: dict[tuple[int, int], NDArray[np.int64]] = {}
    for memory, counted in zip(netlist.memories, run.uses, strict=True):
        size = (memory.words, memory.width)
        uses[size] = uses.get(size, np.zeros(2, np.int64)) + counted
    return tuple(
        MemoryUse(words=words, width=width, reads=int(reads), writes=int(writes))
        for (words, width), (reads, writes) in uses.items()
    )


def conditions(netlist: Netlist, library: Library) -> Conditions:
    """Return loads and slews of all nets; clock pins load the clock alone, which is apart."""
    loads = np.zeros(netlist.nets)
    for group in netlist.groups:
        pins = np.array([group.cell.capacitances_ff[pin] for pin in group.cell.inputs])
        np.add.at(loads, group.inputs, np.broadcast_to(pins, group.inputs.shape))
    loads[:2] = 0.0
    smallest = min(
        (table.slews_ns[0] for group in netlist.groups for table in _slew_tables(group.cell)),
        default=0.0,
    )
    slews = np.full(netlist.nets, smallest)
    _carry_slews(netlist, loads, slews)
    return Conditions(loads, slews)


def _slew_tables(cell: Cell) -> Iterator[Table]:
    for arc in cell.arcs:
        yield from (table for table in arc.transitions if len(table.slews_ns) > 1)


def _carry_slews(netlist: Netlist, loads: NDArray[np.float64], slews: NDArray[np.float64]) -> None:
    """Give every net the slew of its driver, flip-flops first, then gates level by level."""
    flops = [group for group in netlist.groups if group.cell.flip_flop is not None]
    gates = [group for group in netlist.groups if group.cell.flip_flop is None]
    for group in flops:
        _put_slews(group, np.arange(len(group.modules)), loads, slews)
    found = levels(gates, netlist.nets)
    deepest = max((int(part.max()) for part in found), default=-1)
    for level in range(deepest + 1):
        for group, part in zip(gates, found, strict=True):
            rows = np.flatnonzero(part == level)
            if len(rows):
                _put_slews(group, rows, loads, slews)


def _put_slews(
    group: CellGroup,
    rows: NDArray[np.int64],
    loads: NDArray[np.float64],
    slews: NDArray[np.float64],
) -> None:
    for place, pin in enumerate(group.cell.outputs):
        nets = group.outputs[rows, place]
        found = [
            table.at(slews_at(group, arc.related, rows, slews), loads[nets])
            for arc in group.cell.arcs
            if arc.pin == pin
            for table in arc.transitions
        ]
        if found:
            slews[nets] = np.mean(found, axis=0)


def slews_at(
    group: CellGroup, pin: str, rows: NDArray[np.int64], slews: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the slews at an input; a clock's is that of an ideal one."""
    if pin not in group.cell.inputs:
        nets = group.clocks[rows]
    else:
        nets = group.inputs[rows, group.cell.inputs.index(pin)]
    found: NDArray[np.float64] = slews[nets]
    return found


def _group_energies(group: CellGroup, seen: Conditions) -> NDArray[np.float64]:
    """Return the energy of each cell's groups, rise and fall, shape (cells, 2 x groups)."""
    rows = np.arange(len(group.modules))
    energies = np.zeros((len(rows), 2 * len(group.cell.powers)))
    outputs = list(group.cell.outputs)
    for number, power in enumerate(group.cell.powers):
        if power.pin in outputs:
            loads = seen.loads_ff[group.outputs[rows, outputs.index(power.pin)]]
            causes = [slews_at(group, pin, rows, seen.slews_ns) for pin in power.related]
            slews = np.mean(causes, axis=0)
        else:
            loads = np.zeros(len(rows))
            slews = slews_at(group, power.pin, rows, seen.slews_ns)
        for edge, tables in enumerate((power.rise, power.fall)):
            energies[:, 2 * number + edge] = sum(table.at(slews, loads) for table in tables)
    return energies

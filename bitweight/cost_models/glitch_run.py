"""Gate-level runs with the cells' delays: what nets do before they settle.

Each clock starts with the flip-flops' outputs, one clock-to-output delay after the edge, and goes
on event by event until nothing moves. A cell's output follows its inputs after the delay that
Liberty gives for the input that moved, at the cell's own load and slew. Delays are inertial: a
change that is revoked before it shows never shows, so pulses shorter than a delay do not count.
The clock is as slow as need be; inputs from outside move at the edge.

Energies are those of ``gate_energy``, counted where a net moves; wires have no delay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bitweight.cost_models.gate_energy import Conditions, conditions, slews_at
from bitweight.cost_models.gate_kernel import (
    Counts,
    Flops,
    Int,
    Machine,
    State,
    Streams,
    drive,
    finish,
    mixed,
    put,
    recall,
    sample,
    settle,
)
from bitweight.cost_models.gate_run import Bits, Circuit, Run
from bitweight.cost_models.liberty import Library
from bitweight.cost_models.netlist import CellGroup


class Delays(NamedTuple):
    """Delays in ns: of gates by input, rise and fall, then of flip-flops from the clock.

    ``start`` is where a net's readers begin in ``reader`` (gates) and ``place`` (their inputs).
    """

    gate: NDArray[np.float64]
    flop: NDArray[np.float64]
    start: NDArray[np.int64]
    reader: NDArray[np.int32]
    place: NDArray[np.int32]


class Pending(NamedTuple):
    """Changes that are due, one for each gate at most: its number, and the mix that it takes."""

    version: NDArray[np.int64]
    mix: NDArray[np.int64]


class Fabric(NamedTuple):
    """All that an event may touch."""

    machine: Machine
    delays: Delays
    state: State
    counts: Counts
    pending: Pending


@dataclass(frozen=True, slots=True, eq=False)
class GlitchCircuit:
    """A circuit without memories, with the delays of its cells."""

    circuit: Circuit
    delays: Delays

    def run(self, *, clocks: int, waves: Mapping[str, Bits], probe: Sequence[str] = ()) -> Run:
        """Run on from where the circuit stands; as ``Circuit.run`` does, but with delays."""
        streams, state, counts = self.circuit.prepare(clocks, waves, probe)
        ran = simulate_delays(self.circuit.machine, self.delays, streams, state, counts)
        return self.circuit.result(ran, state, counts)


def with_delays(circuit: Circuit, library: Library) -> GlitchCircuit:
    """Return a circuit with delays.

    Raises:
        ValueError: If it has memories, or a gate with several outputs.
    """
    netlist, gates = circuit.netlist, circuit.machine.gates
    if netlist.memories:
        raise ValueError("A run with delays must be of a netlist without memories")
    if (np.diff(gates.out_start) != 1).any():
        raise ValueError("A run with delays must be of gates with one output each")
    seen = conditions(netlist, library)
    by_gate = _stacked([g for g in netlist.groups if g.cell.flip_flop is None], seen)
    flops = [_flop_delays(g, seen) for g in netlist.groups if g.cell.flip_flop is not None]
    readers = np.repeat(np.arange(len(gates.kind)), np.diff(gates.in_start))
    places = np.arange(len(gates.in_net)) - gates.in_start[readers]
    order = np.argsort(gates.in_net, kind="stable")
    starts = np.searchsorted(gates.in_net[order], np.arange(netlist.nets + 1))
    delays = Delays(
        gate=by_gate[circuit.order],
        flop=np.concatenate(flops) if flops else np.zeros((0, 2)),
        start=starts.astype(np.int64),
        reader=readers[order].astype(np.int32),
        place=places[order].astype(np.int32),
    )
    return GlitchCircuit(circuit, delays)


def _stacked(groups: Sequence[CellGroup], seen: Conditions) -> NDArray[np.float64]:
    """Return delays of all gates, shape (gates, most inputs, rise and fall)."""
    widest = max((group.inputs.shape[1] for group in groups), default=0)
    rows = sum(len(group.modules) for group in groups)
    stacked = np.zeros((rows, widest, 2))
    first = 0
    for group in groups:
        (output,) = group.cell.outputs
        for place, pin in enumerate(group.cell.inputs):
            found = _arc_delays(group, output, 0, pin, seen)
            stacked[first : first + len(group.modules), place] = found
        first += len(group.modules)
    return stacked


def _flop_delays(group: CellGroup, seen: Conditions) -> NDArray[np.float64]:
    """Return the mean delay of a flip-flop's outputs from its clock."""
    if group.cell.flip_flop is None:
        raise AssertionError("gates have no clock")
    clock = group.cell.flip_flop.clock
    found = [
        _arc_delays(group, pin, place, clock, seen) for place, pin in enumerate(group.cell.outputs)
    ]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _arc_delays(
    group: CellGroup, pin: str, place: int, related: str, seen: Conditions
) -> NDArray[np.float64]:
    """Return rise and fall delays, shape (cells, 2): the mean over conditions."""
    rows = np.arange(len(group.modules))
    loads = seen.loads_ff[group.outputs[:, place]]
    slews = slews_at(group, related, rows, seen.slews_ns)
    delays = np.zeros((len(rows), 2))
    arcs = [arc for arc in group.cell.arcs if (arc.pin, arc.related) == (pin, related)]
    for edge, name in enumerate(("rise_delays", "fall_delays")):
        tables = [table for arc in arcs for table in getattr(arc, name)]
        if tables:
            delays[:, edge] = np.mean([table.at(slews, loads) for table in tables], axis=0)
    return np.maximum(delays, 0.0)


@njit(cache=True)
def simulate_delays(
    machine: Machine, delays: Delays, streams: Streams, state: State, counts: Counts
) -> Int:
    """Run for as many clocks as ``probed`` has rows; return what ``gate_kernel.simulate`` does."""
    gates, flops, _, mixes = machine
    clocks = counts.probed.shape[0]
    pending = Pending(np.zeros(len(gates.kind), np.int64), np.full(len(gates.kind), -1, np.int64))
    fabric = Fabric(machine, delays, state, counts, pending)
    drive(streams, state, counts, 0)
    settle(gates, mixes, state, counts)
    recall(flops, state)
    for clock in range(clocks):
        for place, net in enumerate(streams.probe):
            counts.probed[clock, place] = state.value[net]
        bad = sample(flops, mixes, state, counts)
        if bad >= 0:
            return -1 - bad
        heap = start(flops, delays, streams, state, clock + 1)
        while len(heap) > 0:
            happen(fabric, heap)
        finish(flops, mixes, state, counts)
    return clocks


@njit(cache=True)
def happen(fabric: Fabric, heap: Any) -> None:
    """Let the next event happen, unless it was revoked."""
    gates, state, pending = fabric.machine.gates, fabric.state, fabric.pending
    time, net, value, version = heappop(heap)
    if version >= 0:
        gate = net
        if version != pending.version[gate]:
            return
        begin = gates.energy_start[gate]
        fabric.counts.gate_pj[gate] += mixed(fabric.machine.mixes, pending.mix[gate], begin)
        pending.mix[gate] = -1
        net = np.int64(gates.out_net[gates.out_start[gate]])
    if state.value[net] != value:
        put(state, fabric.counts, net, value)
        spread(fabric, heap, time, net, value)


@njit(cache=True)
def start(flops: Flops, delays: Delays, streams: Streams, state: State, clock: Int) -> Any:
    """Return the moves that an edge causes by itself: (time, net, value, -1)."""
    heap = [(0.0, np.int64(0), np.int64(0), np.int64(-1))]
    heap.clear()
    for flop in range(len(flops.kind)):
        outputs = flops.output[2 * flops.kind[flop] + state.flop_next[flop]]
        for place in range(flops.out_start[flop], flops.out_start[flop + 1]):
            net, value = flops.out_net[place], np.int64(outputs & 1)
            if state.value[net] != value:
                time = delays.flop[flop, 1 - value]
                heappush(heap, (time, np.int64(net), value, np.int64(-1)))
            outputs >>= 1
    if clock < len(streams.waves):
        for place, net in enumerate(streams.wave_net):
            value = np.int64(streams.waves[clock, place])
            heappush(heap, (0.0, np.int64(net), value, np.int64(-1)))
    return heap


@njit(cache=True)
def spread(fabric: Fabric, heap: Any, time: Any, net: Int, value: Int) -> None:
    """Tell the gates behind a net that it has moved."""
    (gates, _, _, mixes), delays, state, counts, pending = fabric
    for at in range(delays.start[net], delays.start[net + 1]):
        gate, place = delays.reader[at], delays.place[at]
        old = state.gate_state[gate]
        new = (old & ~(1 << place)) | (value << place)
        if new == old:
            continue
        state.gate_state[gate] = new
        kind = gates.kind[gate]
        width = gates.in_start[gate + 1] - gates.in_start[gate]
        mix = gates.change[gates.change_start[kind] + (old << width) + new]
        was = gates.table[gates.table_start[kind] + old] & 1
        wanted = gates.table[gates.table_start[kind] + new] & 1
        if was == wanted:
            counts.gate_pj[gate] += mixed(mixes, mix, gates.energy_start[gate])
            continue
        pending.version[gate] += 1
        if pending.mix[gate] >= 0:
            # Revoked before it showed: neither this change nor that one moves the output.
            pending.mix[gate] = -1
            continue
        pending.mix[gate] = mix
        due = time + delays.gate[gate, place, 1 - wanted]
        heappush(heap, (due, np.int64(gate), np.int64(wanted), pending.version[gate]))

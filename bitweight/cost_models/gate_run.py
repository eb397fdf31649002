"""Gate-level runs of a netlist: what comes out, how often each net moves, what cells spend inside.

A ``Circuit`` is a netlist made ready for the compiled simulator, with the energy of every group of
every cell at its own load. ``Circuit.run`` plays streams or waves into it, from where the last run
ended: first a reset, then what is to be measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.cell_events import (
    FlopEvents,
    GateEvents,
    flop_events,
    gate_events,
)
from bitweight.cost_models.gate_kernel import (
    Counts,
    Flops,
    Gates,
    Machine,
    Memories,
    Mixes,
    State,
    Streams,
    simulate,
)
from bitweight.cost_models.netlist import CellGroup, MemoryCell, Netlist, Nets, levels

Bits = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """An input stream: ``beats``, shape (beats, payload bits), least bit first."""

    port: str
    beats: Bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What a run gave.

    Attributes:
        clocks: Clocks of the run.
        cycles: Edges from the one that took the first source's beat to the sink's last.
        sent: Beats taken of each source.
        taken: Beats that came out, shape (beats, payload bits).
        probed: Value of the probed nets before each edge, shape (clocks, nets).
        toggles: Moves of each net.
        uses: Reads and writes of each memory, shape (memories, 2).
        internal_pj: Internal energy by cell group, shape (cells,) each; clock pins apart.
        clock_pj: Internal energy of clock pins by cell group; empty for combinational cells.
    """

    clocks: int
    cycles: int
    sent: tuple[int, ...]
    taken: Bits
    probed: Bits
    toggles: NDArray[np.int64]
    uses: NDArray[np.int64]
    internal_pj: tuple[NDArray[np.float64], ...]
    clock_pj: tuple[NDArray[np.float64], ...]


@dataclass(slots=True, eq=False)
class Circuit:
    """A netlist that can be run; it keeps its state from run to run.

    Attributes:
        netlist: What it is made of.
        clock: Input that all flip-flops and memories are clocked by.
        energies_pj: By cell group, energy of each cell's groups, shape (cells, 2 x groups).
        machine: The arrays of the compiled simulator.
        order: Gates in its order of evaluation, counted through the cell groups.
    """

    netlist: Netlist
    clock: str
    energies_pj: Sequence[NDArray[np.float64]]
    machine: Machine = field(init=False)
    _state: State = field(init=False)
    order: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a second clock, and put gates in order."""
        _check_clock(self.netlist, self.clock)
        gates = [group for group in self.netlist.groups if group.cell.flip_flop is None]
        flops = [group for group in self.netlist.groups if group.cell.flip_flop is not None]
        begins, energies = _energy_rows(self.netlist.groups, self.energies_pj)
        tables = _Tables()
        ordered, self.order = _gates(
            gates, self.netlist.nets, tables, [begins[group] for group in gates]
        )
        clocked = _flops(flops, tables, [begins[group] for group in flops])
        memories, words, reads = _memories(self.netlist.memories)
        self.machine = Machine(ordered, clocked, memories, tables.mixes(energies))
        value = np.zeros(self.netlist.nets, np.uint8)
        value[1] = 1
        for group in flops:
            shown = int(flop_events(group.cell).outputs[0])
            for place in range(len(group.cell.outputs)):
                value[group.outputs[:, place]] = shown >> place & 1
        self._state = State(
            value=value,
            gate_state=np.full(len(self.machine.gates.kind), -1, np.int32),
            flop_state=np.zeros(len(self.machine.flops.kind), np.int32),
            flop_next=np.zeros(len(self.machine.flops.kind), np.uint8),
            word=words,
            read=np.zeros(reads, np.uint8),
            sent=np.zeros(0, np.int64),
        )

    def run(
        self,
        *,
        clocks: int,
        sources: Sequence[Source] = (),
        sink: tuple[str, int] | None = None,
        waves: Mapping[str, Bits] | None = None,
        probe: Sequence[str] = (),
    ) -> Run:
        """Run on.

        Args:
            clocks: Clocks to run, or to wait for the sink's last beat at most.
            sources: Input streams, each always willing.
            sink: Output stream and how many beats of it are due.
            waves: By input, its bits in every clock, shape (clocks, bits).
            probe: Outputs to note.

        Raises:
            ValueError: If a flip-flop's clear or preset is active.
        """
        streams = self._streams(sources, sink, waves or {}, probe)
        state = self._state._replace(sent=np.zeros(len(sources), np.int64))
        counts = self._counts(streams, clocks, 0 if sink is None else sink[1])
        ran = simulate(self.machine, streams, state, counts)
        return self.result(ran, state, counts)

    def _streams(
        self,
        sources: Sequence[Source],
        sink: tuple[str, int] | None,
        waves: Mapping[str, Bits],
        probe: Sequence[str],
    ) -> Streams:
        inputs, outputs = self.netlist.inputs, self.netlist.outputs
        payloads = [inputs[f"{source.port}__payload"] for source in sources]
        if sink is not None and f"{sink[0]}__ready" in inputs:
            net = inputs[f"{sink[0]}__ready"]
            self._state.value[net] = 1
        return Streams(
            valid=_nets([inputs[f"{source.port}__valid"] for source in sources]),
            ready=_nets([outputs[f"{source.port}__ready"] for source in sources]),
            payload_start=_starts(payloads),
            payload_net=_nets(payloads),
            beat_start=_starts([source.beats.reshape(-1) for source in sources]),
            beats=_joined([source.beats.reshape(-1) for source in sources], np.uint8),
            sink_valid=-1 if sink is None else int(outputs[f"{sink[0]}__valid"][0]),
            sink_net=_nets([] if sink is None else [outputs[f"{sink[0]}__payload"]]),
            wave_net=_nets([inputs[port] for port in waves]),
            waves=np.ascontiguousarray(np.hstack([*waves.values()]))
            if waves
            else np.zeros((0, 0), np.uint8),
            probe=_nets([outputs[port] for port in probe]),
        )

    def _counts(self, streams: Streams, clocks: int, due: int) -> Counts:
        return Counts(
            toggles=np.zeros(self.netlist.nets, np.int64),
            gate_pj=np.zeros(len(self.machine.gates.kind)),
            flop_pj=np.zeros(len(self.machine.flops.kind)),
            clock_pj=np.zeros(len(self.machine.flops.kind)),
            taken=np.zeros((due, len(streams.sink_net)), np.uint8),
            probed=np.zeros((clocks, len(streams.probe)), np.uint8),
            edges=np.zeros(2, np.int64),
            uses=np.zeros((len(self.netlist.memories), 2), np.int64),
        )

    def prepare(
        self, clocks: int, waves: Mapping[str, Bits], probe: Sequence[str]
    ) -> tuple[Streams, State, Counts]:
        """Return what a run without streams begins with."""
        streams = self._streams((), None, waves, probe)
        return streams, self._state, self._counts(streams, clocks, 0)

    def result(self, ran: int, state: State, counts: Counts) -> Run:
        """Return what a run gave.

        Raises:
            ValueError: If it ended because a clear or preset was active.
        """
        if ran < 0:
            raise ValueError(f"Clear or preset of flip-flop {-1 - ran} must never be active")
        by_gate = np.zeros(len(counts.gate_pj))
        by_gate[self.order] = counts.gate_pj
        gates, flops = (
            iter(_split(by_gate, self.netlist, False)),
            iter(_split(counts.flop_pj, self.netlist, True)),
        )
        clocks = iter(_split(counts.clock_pj, self.netlist, True))
        none = np.zeros(0)
        is_flop = [group.cell.flip_flop is not None for group in self.netlist.groups]
        first, last = counts.edges.tolist()
        return Run(
            clocks=ran,
            cycles=last - first + 1 if first and last else 0,
            sent=tuple(state.sent.tolist()),
            taken=counts.taken,
            probed=counts.probed[:ran],
            toggles=counts.toggles,
            uses=counts.uses,
            internal_pj=tuple(next(flops) if flop else next(gates) for flop in is_flop),
            clock_pj=tuple(next(clocks) if flop else none for flop in is_flop),
        )


def _split(values: NDArray[np.float64], netlist: Netlist, flops: bool) -> list[NDArray[np.float64]]:
    """Return values of all gates, or of all flip-flops, by cell group."""
    sizes = [
        len(group.modules)
        for group in netlist.groups
        if (group.cell.flip_flop is not None) == flops
    ]
    return np.split(values, np.cumsum(sizes)[:-1]) if sizes else []


def _check_clock(netlist: Netlist, clock: str) -> None:
    (net,) = netlist.inputs[clock].tolist() if clock in netlist.inputs else (-1,)
    for group in netlist.groups:
        if (group.clocks != net).any():
            raise ValueError(f"Every {group.cell.name} must be clocked by the input {clock}")
    if any(memory.clock != net for memory in netlist.memories):
        raise ValueError(f"Every memory must be clocked by the input {clock}")


class _Tables:
    """Mixes of all kinds, one after the other."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.float64]] = []

    def add(self, rows: NDArray[np.float64]) -> int:
        """Add a kind's mixes; return the number of its first."""
        first = len(self.rows)
        self.rows += list(rows)
        return first

    def mixes(self, energies_pj: NDArray[np.float64]) -> Mixes:
        """Return all mixes, of these energies."""
        which = [np.flatnonzero(row).astype(np.int32) for row in self.rows]
        return Mixes(
            start=_starts(which).astype(np.int32),
            which=_joined(which, np.int32),
            weight=_joined([row[row != 0] for row in self.rows], np.float64),
            energy=energies_pj,
        )


def _energy_rows(
    groups: Sequence[CellGroup], energies_pj: Sequence[NDArray[np.float64]]
) -> tuple[dict[CellGroup, NDArray[np.int64]], NDArray[np.float64]]:
    """Return where each cell's energies begin, and all energies.

    Cells of one kind with the same loads share theirs: all copies of a PE do, and what is read all
    the time stays near the processor.
    """
    begins: dict[CellGroup, NDArray[np.int64]] = {}
    parts: list[NDArray[np.float64]] = []
    at = 0
    for group, energies in zip(groups, energies_pj, strict=True):
        rows, numbers = np.unique(energies, axis=0, return_inverse=True)
        begins[group] = at + energies.shape[1] * numbers.reshape(-1).astype(np.int64)
        parts.append(rows.reshape(-1))
        at += rows.size
    return begins, _joined(parts, np.float64)


def _gates(
    groups: Sequence[CellGroup], nets: int, tables: _Tables, begins: Sequence[NDArray[np.int64]]
) -> tuple[Gates, NDArray[np.int64]]:
    """Return gates in the order of evaluation, and that order."""
    events: list[GateEvents] = [gate_events(group.cell) for group in groups]
    firsts = [tables.add(event.mixes.rows) for event in events]
    order = np.argsort(_joined(levels(groups, nets), np.int64), kind="stable")
    in_start, in_net = _rows([group.inputs for group in groups], order)
    out_start, out_net = _rows([group.outputs for group in groups], order)
    gates = Gates(
        kind=_kinds(groups)[order],
        in_start=in_start,
        in_net=in_net,
        out_start=out_start,
        out_net=out_net,
        energy_start=_joined(begins, np.int64)[order],
        table_start=_starts([event.outputs for event in events]),
        table=_joined([event.outputs for event in events], np.uint8),
        change_start=_starts([event.changes for event in events]),
        change=_joined(
            [event.changes + first for event, first in zip(events, firsts, strict=True)], np.int32
        ),
    )
    return gates, order


def _flops(
    groups: Sequence[CellGroup], tables: _Tables, begins: Sequence[NDArray[np.int64]]
) -> Flops:
    events: list[FlopEvents] = [flop_events(group.cell) for group in groups]
    firsts = [tables.add(event.mixes.rows) for event in events]

    def by_state(name: str) -> NDArray[np.int32]:
        parts = [getattr(event, name) + first for event, first in zip(events, firsts, strict=True)]
        return _joined(parts, np.int32)

    order = np.arange(sum(len(group.modules) for group in groups))
    in_start, in_net = _rows([group.inputs for group in groups], order)
    out_start, out_net = _rows([group.outputs for group in groups], order)
    return Flops(
        kind=_kinds(groups),
        in_start=in_start,
        in_net=in_net,
        out_start=out_start,
        out_net=out_net,
        energy_start=_joined(begins, np.int64),
        output=_joined([event.outputs for event in events], np.uint8),
        state_start=_starts([event.next_states for event in events]),
        following=_joined([event.next_states for event in events], np.uint8),
        clock_rise=by_state("clock_rises"),
        clock_fall=by_state("clock_falls"),
        arc=by_state("arcs"),
        data_start=_starts([event.data for event in events]),
        data=by_state("data"),
    )


def _kinds(groups: Sequence[CellGroup]) -> NDArray[np.int32]:
    counts = np.array([len(group.modules) for group in groups], np.int64)
    return np.repeat(np.arange(len(groups), dtype=np.int32), counts)


def _rows(
    groups: Sequence[Nets], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return rows of several arrays in an order: where each begins, and all of them flat."""
    widths = np.array([nets.shape[1] for nets in groups], np.int64)
    lengths = np.repeat(widths, np.array([len(nets) for nets in groups], np.int64))
    flat = _joined([nets.reshape(-1) for nets in groups], np.int32)
    begins = np.cumsum(lengths) - lengths
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths[order])))
    places = np.repeat(begins[order] - starts[:-1], lengths[order]) + np.arange(starts[-1])
    return starts, flat[places]


def _memories(memories: Sequence[MemoryCell]) -> tuple[Memories, Bits, int]:
    """Return memories, their contents, and how many bits they read."""
    nets: list[NDArray[np.int64]] = []
    rows: list[list[int]] = []
    at = first = read = 0
    for memory in memories:
        width = memory.width
        parts = (
            memory.read_address,
            np.array([memory.read_enable]),
            memory.read_data,
            memory.write_address,
            memory.write_enable,
            memory.write_data,
        )
        places = at + np.cumsum([0, *(len(part) for part in parts)])
        lengths = [len(memory.read_address), len(memory.write_address)]
        rows.append([memory.words, width, *places[:6].tolist(), first, read, *lengths])
        nets += parts
        at, first, read = int(places[6]), first + memory.words * width, read + width
    words = np.zeros(first, np.uint8)
    pins = np.array(rows, np.int64).reshape(len(rows), 12)
    return Memories(pins=pins, net=_nets(nets)), words, read


def _nets(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int32]:
    return _joined(parts, np.int32)


def _joined(parts: "Sequence[NDArray]", kind: type) -> "NDArray":  # type: ignore[type-arg]
    return np.concatenate(parts).astype(kind) if len(parts) else np.zeros(0, kind)


def _starts(parts: Sequence[NDArray]) -> NDArray[np.int64]:  # type: ignore[type-arg]
    return np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64)

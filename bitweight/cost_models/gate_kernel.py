"""The compiled gate-level simulator: settled values of every net, clock by clock.

No delays, so no glitches: a net moves at most once a clock. Arrays alone cross this border;
``gate_run`` makes them. A cell's inputs are ``net[start[cell]:start[cell + 1]]``; tables are one
long array for each purpose, with the place where each kind's begins.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

# An element of any of these arrays; type checkers cannot tell it from an array.
Int = Any

_FORBIDDEN = 2


class Mixes(NamedTuple):
    """Energies: mix ``i`` takes ``weight[j]`` of ``energy[cell's begin + which[j]]``."""

    start: NDArray[np.int32]
    which: NDArray[np.int32]
    weight: Floats
    energy: Floats


class Gates(NamedTuple):
    """Combinational cells, each after those that drive it."""

    kind: NDArray[np.int32]
    in_start: Ints
    in_net: NDArray[np.int32]
    out_start: Ints
    out_net: NDArray[np.int32]
    energy_start: Ints
    table_start: Ints
    table: Bytes
    change_start: Ints
    change: NDArray[np.int32]


class Flops(NamedTuple):
    """Flip-flops; ``state_start`` is where tables by state begin, ``data_start`` those of moves."""

    kind: NDArray[np.int32]
    in_start: Ints
    in_net: NDArray[np.int32]
    out_start: Ints
    out_net: NDArray[np.int32]
    energy_start: Ints
    output: Bytes
    state_start: Ints
    following: Bytes
    clock_rise: NDArray[np.int32]
    clock_fall: NDArray[np.int32]
    arc: NDArray[np.int32]
    data_start: Ints
    data: NDArray[np.int32]


class Memories(NamedTuple):
    """Memories; row ``i`` of ``pins`` says where memory ``i`` has its nets and contents."""

    pins: Ints
    net: NDArray[np.int32]


class Machine(NamedTuple):
    """A circuit, whole."""

    gates: Gates
    flops: Flops
    memories: Memories
    mixes: Mixes


class Streams(NamedTuple):
    """What the outside sends and takes.

    Sources offer the next beat until it is taken; the sink always takes. Row ``i`` of ``waves``
    holds what other inputs carry in clock ``i``.
    """

    valid: NDArray[np.int32]
    ready: NDArray[np.int32]
    payload_start: Ints
    payload_net: NDArray[np.int32]
    beat_start: Ints
    beats: Bytes
    sink_valid: int
    sink_net: NDArray[np.int32]
    wave_net: NDArray[np.int32]
    waves: Bytes
    probe: NDArray[np.int32]


class State(NamedTuple):
    """What lasts from clock to clock."""

    value: Bytes
    gate_state: NDArray[np.int32]
    flop_state: NDArray[np.int32]
    flop_next: Bytes
    word: Bytes
    read: Bytes
    sent: Ints


class Counts(NamedTuple):
    """What is counted: moves of each net, energies of each cell, what came out and when.

    ``uses`` has two columns: reads and writes of each memory.
    """

    toggles: Ints
    gate_pj: Floats
    flop_pj: Floats
    clock_pj: Floats
    taken: Bytes
    probed: Bytes
    edges: Ints
    uses: Ints


@njit(cache=True)
def simulate(machine: Machine, streams: Streams, state: State, counts: Counts) -> Int:
    """Run until the sink's last beat, or for as many clocks as ``probed`` has rows.

    Returns:
        Clocks run; minus the flip-flop's number less 1 if one's clear or preset was active.
    """
    gates, flops, memories, mixes = machine
    limit, received = counts.probed.shape[0], 0
    drive(streams, state, counts, 0)
    settle(gates, mixes, state, counts)
    recall(flops, state)
    for clock in range(limit):
        for place, net in enumerate(streams.probe):
            counts.probed[clock, place] = state.value[net]
        received += hand_over(streams, state, counts, clock, received)
        bad = sample(flops, mixes, state, counts)
        if bad >= 0:
            return -1 - bad
        access(memories, state, counts)
        step(flops, memories, state, counts)
        drive(streams, state, counts, clock + 1)
        settle(gates, mixes, state, counts)
        finish(flops, mixes, state, counts)
        if received == counts.taken.shape[0] and received > 0:
            return clock + 1
    return limit


@njit(cache=True)
def recall(flops: Flops, state: State) -> None:
    """Note what every flip-flop holds and sees before the first edge."""
    for flop in range(len(flops.kind)):
        width = flops.in_start[flop + 1] - flops.in_start[flop]
        inputs = flop_inputs(flops, state, flop)
        state.flop_state[flop] = inputs | (state.flop_next[flop] << width)


@njit(cache=True)
def put(state: State, counts: Counts, net: Int, value: Int) -> None:
    """Give a net its value; count it if it moves."""
    if state.value[net] != value:
        state.value[net] = value
        counts.toggles[net] += 1


@njit(cache=True)
def mixed(mixes: Mixes, mix: Int, begin: Int) -> float:
    """Return the energy of a mix for a cell."""
    energy = 0.0
    for place in range(mixes.start[mix], mixes.start[mix + 1]):
        energy += mixes.weight[place] * mixes.energy[begin + mixes.which[place]]
    return energy


@njit(cache=True)
def settle(gates: Gates, mixes: Mixes, state: State, counts: Counts) -> None:
    """Evaluate all combinational cells in order."""
    for gate in range(len(gates.kind)):
        start, stop = gates.in_start[gate], gates.in_start[gate + 1]
        new: Int = 0
        for place in range(start, stop):
            new |= np.int64(state.value[gates.in_net[place]]) << (place - start)
        old = state.gate_state[gate]
        if old == new:
            continue
        kind = gates.kind[gate]
        if old >= 0:
            mix = gates.change[gates.change_start[kind] + (old << (stop - start)) + new]
            counts.gate_pj[gate] += mixed(mixes, mix, gates.energy_start[gate])
        outputs: Int = gates.table[gates.table_start[kind] + new]
        for place in range(gates.out_start[gate], gates.out_start[gate + 1]):
            put(state, counts, gates.out_net[place], outputs & 1)
            outputs >>= 1
        state.gate_state[gate] = new


@njit(cache=True)
def flop_inputs(flops: Flops, state: State, flop: Int) -> Int:
    """Return the inputs of a flip-flop as bits."""
    start = flops.in_start[flop]
    inputs: Int = 0
    for place in range(start, flops.in_start[flop + 1]):
        inputs |= np.int64(state.value[flops.in_net[place]]) << (place - start)
    return inputs


@njit(cache=True)
def sample(flops: Flops, mixes: Mixes, state: State, counts: Counts) -> Int:
    """Let all flip-flops take their next state; return one that may not, or -1."""
    for flop in range(len(flops.kind)):
        begin = flops.energy_start[flop]
        at = flops.state_start[flops.kind[flop]] + state.flop_state[flop]
        if flops.following[at] == _FORBIDDEN:
            return flop
        state.flop_next[flop] = flops.following[at]
        counts.clock_pj[flop] += mixed(mixes, flops.clock_rise[at], begin)
        counts.flop_pj[flop] += mixed(mixes, flops.arc[at], begin)
    return -1


@njit(cache=True)
def step(flops: Flops, memories: Memories, state: State, counts: Counts) -> None:
    """Show what flip-flops and memories took."""
    for flop in range(len(flops.kind)):
        outputs = flops.output[2 * flops.kind[flop] + state.flop_next[flop]]
        for place in range(flops.out_start[flop], flops.out_start[flop + 1]):
            put(state, counts, flops.out_net[place], outputs & 1)
            outputs >>= 1
    for memory in range(len(memories.pins)):
        width, data, read = (
            memories.pins[memory, 1],
            memories.pins[memory, 4],
            memories.pins[memory, 9],
        )
        for bit in range(width):
            put(state, counts, memories.net[data + bit], state.read[read + bit])


@njit(cache=True)
def finish(flops: Flops, mixes: Mixes, state: State, counts: Counts) -> None:
    """Count flip-flop inputs that moved, and the falling clock."""
    for flop in range(len(flops.kind)):
        begin, kind = flops.energy_start[flop], flops.kind[flop]
        width = flops.in_start[flop + 1] - flops.in_start[flop]
        old = state.flop_state[flop] & ((1 << width) - 1)
        inputs = flop_inputs(flops, state, flop)
        new = inputs | (np.int64(state.flop_next[flop]) << width)
        if inputs != old:
            mix = flops.data[flops.data_start[kind] + (old << (width + 1)) + new]
            counts.flop_pj[flop] += mixed(mixes, mix, begin)
        mix = flops.clock_fall[flops.state_start[kind] + new]
        counts.clock_pj[flop] += mixed(mixes, mix, begin)
        state.flop_state[flop] = new


@njit(cache=True)
def number(memories: Memories, state: State, start: Int, count: Int) -> Int:
    """Return the number that nets spell, least bit first."""
    value: Int = 0
    for bit in range(count):
        value |= np.int64(state.value[memories.net[start + bit]]) << bit
    return value


@njit(cache=True)
def access(memories: Memories, state: State, counts: Counts) -> None:
    """Read, then write, every memory; a word beyond the last one reads as 0 and is not written."""
    for memory in range(len(memories.pins)):
        words, width, address, enable, _, to, mask, data, first, read, r_bits, w_bits = (
            memories.pins[memory]
        )
        if state.value[memories.net[enable]]:
            counts.uses[memory, 0] += 1
            word = number(memories, state, address, r_bits)
            for bit in range(width):
                is_there = word < words
                state.read[read + bit] = state.word[first + word * width + bit] if is_there else 0
        word = number(memories, state, to, w_bits)
        is_written = False
        for bit in range(width):
            if state.value[memories.net[mask + bit]]:
                is_written = True
                if word < words:
                    state.word[first + word * width + bit] = state.value[memories.net[data + bit]]
        counts.uses[memory, 1] += is_written


@njit(cache=True)
def drive(streams: Streams, state: State, counts: Counts, clock: Int) -> None:
    """Put what the outside offers in a clock onto the inputs."""
    for port in range(len(streams.valid)):
        start, stop = streams.payload_start[port], streams.payload_start[port + 1]
        first = streams.beat_start[port] + state.sent[port] * (stop - start)
        is_left = first < streams.beat_start[port + 1]
        put(state, counts, streams.valid[port], 1 if is_left else 0)
        if is_left:
            for place in range(start, stop):
                put(state, counts, streams.payload_net[place], streams.beats[first + place - start])
    if clock < len(streams.waves):
        for place, net in enumerate(streams.wave_net):
            put(state, counts, net, streams.waves[clock, place])


@njit(cache=True)
def hand_over(streams: Streams, state: State, counts: Counts, clock: Int, received: Int) -> Int:
    """Note handshakes of the coming edge; return how many beats the sink takes."""
    for port in range(len(streams.valid)):
        if state.value[streams.valid[port]] and state.value[streams.ready[port]]:
            state.sent[port] += 1
            if port == 0:
                counts.edges[0] = clock + 1
    if streams.sink_valid < 0 or not state.value[streams.sink_valid]:
        return 0
    if received < counts.taken.shape[0]:
        for place, net in enumerate(streams.sink_net):
            counts.taken[received, place] = state.value[net]
    counts.edges[1] = clock + 1
    return 1

"""A mapped netlist, flat: which cell drives which net, and to which module each cell belongs.

Read from the JSON that yosys writes of a hierarchical netlist. Cells of one kind are rows of one
array, so that a quarter of a million of them are read in a second.

Nets 0 and 1 are the constants; an undefined constant (``x``) is 0.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bitweight.cost_models.liberty import Cell, Library

Nets = NDArray[np.int64]

_CONSTANTS = {"0": 0, "1": 1, "x": 0, "z": 0}
# Cells that only note where something came from.
_NOTES = frozenset({"$scopeinfo", "$print", "$check"})
# The cell that ``synthesis.memory_module`` names.
_MEMORY = re.compile(r"memory_(\d+)x(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellGroup:
    """All cells of one kind.

    Attributes:
        cell: The kind.
        inputs: Nets at its inputs, shape (cells, inputs).
        outputs: Nets at its outputs, shape (cells, outputs).
        clocks: Nets at the clock, shape (cells,); empty for combinational cells.
        modules: Number of the module that each stands in, shape (cells,).
    """

    cell: Cell
    inputs: Nets
    outputs: Nets
    clocks: Nets
    modules: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryCell:
    """A synchronous memory with one read and one write port.

    A read sees what stood there before the same edge's write.

    Attributes:
        words: Depth.
        width: Bits of a word.
        read_address: Nets, least bit first.
        read_enable: Net.
        read_data: Nets that change after the edge.
        write_address: Nets, least bit first.
        write_enable: One net for each bit.
        write_data: Nets.
        clock: Net.
        module: Number of the module that it stands in.
    """

    words: int
    width: int
    read_address: Nets
    read_enable: int
    read_data: Nets
    write_address: Nets
    write_enable: Nets
    write_data: Nets
    clock: int
    module: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Netlist:
    """A flat netlist.

    Attributes:
        groups: Cells by kind.
        memories: Memories that synthesis left alone.
        inputs: Nets of the top module's inputs, least bit first.
        outputs: Nets of its outputs.
        modules: Names of the modules, the top first.
        nets: Number of nets.
    """

    groups: tuple[CellGroup, ...]
    memories: tuple[MemoryCell, ...]
    inputs: Mapping[str, Nets]
    outputs: Mapping[str, Nets]
    modules: tuple[str, ...]
    nets: int


def flatten(document: Mapping[str, Any], top: str, library: Library) -> Netlist:
    """Return the flat netlist of a yosys JSON document.

    Args:
        document: What ``write_json`` writes after mapping.
        top: Name of the top module.
        library: Cells that the netlist is made of.

    Raises:
        ValueError: If a cell is neither in the library nor a module nor a memory.
    """
    if top not in document["modules"]:
        raise ValueError(f"Netlist must have a module {top}")
    builder = _Builder(document["modules"], library)
    module = builder.module(top)
    nets = builder.place(module, {})
    return builder.netlist(module, nets)


@dataclass(slots=True, eq=False)
class _Module:
    """A module of the document: its cells by kind, its instances, its memories."""

    number: int
    ports: Mapping[str, Any]
    bits: int
    leaves: Mapping[str, NDArray[np.int64]]
    instances: Sequence[tuple[str, Mapping[str, Sequence[int]]]]
    memories: Sequence[Mapping[str, Any]]


class _Builder:
    def __init__(self, modules: Mapping[str, Any], library: Library) -> None:
        self.source = modules
        self.library = library
        self.known: dict[str, _Module] = {}
        self.nets = 2
        self.aliases: list[tuple[int, int]] = []
        self.leaves: dict[str, list[tuple[int, NDArray[np.int64]]]] = {}
        self.memories: list[tuple[_Module, Mapping[str, Any], NDArray[np.int64]]] = []

    def module(self, name: str) -> _Module:
        """Return a module, read once."""
        if name not in self.known:
            number = len(self.known)
            self.known[name] = _read_module(self.source[name], number, self)
        return self.known[name]

    def place(self, module: _Module, outer: Mapping[str, Nets]) -> NDArray[np.int64]:
        """Place an instance; return the net of each of its bits."""
        nets = np.arange(module.bits, dtype=np.int64) - 2 + self.nets
        nets[:2] = (0, 1)
        self.nets += module.bits - 2
        for port, given in outer.items():
            for bit, net in zip(_bits(module.ports[port]["bits"]), given, strict=True):
                self.aliases.append((int(nets[bit]), int(net)))
        for kind, cells in module.leaves.items():
            self.leaves.setdefault(kind, []).append((module.number, nets[cells]))
        self.memories += [(module, memory, nets) for memory in module.memories]
        for kind, connections in module.instances:
            inner = self.module(kind)
            self.place(inner, {port: nets[list(bits)] for port, bits in connections.items()})
        return nets

    def netlist(self, top: _Module, nets: NDArray[np.int64]) -> Netlist:
        """Return all that was placed."""
        final = _joined(self.nets, self.aliases)
        ports = {port: final[nets[_bits(entry["bits"])]] for port, entry in top.ports.items()}
        return Netlist(
            groups=tuple(self._group(kind, parts, final) for kind, parts in self.leaves.items()),
            memories=tuple(
                _memory(memory, final[placed], module.number)
                for module, memory, placed in self.memories
            ),
            inputs={p: n for p, n in ports.items() if top.ports[p]["direction"] == "input"},
            outputs={p: n for p, n in ports.items() if top.ports[p]["direction"] == "output"},
            modules=tuple(self.known),
            nets=self.nets,
        )

    def _group(
        self, kind: str, parts: Sequence[tuple[int, NDArray[np.int64]]], final: NDArray[np.int64]
    ) -> CellGroup:
        cell = self.library.cell(kind)
        nets = final[np.concatenate([cells for _, cells in parts])]
        inputs, outputs = len(cell.inputs), len(cell.outputs)
        return CellGroup(
            cell=cell,
            inputs=nets[:, :inputs],
            outputs=nets[:, inputs : inputs + outputs],
            clocks=nets[:, inputs + outputs] if cell.flip_flop else np.zeros(0, np.int64),
            modules=np.concatenate(
                [np.full(len(cells), number, np.int64) for number, cells in parts]
            ),
        )


def _read_module(source: Mapping[str, Any], number: int, builder: _Builder) -> _Module:
    leaves: dict[str, list[list[int]]] = {}
    instances: list[tuple[str, Mapping[str, Sequence[int]]]] = []
    memories: list[Mapping[str, Any]] = []
    highest = max((bit for bit in _all_bits(source)), default=1)
    for name, cell in source["cells"].items():
        kind = cell["type"]
        if kind in _NOTES:
            continue
        if _MEMORY.fullmatch(kind):
            memories.append(cell)
        elif kind in builder.library:
            row = _leaf(name, cell, builder.library.cell(kind), highest)
            highest = max(highest, *row)
            leaves.setdefault(kind, []).append(row)
        elif kind in builder.source:
            bits = {port: _bits(nets) for port, nets in cell["connections"].items() if nets}
            instances.append((kind, bits))
        else:
            raise ValueError(
                f"Cell {name} must be of the library, a module or a memory, not {kind!r}"
            )
    return _Module(
        number=number,
        ports=source["ports"],
        bits=highest + 1,
        leaves={kind: np.array(rows, np.int64) for kind, rows in leaves.items()},
        instances=instances,
        memories=memories,
    )


def _all_bits(source: Mapping[str, Any]) -> Iterator[int]:
    for entry in source["ports"].values():
        yield from (bit for bit in entry["bits"] if isinstance(bit, int))
    for cell in source["cells"].values():
        for bits in cell["connections"].values():
            yield from (bit for bit in bits if isinstance(bit, int))


def _leaf(name: str, cell: Mapping[str, Any], kind: Cell, highest: int) -> list[int]:
    """Return the nets of a cell: inputs, outputs, then its clock; an open output gets its own."""
    connections = cell["connections"]
    clock = () if kind.flip_flop is None else (kind.flip_flop.clock,)
    if missing := [pin for pin in (*kind.inputs, *clock) if not connections.get(pin)]:
        raise ValueError(f"Cell {name} must be connected at {', '.join(missing)}")
    row: list[int] = []
    for pin in (*kind.inputs, *kind.outputs, *clock):
        if not connections.get(pin):
            highest += 1
        row.append(_bits(connections.get(pin) or [highest])[0])
    return row


def _bits(bits: Sequence[Any]) -> list[int]:
    return [bit if isinstance(bit, int) else _CONSTANTS[bit] for bit in bits]


def _joined(nets: int, aliases: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the one net that each net is, given pairs that are the same."""
    final = np.arange(nets, dtype=np.int64)

    def root(net: int) -> int:
        while final[net] != net:
            final[net] = final[final[net]]
            net = int(final[net])
        return net

    for one, other in aliases:
        low, high = sorted((root(one), root(other)))
        final[high] = low
    while (final[final] != final).any():
        final = final[final]
    return final


def _memory(cell: Mapping[str, Any], nets: NDArray[np.int64], module: int) -> MemoryCell:
    match = _MEMORY.fullmatch(cell["type"])
    if match is None:
        raise AssertionError("only memories come here")
    pins = {pin: nets[_bits(bits)] for pin, bits in cell["connections"].items()}
    if (pins["RD_CLK"] != pins["WR_CLK"]).any():
        raise ValueError(f"Both ports of a {cell['type']} must have one clock")
    return MemoryCell(
        words=int(match[1]),
        width=int(match[2]),
        read_address=pins["RD_ADDR"],
        read_enable=int(pins["RD_EN"][0]),
        read_data=pins["RD_DATA"],
        write_address=pins["WR_ADDR"],
        write_enable=pins["WR_EN"],
        write_data=pins["WR_DATA"],
        clock=int(pins["RD_CLK"][0]),
        module=module,
    )


def levels(groups: Sequence[CellGroup], nets: int) -> tuple[NDArray[np.int64], ...]:
    """Return how many cells of ``groups`` drive each cell in a row at most, by group.

    Raises:
        ValueError: If cells make a loop.
    """
    widths = np.array([group.inputs.shape[1] for group in groups], np.int64)
    lengths = np.repeat(widths, np.array(_sizes(groups), np.int64))
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    inputs = _concatenated([group.inputs.reshape(-1) for group in groups])
    drivers = np.full(nets, -1, np.int64)
    first = 0
    for group in groups:
        gates = np.arange(first, first + len(group.modules))
        drivers[group.outputs] = gates[:, None]
        first += len(gates)
    found = _levelled(starts.astype(np.int64), inputs, drivers)
    parts = np.split(found, np.cumsum(_sizes(groups))[:-1]) if groups else []
    for group, part in zip(groups, parts, strict=True):
        if (part < 0).any():
            raise ValueError(f"Gates must make no loop; one goes through a {group.cell.name}")
    return tuple(parts)


def _sizes(groups: Sequence[CellGroup]) -> list[int]:
    return [len(group.modules) for group in groups]


def _concatenated(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@njit(cache=True)
def _levelled(
    starts: NDArray[np.int64], inputs: NDArray[np.int64], drivers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the level of each gate, -1 for those on or behind a loop."""
    gates = len(starts) - 1
    level = np.full(gates, -1, np.int64)
    waiting = np.zeros(gates, np.int64)
    readers = np.zeros(gates + 1, np.int64)
    for gate in range(gates):
        for place in range(starts[gate], starts[gate + 1]):
            if drivers[inputs[place]] >= 0:
                waiting[gate] += 1
                readers[drivers[inputs[place]] + 1] += 1
    readers = np.cumsum(readers)
    reader = np.zeros(readers[-1], np.int64)
    used = readers[:-1].copy()
    for gate in range(gates):
        for place in range(starts[gate], starts[gate + 1]):
            driver = drivers[inputs[place]]
            if driver >= 0:
                reader[used[driver]] = gate
                used[driver] += 1
    queue = np.zeros(gates, np.int64)
    tail = 0
    for gate in range(gates):
        if waiting[gate] == 0:
            level[gate], queue[tail], tail = 0, gate, tail + 1
    head = 0
    while head < tail:
        gate, head = queue[head], head + 1
        for place in range(readers[gate], readers[gate + 1]):
            other = reader[place]
            waiting[other] -= 1
            if waiting[other] == 0:
                level[other], queue[tail], tail = level[gate] + 1, other, tail + 1
    return level

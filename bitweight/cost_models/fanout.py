"""Buffers behind registers and ports that drive many gates.

ABC buffers what its gates drive, but takes its inputs, which are registers and ports, as able to
drive anything: one register of an engine's control then drives hundreds of gates by itself, and its
slope alone takes several clocks. So before mapping, a net with more than ``_MOST`` loads from a
register or a port of an inner module gets a tree of the library's buffers. Loads are counted
through the modules that a net enters: a register of 16 columns drives what is inside of all. Where
a register leaves its module through several ports, each port counts as what one buffer drives, for
outside each of them is buffered by itself. After mapping the same is done again, for gates too: a
gate in one module may drive many others. PEs alone have no such net.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bitweight.cost_models.cell_library import CellLibrary

_MOST = 48
_PER_BUFFER = 16
# A buffer's area in units of the smallest one's: what drives _PER_BUFFER gates well.
_DRIVE = 2.05

Load = tuple[list[Any], int, int]
"""A place in a cell's list of connected bits, and how many gates there are behind it."""

Behind = Mapping[tuple[str, str, int], int]
"""Gates behind each bit of each input port of each module."""


def limit_fanout(modules: Mapping[str, Any], top: str, library: CellLibrary) -> int:
    """Add buffer trees to a netlist in yosys's JSON form, in place.

    Args:
        modules: Its ``modules``; registers are cells of the library, other logic is not yet.
        top: The top module, whose own ports are not buffered: nothing times them.
        library: Cells.

    Returns:
        Number of buffers added.
    """
    buffer = library.buffer(_DRIVE)
    behind: dict[tuple[str, str, int], int] = {}
    count = 0
    for name in _children_first(modules, top):
        count += _limit(modules[name], buffer, library, behind, is_top=name == top)
        loads = _loads(modules[name], library, behind)
        for port, facts in modules[name]["ports"].items():
            for place, bit in enumerate(facts["bits"]):
                behind[name, port, place] = _weight(loads[bit])
    return count


def _children_first(modules: Mapping[str, Any], top: str) -> list[str]:
    """Return the modules of a design, each after those that it instantiates."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in ordered or name not in modules:
            return
        for kind in dict.fromkeys(cell["type"] for cell in modules[name]["cells"].values()):
            visit(kind)
        ordered.append(name)

    visit(top)
    return ordered


def _weight(loads: Iterable[Load]) -> int:
    return sum(weight for _, _, weight in loads)


def _limit(
    module: dict[str, Any],
    buffer: tuple[str, str, str],
    library: CellLibrary,
    behind: Behind,
    *,
    is_top: bool,
) -> int:
    loads = _loads(module, library, behind)
    for bit, leaving in () if is_top else _leaving(module).items():
        loads[bit] += leaving
    fresh = itertools.count(_next_bit(module))
    count = 0
    for bit in list(_sources(module, library, is_top=is_top)):
        if _weight(loads[bit]) > _MOST:
            count += _tree(module, bit, loads[bit], buffer, fresh)
    for port, facts in module["ports"].items():
        if port in module["netnames"]:
            module["netnames"][port]["bits"] = list(facts["bits"])
    return count


def _tree(
    module: dict[str, Any],
    bit: int,
    loads: list[Load],
    buffer: tuple[str, str, str],
    fresh: Iterator[int],
) -> int:
    """Put buffers between a bit and its loads, level by level; return how many."""
    cell, in_pin, out_pin = buffer
    count = 0
    while _weight(loads) > _PER_BUFFER and len(loads) > 1:
        level: list[Load] = []
        for shared in _shares(loads):
            out = next(fresh)
            for pins, place, _ in shared:
                pins[place] = out
            pins_in = [bit]
            module["cells"][f"$fanout${out}"] = {
                "hide_name": 1,
                "type": cell,
                "parameters": {},
                "attributes": {},
                "port_directions": {in_pin: "input", out_pin: "output"},
                "connections": {in_pin: pins_in, out_pin: [out]},
            }
            level.append((pins_in, 0, 1))
            count += 1
        loads = level
    return count


def _shares(loads: Iterable[Load]) -> list[list[Load]]:
    """Share loads out to buffers, in order, each as many as it drives well and at least one."""
    shares: list[list[Load]] = []
    for load in loads:
        if shares and _weight([*shares[-1], load]) <= _PER_BUFFER:
            shares[-1].append(load)
        else:
            shares.append([load])
    return shares


def _loads(
    module: Mapping[str, Any], library: CellLibrary, behind: Behind
) -> dict[int, list[Load]]:
    """Return which cell pins read each bit."""
    found: dict[int, list[Load]] = defaultdict(list)
    for cell in module["cells"].values():
        facts = library.cells.get(cell["type"])
        directions = cell.get("port_directions", {})
        for port, pins in cell["connections"].items():
            is_output = port in facts.outputs if facts else directions.get(port) != "input"
            # A clock is a tree of its own, which is not part of the netlist.
            if (
                is_output
                or port in {"clk", "rst"}
                or (facts and facts.is_flip_flop and port != "D")
            ):
                continue
            for place, bit in enumerate(pins):
                if isinstance(bit, int):
                    weight = behind.get((cell["type"], port, place), 1)
                    found[bit].append((pins, place, weight))
    return found


def _leaving(module: Mapping[str, Any]) -> dict[int, list[Load]]:
    """Return through which output ports each bit leaves a module."""
    found: dict[int, list[Load]] = defaultdict(list)
    for facts in module["ports"].values():
        if facts["direction"] == "output":
            for place, bit in enumerate(facts["bits"]):
                if isinstance(bit, int):
                    found[bit].append((facts["bits"], place, _PER_BUFFER))
    return found


def _sources(module: Mapping[str, Any], library: CellLibrary, *, is_top: bool) -> Iterator[int]:
    """Yield the bits that cells of the library, other modules, memories and ports drive."""
    for cell in module["cells"].values():
        facts = library.cells.get(cell["type"])
        if facts is not None:
            outputs = facts.outputs
        elif cell["type"].startswith("$"):  # logic that ABC is still to map, and buffers itself
            outputs = ()
        else:
            directions = {"RD_DATA": "output", **cell.get("port_directions", {})}
            outputs = tuple(port for port in directions if directions[port] == "output")
        for port in outputs:
            yield from (b for b in cell["connections"].get(port, ()) if isinstance(b, int))
    for port in () if is_top else module["ports"].values():
        if port["direction"] == "input":
            yield from (bit for bit in port["bits"] if isinstance(bit, int))


def _next_bit(module: Mapping[str, Any]) -> int:
    used = [bit for net in module["netnames"].values() for bit in net["bits"]]
    used += [bit for port in module["ports"].values() for bit in port["bits"]]
    used += [
        bit
        for cell in module["cells"].values()
        for pins in cell["connections"].values()
        for bit in pins
    ]
    return max((bit for bit in used if isinstance(bit, int)), default=1) + 1

"""Registers by the names of their signals, instead of the numbers that synthesis gives to cells."""

import json
import re
from collections.abc import Mapping
from typing import Any

from bitweight.cost_models.cell_library import CellLibrary
from bitweight.cost_models.synthesis import Netlist


def register_name(netlist: Netlist, top: str, cell: str, library: CellLibrary) -> str:
    """Return where a path begins or ends: its instances, and the signal of its register.

    Args:
        netlist: Where the register is.
        top: Its top module.
        cell: The register as OpenSTA names it, ``array/cell_0_3/_123_``.
        library: Its cells.
    """
    modules = json.loads(netlist.json.read_text())["modules"]
    *instances, last = cell.split("/")
    module = modules[top]
    for instance in instances:
        module = modules[module["cells"][instance]["type"]]
    return "/".join([*instances, _signal(module, last, library)])


def _signal(module: Mapping[str, Any], cell: str, library: CellLibrary) -> str:
    """Return the name of what a cell drives; behind an inverter if it has none of its own."""
    bits = _driven(module["cells"][cell], library)
    behind = [
        bit
        for other in module["cells"].values()
        if any(pins[:1] == bits[:1] for pins in other["connections"].values())
        for bit in _driven(other, library)
        if len(other["connections"]) == 2
    ]
    for bit in [*bits, *behind]:
        names = [
            (re.sub(r"\$\d+", "", name), net["bits"])
            for name, net in module["netnames"].items()
            if bit in net["bits"] and not re.fullmatch(r"_e?\d+_", name)
        ]
        if names:
            name, bits_there = min(names, key=lambda one: (len(one[0]), one[0]))
            return f"{name}[{bits_there.index(bit)}]" if len(bits_there) > 1 else name
    return cell


def _driven(cell: Mapping[str, Any], library: CellLibrary) -> list[Any]:
    facts = library.cells.get(cell["type"])
    outputs = facts.outputs if facts else ()
    return [bit for port in outputs for bit in cell["connections"].get(port, ())]

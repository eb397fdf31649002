"""Netlists of measured points, made again and put into the gate-level simulator."""

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.cell_library import CellLibrary
from bitweight.cost_models.gate_energy import circuit
from bitweight.cost_models.gate_run import Circuit
from bitweight.cost_models.liberty import Library
from bitweight.cost_models.measurements import NetlistPoint
from bitweight.cost_models.netlist import CellGroup, Netlist, flatten
from bitweight.cost_models.recipes import recipe_named
from bitweight.cost_models.synthesis import synthesise
from bitweight.verify.characterise.netlists import source

OPERAND_REGISTERS = "operand_registers"
"""Block of the flip-flops before a PE alone, which neighbours hold in an array."""


def circuits(
    points: Sequence[NetlistPoint],
    cells: CellLibrary,
    power: Library,
    block: tuple[str, Sequence[str]] = ("", ()),
) -> list[Circuit]:
    """Return the netlists of points of one design, ready to run.

    Args:
        points: Of one design.
        cells: What they were synthesised with.
        power: The same Liberty files.
        block: Name of a block of its own for the flip-flops directly behind these inputs.

    Raises:
        SynthesisError: If a tool is missing or fails.
        ValueError: If synthesis gives other netlists than these points are of.
    """
    first = points[0]
    given = source(first.design, first.settings)
    recipes = [recipe_named(point.recipe) for point in points]
    with tempfile.TemporaryDirectory(prefix="bitweight-") as directory:
        made = {
            netlist.recipe.name: netlist
            for netlist in synthesise(given, cells, recipes, Path(directory))
        }
        found = []
        for point in points:
            if made[point.recipe].blocks != point.blocks:
                raise ValueError(
                    f"Netlist of {point.design} with {point.recipe} must be the measured one, and "
                    "its cells differ; characterise it again"
                )
            document = json.loads(made[point.recipe].json.read_text())
            netlist = flatten(document, given.top, power)
            if block[1]:
                netlist = with_block(netlist, *block)
            found.append(circuit(netlist, power))
    return found


def with_block(netlist: Netlist, name: str, ports: Iterable[str]) -> Netlist:
    """Return a netlist whose flip-flops directly behind input ports are a block of their own."""
    nets = np.concatenate([np.zeros(0, np.int64), *(netlist.inputs[port] for port in ports)])
    groups = tuple(_moved(group, nets, len(netlist.modules)) for group in netlist.groups)
    return replace(netlist, groups=groups, modules=(*netlist.modules, name))


def _moved(group: CellGroup, nets: NDArray[np.int64], block: int) -> CellGroup:
    if group.cell.flip_flop is None:
        return group
    is_behind = np.isin(group.inputs, nets).any(axis=1)
    return replace(group, modules=np.where(is_behind, block, group.modules))

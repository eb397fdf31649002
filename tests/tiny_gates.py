"""Netlists of a few cells of ``data/hand.lib``, in the form that yosys writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.gate_energy import circuit
from bitweight.cost_models.gate_run import Circuit
from bitweight.cost_models.liberty import Library
from bitweight.cost_models.netlist import flatten

TINY = Path(__file__).parent / "data" / "hand.lib"


def tiny_library() -> Library:
    """Return the cells."""
    return Library.read([TINY])


def module(
    ports: Mapping[str, tuple[str, Sequence[Any]]],
    cells: Mapping[str, tuple[str, Mapping[str, Sequence[Any]]]],
) -> dict[str, Any]:
    """Return a module of yosys's JSON."""
    return {
        "ports": {
            name: {"direction": direction, "bits": list(bits)}
            for name, (direction, bits) in ports.items()
        },
        "cells": {
            name: {"type": kind, "parameters": {}, "connections": connections}
            for name, (kind, connections) in cells.items()
        },
    }


def tiny_circuit(top: Mapping[str, Any], **others: Mapping[str, Any]) -> Circuit:
    """Return a circuit of the module ``top`` and those that it instantiates."""
    library = tiny_library()
    return circuit(flatten({"modules": {"top": top, **others}}, "top", library), library)


def wave(*values: int) -> NDArray[np.uint8]:
    """Return what an input of one bit carries, clock by clock."""
    return np.array(values, np.uint8).reshape(-1, 1)

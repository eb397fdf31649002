"""Published scaling of area and energy between technology nodes.

Polynomials in the supply voltage were fitted by Stillmaker and Baas to HSpice runs of a chain of
fan-out-of-four inverters with predictive transistor models; a quantity scales as its polynomial at
the two nodes. It is a rule for logic: here it also scales the energy of memories where a technology
has none published, and whatever went through it is marked ``scaled``.

Left out: wires, delay (ours is timed in each technology), and everything that differs between two
libraries of one node.

Source: A. Stillmaker, B. Baas, "Scaling equations for the accurate prediction of CMOS device
performance from 180 nm to 7 nm", Integration, the VLSI Journal 58, 2017, pp. 74-81: tables of area
factors and polynomial coefficients, as transcribed in github.com/wromaszkan/nodeScale @
0676b74ea293, nodeScale.py; checked against the authors' own example (erratum on
vcl.ece.ucdavis.edu). The voltages that each fit covers were not at hand: those at which a
polynomial turns back are refused.
"""

import csv
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

_TABLE = "technology_scaling.csv"
_ANY = "any"


class Transistor(enum.StrEnum):
    """Which predictive model is meant at 45 nm and below; larger nodes have one."""

    HIGH_PERFORMANCE = "high_performance"
    LOW_POWER = "low_power"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPoint:
    """A node at a supply voltage.

    Attributes:
        node_nm: Nominal feature size, one of the table.
        voltage_v: Supply voltage.
        transistor: Predictive model, for 45 nm and below.
    """

    node_nm: float
    voltage_v: float
    transistor: Transistor = Transistor.HIGH_PERFORMANCE

    def __str__(self) -> str:
        """Return node and voltage."""
        return f"{self.node_nm:g} nm at {self.voltage_v:g} V"


@dataclass(frozen=True, slots=True)
class _Row:
    area: float
    energy: tuple[float, float, float]


@cache
def _rows() -> Mapping[tuple[float, str], _Row]:
    text = (resources.files("bitweight.cost_models") / "data" / _TABLE).read_text("utf-8")
    return {
        (float(cells["node_nm"]), cells["transistor"]): _Row(
            area=float(cells["area_relative_to_7nm"]),
            energy=(
                float(cells["energy_v0"]),
                float(cells["energy_v1"]),
                float(cells["energy_v2"]),
            ),
        )
        for cells in csv.DictReader(text.splitlines())
    }


def _row(point: ProcessPoint) -> _Row:
    for transistor in (_ANY, str(point.transistor)):
        if (point.node_nm, transistor) in _rows():
            return _rows()[point.node_nm, transistor]
    nodes = ", ".join(f"{node:g}" for node in sorted({node for node, _ in _rows()}, reverse=True))
    raise ValueError(f"Node must be one of {nodes} nm to scale by, not {point.node_nm:g} nm")


def area_factor(origin: ProcessPoint, target: ProcessPoint) -> float:
    """Return what an area at ``origin`` is multiplied by to stand for one at ``target``.

    Raises:
        ValueError: If a node is not in the table.
    """
    return _row(target).area / _row(origin).area


def energy_factor(origin: ProcessPoint, target: ProcessPoint) -> float:
    """Return what an energy at ``origin`` is multiplied by to stand for one at ``target``.

    Raises:
        ValueError: If a node is not in the table, or a voltage is where the fit does not hold.
    """
    return _energy(target) / _energy(origin)


def _energy(point: ProcessPoint) -> float:
    c, d, e = _row(point).energy
    value = c + d * point.voltage_v + e * point.voltage_v**2
    # More voltage costs more; where a fit says otherwise it has left its data.
    if not (value > 0 and d + 2 * e * point.voltage_v > 0):
        raise ValueError(f"Voltage must be one that the published fit covers, not {point}")
    return value

"""What a design costs: figures with their parts, and how each is known.

``estimate`` is the one question, answered by the type of the spec. Areas are of cells without
wires; memories are apart. What a figure leaves out is said where it is made.
"""

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from bitweight.cost_models.measurements import Measurements
from bitweight.sim.engine import Activity


class Provenance(enum.StrEnum):
    """How a figure is known, from best to worst."""

    MEASURED = "measured"
    COMPOSED = "composed"
    PUBLISHED = "published"
    SCALED = "scaled"
    ASSUMED = "assumed"


def worst(known: Iterable[Provenance]) -> Provenance:
    """Return the worst of how several figures are known; of none, ``measured``."""
    return max(known, key=list(Provenance).index, default=Provenance.MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A quantity as the sum of its parts; its unit is in the name of the field that holds it.

    Attributes:
        parts: Each finite and not negative, by component.
        provenance: How it is known: the worst of its parts.
        source: The netlist, file, command or publication that it comes from.
    """

    parts: Mapping[str, float]
    provenance: Provenance
    source: str

    def __post_init__(self) -> None:
        """Refuse parts that are no quantities."""
        for name, value in self.parts.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Part {name} must be finite and not negative, not {value!r}")

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return math.fsum(self.parts.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as JSON has it."""
        return {
            "total": self.total,
            "parts": dict(self.parts),
            "provenance": str(self.provenance),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a design costs in a technology at a clock.

    Attributes:
        design: Name of the design.
        technology: Name of the technology.
        clock_mhz: Clock that the figures hold at.
        area_um2: Cell area of the logic, by component; no wires.
        memory_um2: Area of memories deeper than 16 words, by memory; empty parts if it has none.
        delay_ns: Shortest clock period of the netlist that was chosen for this clock.
        path: Where the path of that period begins and ends.
        leakage_mw: Of the logic.
        energy_pj: Energy of the activity that was given, by component; None without activity.
        clocks: Clock cycles of that activity.
        macs: Multiply-accumulates of that activity.
        left_out: What the figures do not contain.
    """

    design: str
    technology: str
    clock_mhz: float
    area_um2: Figure
    memory_um2: Figure
    delay_ns: float
    path: str
    leakage_mw: float
    energy_pj: Figure | None = None
    clocks: int = 0
    macs: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def energy_pj_per_mac(self) -> float | None:
        """Energy of the activity per multiply-accumulate; None if there is none."""
        if self.energy_pj is None or not self.macs:
            return None
        return self.energy_pj.total / self.macs

    @property
    def power_mw(self) -> float | None:
        """Mean power over the activity; None if there is none."""
        if self.energy_pj is None or not self.clocks:
            return None
        return self.energy_pj.total / self.clocks * self.clock_mhz * 1e-3  # 1 pJ x 1 MHz = 1 uW


@singledispatch
def estimate(
    spec: object,
    technology: str | Measurements,
    *,
    clock_mhz: float,
    activity: Activity | None = None,
) -> Cost:
    """Return what a design costs.

    Args:
        spec: Any entry of the catalog, or a variant of one.
        technology: Name of a technology in ``TECHNOLOGIES``, or measurements of one's own.
        clock_mhz: Clock; the smallest netlist that meets it is taken.
        activity: Event counts of a GEMM or layer, for energy and power.

    Raises:
        TypeError: If ``spec`` has no cost.
        ValueError: If no data hold for this spec, technology or clock; the message tells how to
            make them.
    """
    raise TypeError(f"No cost model takes a {type(spec).__name__}; see sim.catalog.DESIGNS")

"""What a sweep's rows add up to: a design on the whole workload, and which designs stand out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bitweight.cost_models import Provenance
from bitweight.reports.pareto import front
from bitweight.reports.sweep.row import Row

_WORST_LAST = tuple(Provenance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A design on all layers of a sweep, each as often as the workload runs it.

    Attributes:
        design: Name of the design.
        settings: What differs from the catalog's entry.
        format: Format of the weights.
        technology: Name of the technology.
        clock_mhz: Clock.
        area_um2: Cells and memories.
        energy_pj: Energy of all layers.
        time_us: Time of all layers.
        provenance: How this is known: the worst of the rows.
    """

    design: str
    settings: str
    format: str
    technology: str
    clock_mhz: float
    area_um2: float
    energy_pj: float
    time_us: float
    provenance: str

    @property
    def costs(self) -> tuple[float, float, float]:
        """Area, energy and time."""
        return self.area_um2, self.energy_pj, self.time_us


def totals(rows: Iterable[Row]) -> list[Total]:
    """Return the totals of designs that ran every layer; where one was refused there is none."""
    found: dict[tuple[str, str, str, str, float], list[Row]] = {}
    for row in rows:
        key = (row.design, row.settings, row.format, row.technology, row.clock_mhz)
        found.setdefault(key, []).append(row)
    return [_total(part) for part in found.values() if not any(row.refused for row in part)]


def fronts(found: Iterable[Total]) -> list[Total]:
    """Return the designs that no other of the same technology beats in area, energy and time."""
    by_technology: dict[str, list[Total]] = {}
    for total in found:
        by_technology.setdefault(total.technology, []).append(total)
    return [
        total for part in by_technology.values() for total in front(part, lambda one: one.costs)
    ]


def _total(rows: Sequence[Row]) -> Total:
    first = rows[0]
    return Total(
        design=first.design,
        settings=first.settings,
        format=first.format,
        technology=first.technology,
        clock_mhz=first.clock_mhz,
        area_um2=_known(first.area_um2) + _known(first.memory_um2),
        energy_pj=math.fsum(row.calls * _known(row.energy_pj) for row in rows),
        time_us=math.fsum(row.calls * _known(row.time_us) for row in rows),
        provenance=max((Provenance(row.provenance) for row in rows), key=_WORST_LAST.index),
    )


def _known(value: float | None) -> float:
    assert value is not None, "a row that was not refused has its figures"
    return value

"""Published constants: records of a value, its unit and where it was read."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

_TABLE = "coefficients.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """One constant.

    Attributes:
        value: Its value.
        unit: Its unit.
        node_nm: Technology node that it belongs to; None where it belongs to none.
        source: Where it was read.
    """

    value: float
    unit: str
    node_nm: float | None
    source: str


@cache
def coefficients() -> Mapping[str, Coefficient]:
    """Return all constants by name."""
    text = (resources.files("bitweight.cost_models") / "data" / _TABLE).read_text("utf-8")
    return MappingProxyType(
        {
            cells["name"]: Coefficient(
                value=float(cells["value"]),
                unit=cells["unit"],
                node_nm=float(cells["node_nm"]) if cells["node_nm"] else None,
                source=cells["source"],
            )
            for cells in csv.DictReader(text.splitlines())
        }
    )

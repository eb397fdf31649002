"""Published figures that reports show beside ours: data, each with its source and how it is known.

Ratios name the design and the baseline of ours that they are held against. The paper's own are of
its abstract (28 nm); what a reading note says of its evaluation differs in three places and is kept
apart; ratios of the released synthesis reports are of another library (SAED 32 nm).
"""

import csv
import enum
from dataclasses import dataclass
from functools import cache
from importlib import resources

_TABLE = "published.csv"


class Evidence(enum.StrEnum):
    """Where a figure was read."""

    ABSTRACT = "abstract"
    REPOSITORY = "repository"
    SECONDARY = "secondary"


class Quantity(enum.StrEnum):
    """Ratios that reports compare; other quantities are facts in words of their own."""

    AREA_EFFICIENCY = "area efficiency"
    ENERGY_EFFICIENCY = "energy efficiency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published figure.

    Attributes:
        architecture: Kind of engine, as the first half of a design's name, or ``pe``.
        design: Design of ours that it is held against; ``pe:`` before a PE's name.
        baseline: Design that a ratio is relative to; empty for a plain quantity.
        quantity: What it is: a ``Quantity``, or words.
        value: Its value.
        unit: Its unit; ``x`` for a ratio.
        technology: Technology that it holds in.
        evidence: Where it was read.
        source: The publication.
        note: What has to be known beside it.
    """

    architecture: str
    design: str
    baseline: str
    quantity: str
    value: float
    unit: str
    technology: str
    evidence: Evidence
    source: str
    note: str


@cache
def published() -> tuple[Published, ...]:
    """Return all figures, in the table's order."""
    text = (resources.files("bitweight.cost_models") / "data" / _TABLE).read_text("utf-8")
    return tuple(
        Published(
            architecture=cells["architecture"],
            design=cells["design"],
            baseline=cells["baseline"],
            quantity=cells["quantity"],
            value=float(cells["value"]),
            unit=cells["unit"],
            technology=cells["technology"],
            evidence=Evidence(cells["evidence"]),
            source=cells["source"],
            note=cells["note"],
        )
        for cells in csv.DictReader(text.splitlines())
    )


def published_ratios(
    design: str, baseline: str, quantity: Quantity | None = None
) -> tuple[Published, ...]:
    """Return the published ratios of a design over a baseline; none if there are none.

    Args:
        design: Name in the catalog.
        baseline: Name in the catalog.
        quantity: Which ratio; None: both.
    """
    return tuple(
        figure
        for figure in published()
        if (figure.design, figure.baseline) == (design, baseline)
        and figure.quantity in (list(Quantity) if quantity is None else [quantity])
    )

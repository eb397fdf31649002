"""A picture of a page: the data that it shows, how to draw them, and what must be said of it."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What every picture states.

    Attributes:
        designs: Designs that it shows.
        workload: What they compute.
        technologies: Technologies, in words.
        provenance: How the figures are known.
        command: What makes it again.
    """

    designs: tuple[str, ...]
    workload: str
    technologies: tuple[str, ...]
    provenance: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A paragraph with a heading."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture, or a table alone.

    Attributes:
        name: Stem of its files.
        title: Heading.
        reading: How to read it, in a sentence or two.
        facts: What it states of itself.
        columns: Names of the data's columns, with units.
        rows: The data: what the CSV holds.
        draw: Returns the drawing for a width in inches; None if the data are shown as a table.
        notes: Paragraphs below.
        notes_title: What these are about.
    """

    name: str
    title: str
    reading: str
    facts: Facts
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    draw: "Callable[[float], Drawing] | None" = None
    notes: tuple[Note, ...] = ()
    notes_title: str = "What falls short of what was published, and why"

    def __post_init__(self) -> None:
        """Refuse data that do not fit their columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Rows of {self.name} must have {len(self.columns)} cells, not {len(row)}"
                )

    @property
    def csv(self) -> bytes:
        """The data as a CSV file; absent values are empty cells."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in self.rows)
        return text.getvalue().encode()

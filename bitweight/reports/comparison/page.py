"""The page: one HTML file with everything in it, and beside it each picture and its data as files.

A pure function of the pictures: no clock, no host, no path; the same pictures give the same bytes.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from bitweight import __version__
from bitweight.cost_models import Provenance
from bitweight.reports.comparison.picture import Cell, Facts, Picture
from bitweight.reports.comparison.style import (
    DARK,
    NARROW_INCHES,
    VARIABLES,
    WIDE_INCHES,
    styled,
    to_inline,
    to_png,
    to_svg,
)

if TYPE_CHECKING:
    from jinja2 import Template

OnDone = Callable[[int, int], None]

INDEX = "index.html"
_MEANINGS: Mapping[Provenance, tuple[str, str]] = {
    Provenance.MEASURED: ("●", "of a netlist of this very design, synthesised and timed"),
    Provenance.COMPOSED: ("○", "put together from netlists of other sizes or clocks"),
    Provenance.PUBLISHED: ("◇", "taken from a publication"),
    Provenance.SCALED: ("△", "scaled from another technology"),
    Provenance.ASSUMED: ("✕", "assumed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says besides its pictures.

    Attributes:
        title: Heading.
        lead: Paragraphs at the top.
        left_out: What no figure contains.
        facts: What the whole page is about.
    """

    title: str
    lead: tuple[str, ...]
    left_out: tuple[str, ...]
    facts: Facts


def files(
    page: Page, pictures: Sequence[Picture], on_done: OnDone = lambda _done, _total: None
) -> dict[str, bytes]:
    """Return every file of a page, by name.

    Raises:
        ImportError: If the extra ``report`` is not installed.
    """
    found: dict[str, bytes] = {}
    inline: dict[str, Mapping[str, str]] = {}
    for done, picture in enumerate(pictures, 1):
        found[f"{picture.name}.csv"] = picture.csv
        if picture.draw is not None:
            inline[picture.name], drawn = _draw(picture)
            found |= drawn
        on_done(done, len(pictures))
    found[INDEX] = _render(page, pictures, inline).encode()
    return found


def write(out: Path, found: Mapping[str, bytes]) -> None:
    """Write a folder whole: beside its final name, then renamed; one that was there is replaced.

    Raises:
        ValueError: If ``out`` is there and is no page that this wrote.
        OSError: If the folder cannot be written.
    """
    check_replaceable(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    try:
        partial.mkdir()
        for name, data in found.items():
            (partial / name).write_bytes(data)
        if out.exists():
            out.rename(old)
        partial.rename(out)
    finally:
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)


def check_replaceable(out: Path) -> None:
    """Raise ``ValueError`` if ``out`` is there and holds what no page has: it would be lost."""
    if not out.exists():
        return
    kinds = {".csv", ".svg", ".png", ".html"}
    strange = not out.is_dir() or [p for p in out.iterdir() if p.suffix not in kinds or p.is_dir()]
    if strange:
        raise ValueError(
            f"{out} must be a new folder or one that `bitweight compare` wrote: it would be "
            "replaced, and holds other files"
        )


def _draw(picture: Picture) -> tuple[Mapping[str, str], dict[str, bytes]]:
    """Return a picture's drawings for the page by width, and its files."""
    assert picture.draw is not None, "asked for"
    inline = {}
    with styled():
        wide = picture.draw(WIDE_INCHES)
        svg = to_svg(wide)
        inline["wide"] = to_inline(svg, f"{picture.name}-w", picture.title)
        found = {f"{picture.name}.svg": svg, f"{picture.name}.png": to_png(wide)}
        narrow = to_svg(picture.draw(NARROW_INCHES))
        inline["narrow"] = to_inline(narrow, f"{picture.name}-n", picture.title)
    return inline, found


def _render(
    page: Page, pictures: Sequence[Picture], inline: Mapping[str, Mapping[str, str]]
) -> str:
    return _template().render(
        page=page,
        pictures=pictures,
        inline=inline,
        light={name: colour for colour, name in VARIABLES.items()},
        dark={name: DARK[colour] for colour, name in VARIABLES.items()},
        meanings={str(kind): meaning for kind, meaning in _MEANINGS.items()},
        version=__version__,
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - an extra

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _shown
    environment.filters["is_number"] = lambda cell: isinstance(cell, int | float)
    folder = resources.files("bitweight.reports") / "templates"
    return environment.from_string((folder / "comparison.html.j2").read_text("utf-8"))


def _shown(cell: Cell) -> str:
    """Return a cell as a table shows it: absent ones as a dash, whole numbers in groups."""
    match cell:
        case None:
            return "-"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.4g}"
    return str(cell)

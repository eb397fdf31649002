"""A data file that grows: measured once, kept whole, never measured twice.

Every change writes the file beside its name and renames it, so that a kill leaves the old file or
the new one. What a design's points are is settled by its Verilog: if that has changed, its old
points go, and its energies with them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.cost_models.measurements import (
    EnergyPoint,
    Measurements,
    NetlistPoint,
    load,
    to_line,
)
from bitweight.workloads.whole_files import write_whole

Address = tuple[str, tuple[str, ...]]


def open_data(path: Path, header: Mapping[str, Any]) -> Measurements:
    """Return what a file holds; make it, with the header alone, if there is none.

    Raises:
        ValueError: If the file is of another technology, of other cells or other tools.
    """
    if not path.exists():
        write_whole(path, (json.dumps(header) + "\n").encode())
    held = load(path)
    for field in ("technology", "liberty", "tools"):
        if held.header.get(field) != header[field]:
            raise ValueError(
                f"{path} must be of this {field} to go on: it has {held.header.get(field)!r}, "
                f"not {header[field]!r}; remove it or give another -o"
            )
    return held


def add_netlists(path: Path, points: Sequence[NetlistPoint], order: Sequence[Address]) -> None:
    """Put one design's points into a file, in place of what was there of it.

    Args:
        path: The file.
        points: All points of one design.
        order: Order of designs in the file.
    """
    held = load(path)
    new = {(point.design, point.settings) for point in points}
    shas = {point.verilog_sha256 for point in points}
    old = [p for p in held.netlists if (p.design, p.settings) in new]
    is_stale = any(point.verilog_sha256 not in shas for point in old)
    netlists = [p for p in held.netlists if (p.design, p.settings) not in new]
    energies = [e for e in held.energies if not is_stale or (e.design, e.settings) not in new]
    places = {address: place for place, address in enumerate(order)}
    netlists = sorted(
        [*netlists, *points], key=lambda p: places.get((p.design, p.settings), len(places))
    )
    write_points(path, held.header, netlists, energies)


def write_points(
    path: Path,
    header: Mapping[str, Any],
    netlists: Sequence[NetlistPoint],
    energies: Sequence[EnergyPoint],
) -> None:
    """Write a whole data file."""
    lines = [json.dumps(header), *map(to_line, netlists), *map(to_line, energies)]
    write_whole(path, ("\n".join(lines) + "\n").encode())

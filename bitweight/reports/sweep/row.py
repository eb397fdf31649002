"""One point of a sweep, as a row of its CSV."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A design on a layer in a technology at a clock.

    Attributes:
        point: Key of the point: a hash of what it is, and of the data that its figures come from.
        design: Name of the design.
        settings: What differs from the catalog's entry, as ``--set`` takes it, joined by blanks.
        format: Format of the weights.
        source: Trace file or model that the layer is from, with the phase of a model.
        layer: Name of the layer.
        m: Tokens.
        n: Outputs.
        k: Inputs.
        calls: How often the workload runs the layer; the other figures are of one call.
        technology: Name of the technology.
        clock_mhz: Clock.
        cycles: Engine cycles.
        utilisation: m n k / (cycles x peak MACs per clock).
        delay_ns: Shortest clock period of the netlist chosen.
        area_um2: Cells of the logic.
        memory_um2: Memories deeper than 16 words.
        energy_pj: Energy of the engine, without buffers and DRAM.
        energy_pj_per_mac: The same per multiply-accumulate.
        array_us: Cycles at the clock.
        buffers_us: Time of the slowest port of the default buffers around the engine.
        dram_bytes: Bytes between these and DRAM.
        dram_us: Time that these take.
        time_us: The longest of the three: they overlap.
        limiting: Which one that is: ``array``, ``buffers`` or ``dram``.
        provenance: How area and energy are known: the worse of the two.
        refused: Why the point cannot be; then the figures are absent.
    """

    point: str
    design: str
    settings: str
    format: str
    source: str
    layer: str
    m: int
    n: int
    k: int
    calls: int
    technology: str
    clock_mhz: float
    cycles: int | None = None
    utilisation: float | None = None
    delay_ns: float | None = None
    area_um2: float | None = None
    memory_um2: float | None = None
    energy_pj: float | None = None
    energy_pj_per_mac: float | None = None
    array_us: float | None = None
    buffers_us: float | None = None
    dram_bytes: int | None = None
    dram_us: float | None = None
    time_us: float | None = None
    limiting: str = ""
    provenance: str = ""
    refused: str = ""


_READERS: Mapping[Any, Any] = {
    str: str,
    int: int,
    float: float,
    int | None: lambda text: int(text) if text else None,
    float | None: lambda text: float(text) if text else None,
}
# Floats as such, whoever made the row: 7 read back is 7.0, and a file must not tell.
_WRITERS: Mapping[Any, Any] = {float: float, float | None: float}
COLUMNS = tuple(field.name for field in fields(Row))
HEADER = ",".join(COLUMNS) + "\n"


def to_line(row: Row) -> str:
    """Return a row as its line of the CSV."""
    text = io.StringIO()
    cells = [
        "" if (cell := getattr(row, field.name)) is None else _WRITERS.get(field.type, str)(cell)
        for field in fields(Row)
    ]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def from_line(line: str) -> Row:
    """Return the row of a line.

    Raises:
        ValueError: If the line is not one that ``to_line`` writes.
    """
    cells = next(csv.reader([line]), [])
    if len(cells) != len(COLUMNS):
        raise ValueError(f"Line must have {len(COLUMNS)} cells, not {len(cells)}")
    values = {
        field.name: _READERS[field.type](cell)
        for field, cell in zip(fields(Row), cells, strict=True)
    }
    return Row(**values)

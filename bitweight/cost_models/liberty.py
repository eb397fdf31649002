"""Power side of Liberty files: functions, pin capacitances, transition and internal-energy tables.

Files hold hundreds of cells and tens of megabytes of tables; a netlist uses a few dozen of them.
So a ``Library`` finds where each cell stands, and parses a cell when it is asked for it.

Units leave here as ns, fF and pJ: Liberty's unit of internal energy is capacitance x voltage^2.
A transition's energy is the sum over the rails (``related_pg_pin``) that it is given for.

Source: Liberty User Guide, vol. 1, "internal_power"; parser: liberty-parser (PyPI).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SCALES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_CELL = re.compile(r'^[ \t]*cell\s*\(\s*"?([^")\s]+)"?\s*\)', re.MULTILINE)
_NOT_MODELLED = ("latch", "latch_bank", "ff_bank", "statetable", "bus", "bundle")
_CAPACITANCE = "total_output_net_capacitance"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A quantity by input slew and output load; an axis of length 1 does not matter.

    Attributes:
        slews_ns: First axis.
        loads_ff: Second axis.
        values: Shape (slews, loads).
    """

    slews_ns: NDArray[np.float64]
    loads_ff: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(
        self, slews_ns: NDArray[np.float64], loads_ff: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return values between the table's points, linear in both; beyond them, extrapolated."""
        row, down = _between(self.slews_ns, slews_ns)
        column, right = _between(self.loads_ff, loads_ff)
        below = np.minimum(row + 1, len(self.slews_ns) - 1)
        beside = np.minimum(column + 1, len(self.loads_ff) - 1)
        upper = self.values[row, column] * (1 - right) + self.values[row, beside] * right
        lower = self.values[below, column] * (1 - right) + self.values[below, beside] * right
        return upper * (1 - down) + lower * down


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerGroup:
    """Internal energy of the transitions of a pin, in pJ.

    Attributes:
        pin: Pin that moves.
        related: For an output, the inputs that may have caused it; else empty.
        when: State that it holds for; None is the default of states that no other group covers.
        rise: Tables to be summed, one for each rail.
        fall: Likewise.
    """

    pin: str
    related: tuple[str, ...]
    when: str | None
    rise: tuple[Table, ...]
    fall: tuple[Table, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arc:
    """Times of an output that one input moves, in ns.

    Attributes:
        pin: The output.
        related: The input, or the clock.
        transitions: Transition times, of both edges.
        rise_delays: From the input to the output's rise.
        fall_delays: Likewise to its fall.
    """

    pin: str
    related: str
    transitions: tuple[Table, ...]
    rise_delays: tuple[Table, ...]
    fall_delays: tuple[Table, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipFlop:
    """State of a flip-flop.

    Attributes:
        state: Name of the state in functions of outputs.
        inverse: Name of its inverse.
        clock: Pin whose rising edge takes ``next_state``.
        next_state: Function of the inputs and the state.
        asynchronous: Functions that must be false: clear and preset.
    """

    state: str
    inverse: str
    clock: str
    next_state: str
    asynchronous: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """A cell.

    Attributes:
        name: Its name.
        inputs: Names of its inputs; the clock of a flip-flop is not among them.
        outputs: Function of each output, of the inputs or of the flip-flop's state.
        capacitances_ff: Of the inputs and the clock.
        powers: Internal energy.
        arcs: Transition times.
        flip_flop: None for a combinational cell.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    capacitances_ff: Mapping[str, float]
    powers: tuple[PowerGroup, ...]
    arcs: tuple[Arc, ...]
    flip_flop: FlipFlop | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Liberty files that belong together.

    Attributes:
        voltage_v: Nominal supply.
        slew_ns: Smallest slew that the cells were measured at: that of an ideal clock.
        texts: By cell, the text of its library without cells, and its own.
    """

    voltage_v: float
    texts: Mapping[str, tuple[str, str]]
    _cells: dict[str, Cell] = field(default_factory=dict)

    @classmethod
    def read(cls, files: Iterable[Path]) -> "Library":
        """Read unzipped Liberty files.

        Raises:
            ValueError: If a file has no cells, or the files' voltages differ.
        """
        texts: dict[str, tuple[str, str]] = {}
        voltages: set[float] = set()
        for file in files:
            text = file.read_text(errors="replace")
            head, cells = _cut(text)
            voltage = re.search(r"^\s*nom_voltage\s*:\s*\"?([\d.]+)", head, re.MULTILINE)
            if not cells or voltage is None:
                raise ValueError(f"{file} must be an unzipped Liberty file with nom_voltage")
            voltages.add(float(voltage[1]))
            texts.update({name: (head, body) for name, body in cells})
        if len(voltages) != 1:
            raise ValueError(f"Liberty files must share one nom_voltage, not {sorted(voltages)}")
        return cls(voltages.pop(), texts)

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def cell(self, name: str) -> Cell:
        """Return a cell.

        Raises:
            ValueError: If it is not there, or neither combinational nor a flip-flop.
        """
        if name not in self.texts:
            raise ValueError(f"Cell must be in the Liberty files, not {name!r}")
        if name not in self._cells:
            self._cells[name] = _parse(name, *self.texts[name])
        return self._cells[name]


def _cut(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a library's text before its first cell, and name and text of each cell."""
    starts = list(_CELL.finditer(text))
    if not starts:
        return "", []
    ends = [*(match.start() for match in starts[1:]), text.rindex("}")]
    return text[: starts[0].start()], [
        (match[1], text[match.start() : end]) for match, end in zip(starts, ends, strict=True)
    ]


def _between(
    axis: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where points lie on an axis: the point before, and the way to the next one."""
    if len(axis) == 1:
        return np.zeros(len(points), np.int64), np.zeros(len(points))
    before = np.clip(np.searchsorted(axis, points, side="right") - 1, 0, len(axis) - 2)
    return before, (points - axis[before]) / (axis[before + 1] - axis[before])


class _Reader:
    """Reads one parsed library: its units and templates."""

    def __init__(self, library: Any) -> None:
        number, unit = library["capacitive_load_unit"]
        self.ff = float(number) * _SCALES[_text(unit).lower()[0]] * 1e15
        match = re.match(r"([\d.]+)\s*([fpnum]?)s", _text(library["time_unit"]))
        if match is None:
            raise ValueError(f"Liberty time_unit must be like 1ns, not {library['time_unit']}")
        self.ns = float(match[1]) * _SCALES[match[2]] * 1e9
        volts = re.match(r"([\d.]+)\s*(m?)V", _text(library["voltage_unit"]))
        if volts is None:
            raise ValueError(f"Liberty voltage_unit must be like 1V, not {library['voltage_unit']}")
        self.pj = self.ff * (float(volts[1]) * _SCALES[volts[2]]) ** 2 * 1e-3
        self.templates = {
            _text(group.args[0]): group
            for kind in ("lu_table_template", "power_lut_template")
            for group in library.get_groups(kind)
        }

    def table(self, group: Any, unit: float) -> Table:
        """Return a table whose values have a unit."""
        template = self.templates.get(_text(group.args[0])) if group.args else None
        values = np.atleast_2d(np.asarray(group.get_array("values"), np.float64)) * unit
        axes = {"slew": np.zeros(1), "load": np.zeros(1)}
        order: list[str] = []
        for number in (1, 2):
            if template is None or f"variable_{number}" not in template:
                continue
            variable = template[f"variable_{number}"]
            name, scale = (
                ("load", self.ff) if _text(variable) == _CAPACITANCE else ("slew", self.ns)
            )
            source = group if f"index_{number}" in group else template
            axes[name] = np.asarray(source.get_array(f"index_{number}"), np.float64)[0] * scale
            order.append(name)
        if order[:1] == ["load"]:
            values = values.T
        shape = (len(axes["slew"]), len(axes["load"]))
        return Table(slews_ns=axes["slew"], loads_ff=axes["load"], values=values.reshape(shape))

    def powers(self, pin: str, group: Any) -> list[PowerGroup]:
        """Return internal energies of a pin, those of one transition on several rails as one."""
        rails: dict[tuple[tuple[str, ...], str | None], list[Any]] = {}
        for power in group.get_groups("internal_power"):
            related = tuple(_text(power.get("related_pin") or "").split())
            when = _text(power["when"]) if "when" in power else None
            rails.setdefault((related, when), []).append(power)
        return [
            PowerGroup(
                pin=pin,
                related=related,
                when=when,
                rise=self._edges(powers, "rise_power"),
                fall=self._edges(powers, "fall_power"),
            )
            for (related, when), powers in rails.items()
        ]

    def _edges(self, powers: Sequence[Any], edge: str) -> tuple[Table, ...]:
        """Return the tables of one edge; ``power`` holds for both."""
        return tuple(
            self.table(group, self.pj)
            for power in powers
            for kind in (edge, "power")
            for group in power.get_groups(kind)
        )

    def arcs(self, pin: str, group: Any) -> list[Arc]:
        """Return the times of an output."""
        found = []
        for timing in group.get_groups("timing"):
            rise, fall, *transitions = (
                tuple(self.table(table, self.ns) for table in timing.get_groups(kind))
                for kind in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
            )
            if any(transitions):
                found += [
                    Arc(
                        pin=pin,
                        related=related,
                        transitions=transitions[0] + transitions[1],
                        rise_delays=rise,
                        fall_delays=fall,
                    )
                    for related in _text(timing["related_pin"]).split()
                ]
        return found


def _parse(name: str, head: str, body: str) -> Cell:
    from liberty.parser import parse_liberty  # noqa: PLC0415  # extra `asic`, only needed here

    library = parse_liberty(f"{head}\n{body}\n}}")
    (group,) = library.get_groups("cell")
    for kind in _NOT_MODELLED:
        if group.get_groups(kind):
            raise ValueError(f"Cell {name} must be combinational or a flip-flop, but has a {kind}")
    reader = _Reader(library)
    pins = {_text(pin.args[0]): pin for pin in group.get_groups("pin")}
    directions = {pin: _text(pins[pin]["direction"]) for pin in pins}
    if set(directions.values()) - {"input", "output"}:
        raise ValueError(f"Cell {name} must have inputs and outputs only, not {directions}")
    outputs = [pin for pin in pins if directions[pin] == "output"]
    inputs = [pin for pin in pins if directions[pin] == "input"]
    flip_flop = _flip_flop(name, group)
    for pin in outputs:
        if "function" not in pins[pin] or "three_state" in pins[pin]:
            raise ValueError(f"Output {pin} of {name} must have a function and no third state")
    return Cell(
        name=name,
        inputs=tuple(pin for pin in inputs if flip_flop is None or pin != flip_flop.clock),
        outputs={pin: _text(pins[pin]["function"]) for pin in outputs},
        capacitances_ff={pin: float(pins[pin]["capacitance"]) * reader.ff for pin in inputs},
        powers=tuple(power for pin in pins for power in reader.powers(pin, pins[pin])),
        arcs=tuple(arc for pin in outputs for arc in reader.arcs(pin, pins[pin])),
        flip_flop=flip_flop,
    )


def _flip_flop(name: str, group: Any) -> FlipFlop | None:
    groups = group.get_groups("ff")
    if not groups:
        return None
    (ff,) = groups
    clock = _text(ff["clocked_on"]).strip("() ")
    if not re.fullmatch(r"\w+", clock):
        raise ValueError(f"Flip-flop {name} must take a rising edge of one pin, not of {clock!r}")
    return FlipFlop(
        state=_text(ff.args[0]),
        inverse=_text(ff.args[1]),
        clock=clock,
        next_state=_text(ff["next_state"]),
        asynchronous=tuple(_text(ff[kind]) for kind in ("clear", "preset") if kind in ff),
    )


def _text(value: Any) -> str:
    return str(value).strip().strip('"')

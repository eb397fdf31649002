"""Costs of engines and PEs from measured points.

At a clock the smallest measured netlist that runs at it is taken. A size that was not synthesised
is composed (``composition``). Energy is that of gate-level runs of the netlist on real operands,
split in two by a run that idles: what every clock costs, and what a busy digit slot adds::

    energy = clocks x idle energy per clock + busy slots x extra energy per busy slot + leakage

Where the gate-level runs are of another netlist of the design, or of another size, both grow with
the area of each component, and the figure is ``composed``. Memories are ``memory``'s: their
accesses per clock and per busy slot are those of the runs.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bitweight.cost_models.composition import (
    area_ratios,
    component,
    components,
    default_size,
    memory_sizes,
    small_netlists,
)
from bitweight.cost_models.cost import Cost, Figure, Provenance, estimate, worst
from bitweight.cost_models.event_energy import event_energies
from bitweight.cost_models.measurements import (
    EnergyPoint,
    Measurements,
    Memory,
    NetlistPoint,
    shipped,
)
from bitweight.cost_models.memory import memory_access_pj, memory_area_um2
from bitweight.sim.catalog import address, pe_address
from bitweight.sim.engine import Activity
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.pe.bit_serial import BitSerialPeSpec
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.pe.digit import GroupedSpec, SharedEncoderSpec, SparseDigitSpec
from bitweight.sim.pe.laconic import LaconicPeSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.spec import DesignSpec

LEFT_OUT = (
    "wires and their capacitance",
    "the clock tree",
    "glitches (cells have no delay in the gate-level runs)",
    "paths through memories",
    "leakage of memories",
)
"""What no cost contains."""

Address = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """A netlist as it is taken for a spec.

    Attributes:
        point: The measured netlist.
        ratios: Area of each component of the spec relative to that netlist; empty if it is the
            spec's own.
        played: Name and settings of the design whose gate-level runs tell its energies.
        cells: Multiply-accumulates per clock relative to that design.
        memories: Memories of the spec.
        provenance: ``measured``, or ``composed``.
    """

    point: NetlistPoint
    ratios: Mapping[str, float]
    played: Address
    cells: float
    memories: tuple[Memory, ...]
    provenance: Provenance

    @property
    def areas(self) -> dict[str, float]:
        """Area of the spec by component."""
        return {
            name: area * self.ratios.get(name, 1.0) for name, area in components(self.point).items()
        }


@estimate.register
def _(
    spec: SystolicOsSpec
    | SystolicWsSpec
    | CubeSpec
    | AdderTreeSpec
    | Matrix2dSpec
    | ColumnSpec
    | DealtColumnSpec
    | BitSerialSpec
    | LaconicSpec
    | BlockDotSpec
    | DecodedSpec,
    technology: str | Measurements,
    *,
    clock_mhz: float,
    activity: Activity | None = None,
) -> Cost:
    data = _data(technology)
    _check_clock(clock_mhz)
    wished = address(spec)
    return _cost(_build(spec, data, clock_mhz), wished, data, clock_mhz, activity)


@estimate.register
def _(
    spec: MacSpec
    | CarrySaveMacSpec
    | SameWeightMacSpec
    | SparseDigitSpec
    | SharedEncoderSpec
    | GroupedSpec
    | DealtPeSpec
    | BitSerialPeSpec
    | LaconicPeSpec,
    technology: str | Measurements,
    *,
    clock_mhz: float,
    activity: Activity | None = None,
) -> Cost:
    data = _data(technology)
    _check_clock(clock_mhz)
    wished = pe_address(spec)
    point = _fastest_enough(_of(data.netlists, wished), wished, data, clock_mhz)
    return _cost(_own(point), wished, data, clock_mhz, activity)


def _build(spec: DesignSpec, data: Measurements, clock_mhz: float) -> _Build:
    """Return the smallest netlist of an engine that runs at a clock, or one of another size."""
    wished, default = address(spec), default_size(spec)
    own = _of(data.netlists, wished)
    is_fast_enough = any(_runs_at(point, clock_mhz) for point in own)
    can_compose = default != spec and bool(_of(data.netlists, address(default)))
    if can_compose and not is_fast_enough:
        return _compose(spec, default, data, clock_mhz)
    build = _own(_fastest_enough(own, wished, data, clock_mhz))
    if can_compose and not _runs_of(wished, data):
        cells = spec.peak_macs / default.peak_macs
        return replace(build, played=address(default), cells=cells)
    return build


def has_runs(spec: DesignSpec, technology: str | Measurements) -> bool:
    """Tell whether energies of a design, or of its default size, are known."""
    known = (address(spec), address(default_size(spec)))
    return any(_runs_of(one, _data(technology)) for one in known)


def _runs_of(wished: Address, data: Measurements) -> list[EnergyPoint]:
    """Return the runs of a design on real operands and idle, without delays."""
    return [run for run in _of(data.energies, wished) if not run.glitches and not run.is_drawn]


def _data(technology: str | Measurements) -> Measurements:
    return technology if isinstance(technology, Measurements) else shipped(technology)


def _check_clock(clock_mhz: float) -> None:
    if not (math.isfinite(clock_mhz) and clock_mhz > 0):
        raise ValueError(f"Clock must be a positive number of MHz, not {clock_mhz!r}")


def _of(points: Iterable[Any], wished: Address) -> list[Any]:
    return [point for point in points if (point.design, point.settings) == wished]


def _fastest_enough(
    points: list[NetlistPoint], wished: Address, data: Measurements, clock_mhz: float
) -> NetlistPoint:
    """Return the smallest netlist that runs at the clock."""
    if not points:
        raise ValueError(_missing("netlist", wished, data))
    fitting = [point for point in points if _runs_at(point, clock_mhz)]
    if not fitting:
        limit = 1000 / min(point.delay_ns for point in points)
        raise ValueError(
            f"Clock of {_text(wished)} in {data.technology} must be at most "
            f"{math.floor(limit * 10) / 10:g} MHz, not {clock_mhz:g} MHz"
        )
    return min(fitting, key=lambda point: (point.area_um2, point.delay_ns, point.recipe))


def _runs_at(point: NetlistPoint, clock_mhz: float) -> bool:
    """Tell whether a netlist runs at a clock, which may be its own limit, rounded."""
    return point.delay_ns * clock_mhz <= 1000 * (1 + 1e-9)


def _missing(what: str, wished: Address, data: Measurements) -> str:
    name, settings = wished
    options = "".join(f" --set {setting}" for setting in settings)
    return (
        f"Cost of {_text(wished)} must come from a {what}, and {data.technology} has none; "
        f"`bitweight characterise {name}{options} --liberty FILE -o DATA` measures it for --data"
    )


def _text(wished: Address) -> str:
    name, settings = wished
    return f"{name} with {' '.join(settings)}" if settings else name


def _own(point: NetlistPoint) -> _Build:
    return _Build(
        point=point,
        ratios={},
        played=(point.design, point.settings),
        cells=1.0,
        memories=point.memories,
        provenance=Provenance.MEASURED,
    )


def _compose(spec: DesignSpec, default: DesignSpec, data: Measurements, clock_mhz: float) -> _Build:
    small = small_netlists(spec.name, data)
    if not small:
        raise ValueError(_missing("netlist", address(spec), data))
    played = address(default)
    point = _fastest_enough(_of(data.netlists, played), played, data, clock_mhz)
    return _Build(
        point=point,
        ratios=area_ratios(spec, default, small),
        played=played,
        cells=spec.peak_macs / default.peak_macs,
        memories=memory_sizes(spec, default, point),
        provenance=Provenance.COMPOSED,
    )


def _cost(
    build: _Build, wished: Address, data: Measurements, clock_mhz: float, activity: Activity | None
) -> Cost:
    point = build.point
    leakage_mw = 1e-3 * math.fsum(
        block.instances
        * block.leakage_uw
        * build.ratios.get(component(point.blocks[0].module, block.module), 1.0)
        for block in point.blocks
    )
    area = Figure(parts=build.areas, provenance=build.provenance, source=_source(point, data))
    cost = Cost(
        design=_text(wished),
        technology=data.technology,
        clock_mhz=clock_mhz,
        area_um2=area,
        memory_um2=_memory_um2(build.memories, data),
        delay_ns=point.delay_ns,
        path=f"{point.path_from} -> {point.path_to}",
        leakage_mw=leakage_mw,
        left_out=LEFT_OUT,
    )
    return cost if activity is None else _with_energy(cost, build, data, activity)


def _source(point: NetlistPoint, data: Measurements) -> str:
    return (
        f"netlist of {_text((point.design, point.settings))} for {point.target_ns:g} ns, recipe "
        f"{point.recipe}, in {data.technology}.jsonl; cells only"
    )


def _memory_um2(memories: Iterable[Memory], data: Measurements) -> Figure:
    parts: dict[str, float] = {}
    provenances, sources = [], []
    for memory in memories:
        figure = memory_area_um2(data.technology, memory.words, memory.width)
        name = f"{memory.words}x{memory.width}"
        parts[name] = parts.get(name, 0.0) + memory.copies * figure.total
        provenances.append(figure.provenance)
        sources.append(figure.source)
    return Figure(
        parts=parts,
        provenance=worst(provenances),
        source="; ".join(dict.fromkeys(sources)) or "no memory deeper than 16 words",
    )


def _with_energy(cost: Cost, build: _Build, data: Measurements, activity: Activity) -> Cost:
    """Add the energy of an activity, its clocks and its multiply-accumulates."""
    measured, runs = _runs(build.point, build.played, data)
    events = event_energies(measured.blocks[0].module, runs)
    slots_per_clock = events.slots_per_clock * build.cells
    clocks = round((activity.digits + activity.idle_slots) / slots_per_clock)
    old = components(measured)
    growth = {name: build.areas[name] / old[name] for name in old if old[name]}
    parts = {
        # A busy slot stirs its own cell, whatever the size, and its share of the rest.
        name: growth.get(name, 1.0) * rate.over(clocks, activity.digits / build.cells)
        for name, rate in events.energies_pj.items()
    }
    parts = {name: part for name, part in parts.items() if part or name in build.areas}
    provenances = [Provenance.MEASURED if measured == build.point else Provenance.COMPOSED]
    provenances += [build.provenance]
    for memory, was in zip(build.memories, measured.memories, strict=True):
        size, access = (
            (was.words, was.width),
            memory_access_pj(data.technology, memory.words, memory.width),
        )
        copies = memory.copies / was.copies
        busy = activity.digits / build.cells
        spent = access.parts["read"] * events.reads[size].over(clocks, busy)
        spent += access.parts["write"] * events.writes[size].over(clocks, busy)
        name = f"memory {memory.words}x{memory.width}"
        parts[name] = parts.get(name, 0.0) + copies * spent
        provenances.append(access.provenance)
    # 1 mW for 1 us is 1000 pJ.
    parts["leakage"] = cost.leakage_mw * clocks / cost.clock_mhz * 1e3
    return replace(
        cost,
        energy_pj=Figure(
            parts=parts,
            provenance=worst(provenances),
            source=f"gate-level runs ({', '.join(events.streams)}), {_source(measured, data)}",
        ),
        clocks=clocks,
        macs=activity.macs,
    )


def _runs(
    point: NetlistPoint, wished: Address, data: Measurements
) -> tuple[NetlistPoint, list[EnergyPoint]]:
    """Return the netlist of a design that ran, nearest to ``point``, and its runs."""
    runs = _runs_of(wished, data)
    if not runs:
        raise ValueError(_missing("gate-level run", wished, data))
    netlists = {(p.target_ns, p.recipe): p for p in _of(data.netlists, wished)}
    key = min(
        {(run.target_ns, run.recipe) for run in runs},
        key=lambda key: (
            key != (point.target_ns, point.recipe),
            abs(key[0] - point.target_ns),
            key,
        ),
    )
    return netlists[key], [run for run in runs if (run.target_ns, run.recipe) == key]

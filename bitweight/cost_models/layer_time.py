"""Time and energy of a layer on an engine with its memories: the slowest of them sets the pace.

::

    time   = max(array, buffers, DRAM)
    energy = array + array waiting + buffers + DRAM

Array time is engine cycles over the clock. Each buffer gives or takes a beat in as many accesses
as its width needs, one a clock; buffers work side by side, so the slowest port counts. DRAM moves
all bytes of the layer, one way at a time, at peak bandwidth. Transfers and computing overlap
(double buffering); what limits is named, and where the array does, ``control`` tells that it spends
more than half of its cycles without accepting a beat of ``a``.

The array has no clock enable: while it waits for memories its clocks idle, and that is counted.

Left out: the first fill and the last drain of buffers, which nothing hides; leakage of buffers;
scaling, rounding and everything between matrix products; and what ``system``, ``traffic`` and
``estimate`` leave out.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bitweight.cost_models.cost import Figure, Provenance, estimate, worst
from bitweight.cost_models.layer_counts import LayerCounts, layer_counts
from bitweight.cost_models.measurements import Measurements
from bitweight.cost_models.memory import Ports, memory_access_pj, memory_area_um2
from bitweight.cost_models.system import Buffer, System
from bitweight.cost_models.traffic import PortTraffic, Traffic, traffic
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.gemm import Gemm

_BITS_PER_BYTE = 8


class Limit(enum.StrEnum):
    """What sets the pace of a layer."""

    ARRAY = "array"
    CONTROL = "control"
    BUFFERS = "buffers"
    DRAM = "dram"


ArrayEnergy = Callable[[DesignSpec, Activity], Figure]
"""Returns the energy of an activity on an engine, in pJ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """One call of a layer on an engine with its memories.

    Attributes:
        name: The layer's kind.
        m: Tokens.
        n: Outputs.
        k: Inputs.
        calls: How often the workload runs it; all else is of one call.
        counts: Cycles and events.
        traffic: What buffers and DRAM move.
        array_us: Time of the engine alone.
        buffers_us: Time of the slowest port of a buffer alone.
        dram_us: Time of DRAM alone.
        energy_pj: Energy by part: those of the engine, ``array waiting``, a part for each buffer,
            and ``dram``.
    """

    name: str
    m: int
    n: int
    k: int
    calls: int
    counts: LayerCounts
    traffic: Traffic
    array_us: float
    buffers_us: float
    dram_us: float
    energy_pj: Figure

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.n * self.k

    @property
    def time_us(self) -> float:
        """Time of a call."""
        return max(self.array_us, self.buffers_us, self.dram_us)

    @property
    def limit(self) -> Limit:
        """What sets the pace."""
        if self.dram_us == self.time_us and self.dram_us > self.array_us:
            return Limit.DRAM
        if self.buffers_us == self.time_us and self.buffers_us > self.array_us:
            return Limit.BUFFERS
        is_control = 2 * self.counts.overhead_cycles > self.counts.cycles
        return Limit.CONTROL if is_control else Limit.ARRAY


def estimated_energy(technology: str | Measurements, clock_mhz: float) -> ArrayEnergy:
    """Return ``estimate``'s energies in a technology, or from measured points, at a clock."""

    def energy(spec: DesignSpec, activity: Activity) -> Figure:
        found = estimate(spec, technology, clock_mhz=clock_mhz, activity=activity).energy_pj
        assert found is not None, "an activity was given"
        return found

    return energy


def layer_cost(
    spec: DesignSpec,
    gemm: Gemm,
    *,
    system: System,
    technology: str,
    clock_mhz: float,
    array_energy: ArrayEnergy | None = None,
    seed: int = 0,
) -> LayerCost:
    """Return time and energy of one call of a layer.

    Args:
        spec: The engine; activations play ``a``.
        gemm: The layer's sizes; its name is its kind.
        system: Buffers and DRAM.
        technology: Name of a technology in ``TECHNOLOGIES``, for the engine and its buffers.
        clock_mhz: Clock of engine and buffers.
        array_energy: What the engine's events cost; by default ``estimate``'s.
        seed: Seed of drawn activations.

    Raises:
        ValueError: If the engine cannot run such a layer, or has no cost at this clock.
    """
    if not clock_mhz > 0:
        raise ValueError(f"Clock must be positive, not {clock_mhz!r} MHz")
    energy = array_energy or estimated_energy(technology, clock_mhz)
    moved = traffic(spec, gemm, system)
    counts = layer_counts(spec, gemm, runs=moved.runs, seed=seed)
    array_us = counts.cycles / clock_mhz
    slowest_us = buffers_us(moved, system, clock_mhz)
    dram_us = system.dram.time_us(moved.dram_bytes)
    time_us = max(array_us, slowest_us, dram_us)
    # Part of a clock is a clock.
    waiting = -int(-(time_us - array_us) * clock_mhz // 1)
    figures = (
        _array_pj(spec, counts, waiting, energy),
        _buffers_pj(moved, system, technology),
        Figure(
            parts={"dram": moved.dram_bytes * system.dram.energy_pj_per_byte},
            provenance=Provenance.PUBLISHED,
            source=system.dram.energy.source,
        ),
    )
    return LayerCost(
        name=gemm.name,
        m=gemm.m,
        n=gemm.n,
        k=gemm.k,
        calls=gemm.calls,
        counts=counts,
        traffic=moved,
        array_us=array_us,
        buffers_us=slowest_us,
        dram_us=dram_us,
        energy_pj=joined(figures, also=counts.provenance),
    )


def joined(figures: Iterable[Figure], *, also: Provenance = Provenance.MEASURED) -> Figure:
    """Return one figure of the parts of several; equal names add up.

    Args:
        figures: Figures of one unit.
        also: How well something else is known that they follow from.
    """
    parts: dict[str, float] = {}
    known, sources = [also], []
    for figure in figures:
        for name, value in figure.parts.items():
            parts[name] = parts.get(name, 0.0) + value
        known.append(figure.provenance)
        sources.append(figure.source)
    return Figure(parts=parts, provenance=worst(known), source="; ".join(dict.fromkeys(sources)))


def _array_pj(spec: DesignSpec, counts: LayerCounts, waiting: int, energy: ArrayEnergy) -> Figure:
    """Return the engine's energy, with what idling while memories move adds as a part."""
    alone = energy(spec, counts.activity)
    if not waiting:
        return alone
    idle = counts.activity.idle_slots + waiting * counts.slots // counts.cycles
    with_waits = energy(spec, replace(counts.activity, idle_slots=idle))
    parts = {**alone.parts, "array waiting": with_waits.total - alone.total}
    return replace(with_waits, parts=parts)


def buffers_us(moved: Traffic, system: System, clock_mhz: float) -> float:
    """Return how long the slowest port is served."""
    return max(
        port.beats * buffer_of(system, port.port).accesses(port.beat_bits) / clock_mhz
        for port in moved.ports
    )


def buffer_of(system: System, port: str) -> Buffer:
    """Return the buffer behind a port; side integers have memories of their own beside b's."""
    return {"a": system.a, "b": system.b, "s": system.b, "c": system.c}[port]


def _buffers_pj(moved: Traffic, system: System, technology: str) -> Figure:
    return joined(
        _buffer_pj(port, buffer_of(system, port.port), technology) for port in moved.ports
    )


def _buffer_pj(port: PortTraffic, buffer: Buffer, technology: str) -> Figure:
    """Return the energy of a port's beats, and of filling or emptying its buffer."""
    width = buffer.width_bits or port.beat_bits
    access = memory_access_pj(technology, buffer.bank_words, width)
    served = port.beats * buffer.accesses(port.beat_bits)
    moved = -(-_BITS_PER_BYTE * port.buffered_bytes // width)
    reads, writes = (moved, served) if port.port == "c" else (served, moved)
    return Figure(
        parts={
            f"buffer {port.port}": reads * access.parts["read"] + writes * access.parts["write"]
        },
        provenance=access.provenance,
        source=access.source,
    )


def buffers_area_um2(moved: Traffic, system: System, technology: str) -> Figure:
    """Return the area of the buffers that serve such traffic, by operand."""
    figures = []
    for name in "abc":
        port, buffer = moved.port(name), buffer_of(system, name)
        width = buffer.width_bits or port.beat_bits
        bank = memory_area_um2(technology, buffer.bank_words, width, ports=Ports.SINGLE)
        area = buffer.banks(port.beat_bits) * bank.total
        figures.append(replace(bank, parts={f"buffer {name}": area}))
    return joined(figures)

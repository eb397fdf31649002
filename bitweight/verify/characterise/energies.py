"""Energies of measured netlists: gate-level runs on real operands, on drawn ones, and idle.

A PE plays a few outputs of every layer of the shipped trace, drawn operands, and zeros; an engine
a tile of a real layer at full occupancy, and nothing at all. What a run computes is held against
the model, or the run is refused.

MACs, carry-save and same-weight PEs run their streams a second time with the cells' delays: that is
what glitches add.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.cell_library import CellLibrary
from bitweight.cost_models.gate_energy import block_energies, memory_uses
from bitweight.cost_models.gate_run import Circuit, Run
from bitweight.cost_models.glitch_run import GlitchCircuit, with_delays
from bitweight.cost_models.liberty import Library
from bitweight.cost_models.measurements import EnergyPoint, NetlistPoint, load
from bitweight.sim.catalog import design
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.spec import PeSpec
from bitweight.verify.characterise.data_file import Address, write_points
from bitweight.verify.characterise.gates import OPERAND_REGISTERS, circuits
from bitweight.verify.characterise.netlists import DIGIT_LIST, LISTED_PE, PE_PREFIX, pe_spec
from bitweight.verify.characterise.operand_registers import operand_ports
from bitweight.verify.characterise.real_tiles import full_tile
from bitweight.verify.characterise.streams import PeStream, pe_stream
from bitweight.verify.netlist_check import NetlistError, play, reset
from bitweight.workloads.operands import Distribution
from bitweight.workloads.trace import Trace

IDLE = "idle"
"""Stream of no operands: clocks go on."""

NOT_RUN = frozenset({LISTED_PE, DIGIT_LIST})
"""Parts that are measured in area and delay alone, to be held against published ones."""

_IDLE_CLOCKS = 256
_WITH_DELAYS = (MacSpec, CarrySaveMacSpec, SameWeightMacSpec)
_DRAWN = ("normal:20", "uniform")
_SEED = 0
# Outputs of a layer that a PE plays, and k of each at most.
_SUMS = 4
_LENGTH = 576


class _Meter(NamedTuple):
    """A netlist in the simulator: the point it is of, and the library that prices its moves."""

    point: NetlistPoint
    circuit: Circuit
    power: Library

    def energy(
        self, stream: str, run: Run, slots: tuple[int, int], *, glitches: bool = False
    ) -> EnergyPoint:
        """Return the record of a run with so many busy and idle slots."""
        point, netlist = self.point, self.circuit.netlist
        return EnergyPoint(
            design=point.design,
            settings=point.settings,
            target_ns=point.target_ns,
            recipe=point.recipe,
            stream=stream,
            clocks=run.clocks,
            busy_slots=slots[0],
            idle_slots=slots[1],
            blocks=block_energies(netlist, run, self.power),
            memories=memory_uses(netlist, run),
            glitches=glitches,
        )

    def idle(self, slots_a_clock: float) -> EnergyPoint:
        """Return the record of a netlist out of reset that gets nothing but clocks."""
        reset(self.circuit)
        run = self.circuit.run(clocks=_IDLE_CLOCKS)
        return self.energy(IDLE, run, (0, round(slots_a_clock * _IDLE_CLOCKS)))


def best(points: Sequence[NetlistPoint]) -> NetlistPoint:
    """Return the netlist of least area times period."""
    return min(points, key=lambda point: (point.area_um2 * point.delay_ns, point.delay_ns))


def measure_energies(
    points: Sequence[NetlistPoint], cells: CellLibrary, power: Library
) -> list[EnergyPoint]:
    """Return the gate-level runs of netlists of one design.

    Args:
        points: The netlists.
        cells: What they were synthesised with.
        power: The same Liberty files.

    Raises:
        NetlistError: If a netlist does not compute what its model does.
        SynthesisError: If a tool is missing or fails.
    """
    name, settings = points[0].design, points[0].settings
    found: list[EnergyPoint] = []
    if name.startswith(PE_PREFIX):
        spec = pe_spec(name.removeprefix(PE_PREFIX), settings)
        block = (OPERAND_REGISTERS, operand_ports(spec))
        for point, circuit in zip(points, circuits(points, cells, power, block), strict=True):
            found += _pe_energies(_Meter(point, circuit, power), spec)
        return found
    for point, circuit in zip(points, circuits(points, cells, power), strict=True):
        found += _engine_energies(_Meter(point, circuit, power), design(name, settings))
    return found


def add_energies(
    path: Path,
    addresses: Sequence[Address],
    cells: CellLibrary,
    power: Library,
    *,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Measure the energies that a data file lacks; go on where a run before this one stopped.

    Args:
        path: Data file with the netlists.
        addresses: Designs.
        cells: What the netlists were synthesised with.
        power: The same Liberty files.
        on_done: Told how many of all designs are there.

    Raises:
        NetlistError: If a netlist does not compute what its model does.
        SynthesisError: If a tool is missing or fails.
    """
    wanted = [address for address in addresses if address[0] not in NOT_RUN]
    for number, address in enumerate(wanted):
        on_done(number, len(wanted))
        held = load(path)
        points = [p for p in held.netlists if (p.design, p.settings) == address]
        if not points or any((e.design, e.settings) == address for e in held.energies):
            continue
        new = measure_energies([best(points)], cells, power)
        # Read again: a long time has passed.
        held = load(path)
        order = {address: place for place, address in enumerate(addresses)}
        energies = sorted(
            [*held.energies, *new],
            key=lambda energy: order.get((energy.design, energy.settings), len(order)),
        )
        write_points(path, held.header, held.netlists, energies)
    on_done(len(wanted), len(wanted))


def pe_operands(spec: PeSpec) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield what a PE plays: the stream's name, and ``a`` and ``b``, shape (sums, k) each."""
    for layer in Trace.example().integer_layers:
        x, w = layer.x_slice(slice(None)), layer.w_slice(slice(None), slice(None))
        if spec.a.admits(x) and spec.b.admits(w):
            rows = np.arange(_SUMS) * layer.m // _SUMS
            columns = np.arange(_SUMS) * layer.n // _SUMS
            k = min(layer.k, _LENGTH)
            yield layer.name, x[rows, :k].astype(np.int64), w[:k, columns].T.astype(np.int64)
    for text in _DRAWN:
        rng = np.random.default_rng(_SEED)
        a, b = (
            Distribution.parse(text).draw(form, (_SUMS, _LENGTH), rng).astype(np.int64)
            for form in (spec.a, spec.b)
        )
        yield text, a, b


def _pe_energies(meter: _Meter, spec: PeSpec) -> Iterator[EnergyPoint]:
    slots_a_clock = 0.0
    for name, a, b in pe_operands(spec):
        stream = pe_stream(spec, a, b)
        slots = (stream.busy_slots, stream.idle_slots)
        slots_a_clock = round(sum(slots) / stream.clocks)
        yield meter.energy(name, play_stream(meter.circuit, spec, name, stream), slots)
        if isinstance(spec, _WITH_DELAYS):
            delayed = with_delays(meter.circuit, meter.power)
            run = play_stream(meter.circuit, spec, name, stream, delayed)
            yield meter.energy(name, run, slots, glitches=True)
    yield meter.idle(slots_a_clock)


def play_stream(
    circuit: Circuit,
    spec: PeSpec,
    name: str,
    stream: PeStream,
    delayed: GlitchCircuit | None = None,
) -> Run:
    """Run a PE's netlist on a stream, out of reset.

    Args:
        circuit: The netlist.
        spec: The PE.
        name: Name of the stream.
        stream: What to play.
        delayed: The same circuit with its cells' delays, to run with them.

    Raises:
        NetlistError: If its words do not add up to the stream's sums.
    """
    reset(circuit)
    runner = circuit if delayed is None else delayed
    run = runner.run(clocks=stream.clocks, waves=stream.waves, probe=spec.words)
    widths = [len(circuit.netlist.outputs[word]) for word in spec.words]
    words = np.split(run.probed, np.cumsum(widths)[:-1], axis=1)
    for time, wanted in zip(stream.times, stream.sums, strict=True):
        held = sum(int(bit) << place for word in words for place, bit in enumerate(word[time]))
        if (held - wanted) % (1 << stream.width):
            raise NetlistError(
                f"Netlist of {spec.name}, {name}: at clock {time} its words add up to {held}, "
                f"model {wanted}"
            )
    return run


def _engine_energies(meter: _Meter, spec: Any) -> Iterator[EnergyPoint]:
    work = full_tile(spec)
    m, n, k = work.sizes
    run, result = play(meter.circuit, spec, work)
    slots = (result.activity.digits, result.activity.idle_slots)
    yield meter.energy(f"{work.name}, {m}x{n}x{k}", run, slots)
    yield meter.idle(sum(slots) / result.cycles)

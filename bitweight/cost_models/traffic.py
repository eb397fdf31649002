"""Bytes that a layer moves: between buffers and engine, and between DRAM and buffers.

Buffers give and take what ``sim.beats`` says, beat for beat, what the engine sends again included.
DRAM gives each operand once, and once more for every time that the engine sends it again from
farther back than half of its buffer holds (``reuse``, ``system``). So one rule covers operands that
fit a buffer whole, tiles that do, and neither.

A layer is run whole, or cut into runs along n, each a command of its own, whose weights stay in
their buffer: whichever moves fewer bytes of DRAM. Every run needs all activations; they stay too if
their buffer holds them.

Weights take the bytes of their *format*: scales, side integers and padding included; port ``b``
(with ``s``) takes their codes alone. Results leave the engine as accumulators, sums of scale groups
included; they go to DRAM once, scaled and rounded to ``System.result_bits``.

Left out: scales of activations, and the memory that holds sums of scale groups until all have come.
"""

from dataclasses import dataclass, replace
from functools import cache, singledispatch
from typing import Any

from bitweight.cost_models.reuse import repeats, tile_outputs
from bitweight.cost_models.system import Buffer, System
from bitweight.sim import beats
from bitweight.sim.engine import PortBeats
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.results import out_width
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.weight_formats import FORMATS

_BITS_PER_BYTE = 8
# Side integers repeat from tile to tile: so many outputs tell how many beats they take.
_SAMPLED_OUTPUTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTraffic:
    """What one buffer moves for a layer.

    Attributes:
        port: Port of the engine.
        beats: Beats between buffer and engine.
        beat_bits: Bits of a beat.
        fetches: How often the operand crosses between DRAM and buffer, in mean.
        buffered_bytes: Bytes between buffer and DRAM as the buffer holds them.
        dram_bytes: The same as DRAM holds them: weights with their scales, results rounded.
    """

    port: str
    beats: int
    beat_bits: int
    fetches: float
    buffered_bytes: int
    dram_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What all buffers move for a layer.

    Attributes:
        ports: By port: a, b, s where the engine has it, and c.
        runs: Outputs of each run that the layer is cut into, and how many such runs there are.
    """

    ports: tuple[PortTraffic, ...]
    runs: tuple[tuple[int, int], ...]

    @property
    def dram_bytes(self) -> int:
        """Bytes between DRAM and buffers."""
        return sum(port.dram_bytes for port in self.ports)

    def port(self, name: str) -> PortTraffic:
        """Return the port of that name."""
        return next(port for port in self.ports if port.port == name)


@singledispatch
def weight_format(spec: Any) -> WeightFormat:
    """Return how an engine's weights are stored: a packed format, or integers with scales.

    int8 has one scale per output; int4 has one for every 128 weights, as ``quantize`` packs it.
    """
    return _scaled_integer(spec.pe.b)


@weight_format.register
def _(spec: BlockDotSpec | DecodedSpec) -> WeightFormat:
    return spec.pe.format


@singledispatch
def gemm_lengths(spec: Any, gemm: Gemm) -> list[int]:
    """Return k of each GEMM that a layer is run as: one for every scale group along k."""
    return _cut(gemm.k, _scaled_integer(spec.pe.b).group if gemm.weighted else None)


@gemm_lengths.register
def _(spec: DecodedSpec, gemm: Gemm) -> list[int]:
    return _cut(gemm.k, spec.lane.gemm_group)


@gemm_lengths.register
def _(spec: BlockDotSpec, gemm: Gemm) -> list[int]:
    return [gemm.k]


def _scaled_integer(code: IntFormat) -> ScaledInteger:
    known = FORMATS.get(str(code))
    return known if isinstance(known, ScaledInteger) else ScaledInteger(code=code)


def _cut(k: int, group: int | None) -> list[int]:
    return [min(group or k, k - start) for start in range(0, k, group or k)]


@singledispatch
def _undecoded(spec: Any) -> Any:
    """Return the engine whose beats a design has."""
    return spec


@_undecoded.register
def _(spec: DecodedSpec) -> Any:
    return spec.engine


@singledispatch
def _lane_bits(spec: Any) -> dict[str, int]:
    """Return the bits of a lane of each port."""
    return {"a": spec.pe.a.width, "b": spec.pe.b.width, "c": out_width(spec)}


@_lane_bits.register
def _(spec: DecodedSpec) -> dict[str, int]:
    return {**_lane_bits(spec.engine), "b": spec.lane.bits, "s": _BITS_PER_BYTE}


@_lane_bits.register
def _(spec: BlockDotSpec) -> dict[str, int]:
    bits = {"a": spec.pe.a.width, "b": spec.pe.unit_bits, "c": spec.pe.acc_width}
    return bits if spec.pe.side is None else {**bits, "s": spec.pe.side.bits}


def traffic(spec: DesignSpec, gemm: Gemm, system: System) -> Traffic:
    """Return what a layer moves.

    Args:
        spec: The engine; activations play ``a``.
        gemm: The layer's sizes. Where it holds no weights, ``b`` is the other activations.
        system: Buffers and DRAM around the engine.

    Raises:
        ValueError: If the engine or its format cannot hold such a layer.
        TypeError: If nothing is known of the order of the engine's beats.
    """
    wholes = [gemm.n, *_resident_outputs(spec, gemm, system)]
    return min((_cut_to(spec, gemm, system, n) for n in wholes), key=lambda cut: cut.dram_bytes)


def _resident_outputs(spec: DesignSpec, gemm: Gemm, system: System) -> list[int]:
    """Return the most outputs whose weights stay in their buffer, if fewer than all do."""
    tile = tile_outputs(_undecoded(spec))
    longest = max(gemm_lengths(spec, gemm))
    output_bytes = _stored_bytes(spec, gemm) / gemm.n * longest / gemm.k
    if tile is None:
        return []
    outputs = int(system.b.usable_bytes / output_bytes) // tile * tile
    return [outputs] if 0 < outputs < gemm.n else []


def _cut_to(spec: DesignSpec, gemm: Gemm, system: System, outputs: int) -> Traffic:
    """Return the traffic of a layer in runs of so many outputs, the last perhaps shorter."""
    full, rest = divmod(gemm.n, outputs)
    runs = tuple(
        (size, count) for size, count in ((outputs, full), (rest, 1 if rest else 0)) if count
    )
    parts = [(_run(spec, gemm, system, size), count) for size, count in runs]
    names = [port.port for port in parts[0][0]]
    ports = {
        name: _added([(moved[at], count) for moved, count in parts])
        for at, name in enumerate(names)
    }
    once = _activation_bytes(spec, gemm)
    if once <= system.a.usable_bytes:
        ports["a"] = replace(ports["a"], fetches=1.0, buffered_bytes=once, dram_bytes=once)
    else:
        ports["a"] = replace(ports["a"], fetches=ports["a"].dram_bytes / once)
    # Once over all runs: shares of a byte would add up to whole ones.
    fetches = sum(
        size * count * moved[1].fetches
        for (size, count), (moved, _) in zip(runs, parts, strict=True)
    )
    fetches /= gemm.n
    stored = round(_stored_bytes(spec, gemm) * fetches)
    ports["b"] = replace(ports["b"], fetches=fetches, dram_bytes=stored)
    return Traffic(ports=tuple(ports.values()), runs=runs)


def _added(parts: list[tuple[PortTraffic, int]]) -> PortTraffic:
    """Add up a port's traffic over runs; each takes its own share of b and c."""
    runs = sum(count for _, count in parts)
    return replace(
        parts[0][0],
        beats=sum(count * port.beats for port, count in parts),
        fetches=sum(count * port.fetches for port, count in parts) / runs,
        buffered_bytes=sum(count * port.buffered_bytes for port, count in parts),
        dram_bytes=sum(count * port.dram_bytes for port, count in parts),
    )


def _run(spec: DesignSpec, gemm: Gemm, system: System, outputs: int) -> tuple[PortTraffic, ...]:
    """Return the traffic of one run."""
    stored = _stored_bytes(spec, gemm) * outputs / gemm.n
    lengths = gemm_lengths(spec, gemm)
    counted = {length: lengths.count(length) for length in dict.fromkeys(lengths)}
    run = replace(gemm, n=outputs)
    activations = _activation_bytes(spec, gemm)
    a = _operand(spec, run, counted, "a", buffer=system.a, once_bytes=activations)
    b = _operand(spec, run, counted, "b", buffer=system.b, once_bytes=stored)
    return a, b, *_side(spec, run, b), _results(spec, run, counted, system)


def _operand(
    spec: DesignSpec,
    gemm: Gemm,
    counted: dict[int, int],
    port: str,
    *,
    buffer: Buffer,
    once_bytes: float,
) -> PortTraffic:
    """Return the traffic of an operand, over the GEMMs of a run."""
    sent, fetched_bits, fetches, beat_bits = 0, 0.0, 0.0, 0
    for k, count in counted.items():
        part_bits = _BITS_PER_BYTE * once_bytes * k / gemm.k
        carried = _ports(_undecoded(spec), gemm.m, gemm.n, k)[port]
        beat_bits = carried.lanes * _lane_bits(spec)[port]
        loops = repeats(_undecoded(spec), m=gemm.m, n=gemm.n, k=k)[port]
        again, times = 1, 1
        for loop in loops:
            times *= loop.times
            # Lanes outside the matrix take no room.
            held_bits = min(loop.distance_beats * beat_bits, part_bits)
            again *= 1 if held_bits <= _BITS_PER_BYTE * buffer.usable_bytes else loop.times
        sent += count * carried.count
        # What one pass over the operand carries, as often as DRAM is asked for it.
        fetched_bits += count * again * min(carried.count / times * beat_bits, part_bits)
        fetches += count * again * k / gemm.k
    return PortTraffic(
        port=port,
        beats=sent,
        beat_bits=beat_bits,
        fetches=fetches,
        buffered_bytes=round(fetched_bits / _BITS_PER_BYTE),
        dram_bytes=round(once_bytes * fetches),
    )


@cache
def _ports(spec: Any, m: int, n: int, k: int) -> dict[str, PortBeats]:
    return dict(beats(spec, m=m, n=n, k=k))


def _activation_bytes(spec: Any, gemm: Gemm) -> int:
    return _bytes(gemm.m * gemm.k * spec.pe.a.width)


def _stored_bytes(spec: Any, gemm: Gemm) -> int:
    """Return the bytes of the weights, or of the activations in their place."""
    if not gemm.weighted:
        return _bytes(gemm.k * gemm.n * spec.pe.b.width)
    bits = weight_format(spec).bits_per_weight(k=gemm.k, n=gemm.n)
    return _bytes(round(bits * gemm.k * gemm.n))


def _bytes(bits: int) -> int:
    return -(-bits // _BITS_PER_BYTE)


@singledispatch
def _side(spec: Any, gemm: Gemm, b: PortTraffic) -> tuple[PortTraffic, ...]:
    """Return the traffic of side integers; their bytes in DRAM are among the weights'."""
    return ()


@_side.register
def _(spec: BlockDotSpec, gemm: Gemm, b: PortTraffic) -> tuple[PortTraffic, ...]:
    carried = _ports(spec, gemm.m, gemm.n, gemm.k).get("s")
    return () if carried is None else (_beside(spec, b, carried.count, carried.lanes),)


@_side.register
def _(spec: DecodedSpec, gemm: Gemm, b: PortTraffic) -> tuple[PortTraffic, ...]:
    if spec.lane.side_group is None:
        return ()
    # All tiles alike: a few tell what all take, where counting them all would take minutes.
    sample = _ports(spec, 1, min(gemm.n, _SAMPLED_OUTPUTS), gemm.k)
    beats_of_s = -(-b.beats * sample["s"].count // sample["b"].count)
    return (_beside(spec, b, beats_of_s, sample["s"].lanes),)


def _beside(spec: Any, b: PortTraffic, count: int, lanes: int) -> PortTraffic:
    """Return side integers that come with ``b`` and are fetched as often."""
    beat_bits = lanes * _lane_bits(spec)["s"]
    share = b.buffered_bytes * _BITS_PER_BYTE / (b.beats * b.beat_bits)
    return PortTraffic(
        port="s",
        beats=count,
        beat_bits=beat_bits,
        fetches=b.fetches,
        buffered_bytes=round(count * share * beat_bits / _BITS_PER_BYTE),
        dram_bytes=0,
    )


def _results(spec: DesignSpec, gemm: Gemm, counted: dict[int, int], system: System) -> PortTraffic:
    carried = [(_ports(_undecoded(spec), gemm.m, gemm.n, k)["c"], n) for k, n in counted.items()]
    width = _lane_bits(spec)["c"]
    return PortTraffic(
        port="c",
        beats=sum(port.count * count for port, count in carried),
        beat_bits=carried[0][0].lanes * width,
        fetches=1.0,
        buffered_bytes=_bytes(gemm.m * gemm.n * width),
        dram_bytes=_bytes(gemm.m * gemm.n * system.result_bits),
    )

"""An integer engine fed with codes: each lane of b carries one, decoded on the way in.

The stream ``b`` keeps the engine's own beats, lane for lane; a lane holds the code of its weight,
and outside the matrix the code of weight 0. So the offline permutation is this: unpack the codes of
the format to (k, n), and send them in the order of ``sim.beats``. A register holds one beat of
decoded weights ahead of the engine; it fills while ``cmd`` is taken, so cycles are the engine's.

A format with a float scale per group along k is one GEMM per group, as in ``sim.layers``: ``cmd``
speaks of one, ``simulate`` runs them all and adds up their cycles.

Side integers come on a stream ``s``. Lanes of a beat that belong to one output are a set and share
them. A beat of s holds S2 and z of every set, a byte each, and then, in two bytes, how many beats
of b it serves, less one: the order of the beats is known offline, so no control has to know it.

RTL twin: ``rtl.engines.decoded``.
Source: ours; FLUTE, arXiv 2407.10960, permutes weights offline likewise, so that decoded lanes land
where its tensor cores want them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import (
    Activity,
    MatmulResult,
    PortBeats,
    PortValues,
    beats,
    carried,
    check_operand,
    cycles,
    run,
    simulate,
)
from bitweight.sim.lane_codes import LaneCodes, lane_codes
from bitweight.sim.notation import Nest
from bitweight.sim.results import out_width
from bitweight.sim.spec import EngineSpec
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.packed_weights import PackedWeights, WeightFormat

MOST_SERVED = 1 << 16
"""Beats of b that one beat of s can serve."""

_BEATS_AT_ONCE = 1 << 14
_SMALL_GROUP = 48


class Operands(NamedTuple):
    """Formats of the activations and of the weights."""

    a: IntFormat
    format: WeightFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSpec:
    """Parameters of an engine behind a decoder.

    Attributes:
        decoder: Format of the weights, one that ``lane_codes`` takes.
        engine: The engine; its ``b`` must hold the decoded weights.
    """

    decoder: WeightFormat
    engine: EngineSpec

    def __post_init__(self) -> None:
        """Refuse formats without lane codes, and engines that cannot hold their weights."""
        b, weights = self.engine.pe.b, self.lane.weights
        if not (b.min <= weights.min and weights.max <= b.max):
            raise ValueError(
                f"{self.engine.name} must take {weights} as b to run {self.decoder.name}, not {b}"
            )
        if self.lane.side_group is not None:
            k = 2 * self.lane.side_group
            _served(self, beats(self.engine, m=1, n=1, k=k)["b"], n=1, k=k)

    @property
    def pe(self) -> Operands:
        """Formats of the operands, as an engine of packed weights has them."""
        return Operands(self.engine.pe.a, self.decoder)

    @property
    def lane(self) -> LaneCodes:
        """What a lane decodes."""
        return lane_codes(self.decoder)

    @property
    def name(self) -> str:
        """Name of the design: the engine's, with its operand formats."""
        return f"{self.engine.name}/{self.engine.pe.a}x{self.decoder.name}"

    @property
    def small(self) -> "DecodedSpec":
        """The small engine; side integers whose groups its lanes may not divide are of 48 k."""
        decoder: Any = self.decoder
        if self.lane.side_group is not None:
            decoder = replace(decoder, group=_SMALL_GROUP)
        return replace(self, engine=self.engine.small, decoder=decoder)

    @property
    def data_dependent(self) -> bool:
        """As the engine."""
        return self.engine.data_dependent

    @property
    def nest(self) -> Nest | None:
        """The engine's nest: a decoder changes no loop."""
        return self.engine.nest

    @property
    def peak_macs(self) -> int:
        """As the engine."""
        return self.engine.peak_macs

    @property
    def lane_sets(self) -> NDArray[np.int64]:
        """Which set of side integers each lane of a beat of b uses."""
        carries = beats(self.engine, m=1, n=1, k=1)["b"]
        columns = carries.locate(np.zeros(1, np.int64))[1][0]
        return np.unique(columns, return_inverse=True)[1].astype(np.int64)


@cycles.register
def _(spec: DecodedSpec, *, m: int, n: int, k: int) -> int:
    return sum(cycles(spec.engine, m=m, n=n, k=part) for part in _gemm_lengths(spec, k))


def _gemm_lengths(spec: DecodedSpec, k: int) -> list[int]:
    """Return k of each GEMM of a product."""
    group = spec.lane.gemm_group or k
    return [min(group, k - start) for start in range(0, k, group)]


@beats.register
def _(spec: DecodedSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    if len(_gemm_lengths(spec, k)) > 1:
        raise ValueError(
            f"{spec.name} must have one GEMM per scale group of {spec.lane.gemm_group} k, not {k}"
        )
    ports = dict(beats(spec.engine, m=m, n=n, k=k))
    ports["b"] = replace(ports["b"], matrix="words", padding=spec.lane.zero)
    if spec.lane.side_group is not None:
        ports["s"] = _side_beats(len(_served(spec, ports["b"], n=n, k=k)[0]), _side_lanes(spec))
    return MappingProxyType(ports)


def _side_lanes(spec: DecodedSpec) -> int:
    return (int(spec.lane_sets.max()) + 1) * spec.lane.side_units + 2


def _side_beats(count: int, lanes: int) -> PortBeats:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        shape = len(beat), lanes
        return np.broadcast_to(beat[:, None], shape), np.broadcast_to(np.arange(lanes), shape)

    return PortBeats(matrix="side", count=count, lanes=lanes, locate=locate)


def _served(
    spec: DecodedSpec, carries: PortBeats, *, n: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, per beat of s, the group and output of each set, and the beats of b that it serves.

    Returns:
        Places ``group * n + output``, -1 outside the matrix, shape (beats of s, sets), and counts.
    """
    parts = []
    for start in range(0, carries.count, _BEATS_AT_ONCE):
        at = np.arange(start, min(start + _BEATS_AT_ONCE, carries.count))
        parts.append(_places(spec, *carries.locate(at), n=n, k=k))
    places = np.concatenate(parts)
    is_new = np.ones(len(places), bool)
    is_new[1:] = (places[1:] != places[:-1]).any(axis=1)
    runs = np.diff(np.append(np.flatnonzero(is_new), len(places)))
    # A run longer than a count can say takes several beats of s.
    split = [
        min(MOST_SERVED, run - at) for run in runs.tolist() for at in range(0, run, MOST_SERVED)
    ]
    counts = np.array(split, np.int64)
    return places[np.cumsum(counts) - counts], counts


def _places(
    spec: DecodedSpec, rows: NDArray[np.int64], columns: NDArray[np.int64], *, n: int, k: int
) -> NDArray[np.int64]:
    """Return group and output of each set of some beats, shape (beats, sets)."""
    sets = spec.lane_sets
    groups = rows // (spec.lane.side_group or k)
    place = np.where((rows < k) & (columns < n), groups * n + columns, -1)
    found = np.full((len(rows), int(sets.max()) + 1), -1)
    for lane, at in enumerate(sets):
        is_other = (place[:, lane] >= 0) & (found[:, at] >= 0) & (place[:, lane] != found[:, at])
        if is_other.any():
            raise ValueError(
                f"{spec.engine.name} must have beats that lie within one group of "
                f"{spec.lane.side_group} k to run {spec.decoder.name}"
            )
        found[:, at] = np.maximum(found[:, at], place[:, lane])
    return found


@carried.register
def _(
    spec: DecodedSpec, a: NDArray[np.integer], b: PackedWeights, results: NDArray[np.int64]
) -> Mapping[str, PortValues]:
    lane, engine = spec.lane, spec.engine
    ports = {
        "a": PortValues(a, engine.pe.a.width),
        "b": PortValues(lane.codes(b), lane.bits),
        "c": PortValues(results[:, :, 0, 0], out_width(engine)),
    }
    if lane.side is not None:
        carries = beats(engine, m=len(a), n=b.n, k=b.k)["b"]
        places, counts = _served(spec, carries, n=b.n, k=b.k)
        integers = lane.side(b).reshape(-1, lane.side_units)
        # Outside the matrix code 0 times S2 = 1, less z = 0.
        outside = np.array([1] + [0] * (lane.side_units - 1))
        chosen = np.where(places[:, :, None] >= 0, integers[places], outside)
        served = np.stack([counts - 1 & 255, counts - 1 >> 8], axis=1)
        sides = np.concatenate([chosen.reshape(len(places), -1), served], axis=1)
        ports["s"] = PortValues(sides, 8)
    return ports


@simulate.register
def _(spec: DecodedSpec, a: NDArray[np.integer], b: PackedWeights) -> MatmulResult:
    weights = _check(spec, a, b)
    group = spec.lane.gemm_group or b.k
    parts = [
        simulate(spec.engine, a[:, start : start + group], weights[start : start + group])
        for start in range(0, b.k, group)
    ]
    sums = np.stack([part.results for part in parts], axis=2)[:, :, None]
    has_side = spec.lane.side_group is not None
    ports = beats(spec, m=len(a), n=b.n, k=b.k) if has_side else {}
    side_beats = {"s": ports["s"].count} if has_side else {}
    return MatmulResult(
        acc=sums[:, :, 0, 0] if len(parts) == 1 else None,
        partials=sums,
        overflow=sum(part.overflow for part in parts),
        cycles=sum(part.cycles for part in parts),
        activity=_activity(spec, parts, side_beats),
    )


def _check(spec: DecodedSpec, a: NDArray[np.integer], b: Any) -> NDArray[np.int64]:
    """Return the decoded weights, shape (k, n), if both operands are what the engine takes."""
    check_operand("a", a, spec.engine.pe.a)
    if not isinstance(b, PackedWeights):
        raise TypeError(f"Operand b of {spec.name} must be PackedWeights, not {type(b).__name__}")
    if b.format != spec.decoder:
        raise TypeError(f"Operand b of {spec.name} must be {spec.decoder}, not {b.format}")
    if a.shape[1] != b.k:
        raise ValueError(f"Operands must share k: a is {a.shape}, b is {(b.k, b.n)}")
    return spec.lane.integers(b)


def _activity(
    spec: DecodedSpec, parts: list[MatmulResult], side_beats: Mapping[str, int]
) -> Activity:
    """Return the engine's counts, a multiplication and an addition per MAC, and the decoders'."""
    total = sum((part.activity for part in parts[1:]), start=parts[0].activity)
    lanes = total.beats["b"] * len(spec.lane_sets)
    work = spec.lane.operations
    return replace(
        total,
        beats=MappingProxyType({**total.beats, **side_beats}),
        lookups=work.lookups * lanes,
        adds=work.adds * lanes + total.macs,
        multiplies=work.multiplies * lanes + total.macs,
    )


@run.register
def _(spec: DecodedSpec, a: NDArray[np.integer], b: PackedWeights) -> tuple[NDArray[np.int64], int]:
    lane = spec.lane
    side = [] if lane.side is None else lane.side(b).tolist()
    length = lane.side_group or b.k
    weights = np.array(
        [
            [lane.decode(code, side[i // length][j] if side else ()) for j, code in enumerate(row)]
            for i, row in enumerate(lane.codes(b).tolist())
        ]
    )
    group = lane.gemm_group or b.k
    runs = [
        run(spec.engine, a[:, start : start + group], weights[start : start + group])
        for start in range(0, b.k, group)
    ]
    return np.stack([acc for acc, _ in runs], axis=2)[:, :, None], sum(edges for _, edges in runs)

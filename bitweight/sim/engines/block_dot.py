"""Block dot-product engine: packed weights in, integer group sums out.

A beat of ``a`` carries ``lanes`` activations of each of ``rows`` rows, a beat of ``b`` the packed
words of the same k for each of ``columns`` outputs. Row parts prepare the activations (look-up
tables), column parts decode the words, and every cell adds one block's contribution per clock to
its accumulators: one tile is rows x columns outputs. Side integers, if the format has them, come on
a stream ``s`` of their own, one beat for every ``side.beats`` beats of b.

At the end of a scale group the accumulators are copied to a result buffer and start anew with the
next beat. The buffer holds two groups (the one that leaves on ``c``, plane by plane and row by row,
and one that waits), so a group's last beat is accepted only while fewer than two are on their way.

One row, one plane, groups of two beats, latency D = 3 from an accepted beat to the accumulators.
Columns are rising clock edges; group i's last beat is accepted at e(i). So short a group waits for
the one before the last::

    edge           1   2   3   4   5   6   7   8   9   10  11  12  13  14
    cmd            x
    a, b accepted      g0  g0  g1  g1  g2          g2                       e = 3, 5, 9
    accumulators                   g0  g0  g1  g1  g2          g2           complete at e + D
    copied                                 g0      g1              g2       e + D + 1
    c delivers                                 g0      g1              g2   e + D + 2, if c is free

With ``walk.interval`` I, ``beats(i)`` beats and ``rows x planes`` results r(i) of group i::

    e(i) = max(e(i-1) + I beats(i), left(i-2) + 1)      e(-1) = 2 - I
    left(i) = max(e(i) + D + 1, left(i-1)) + r(i)       cycles = left(last)

RTL twin: ``rtl.engines.block_dot``.
Source: ours. SeedLM (arXiv 2410.10714) streams 64 bytes of packed words per clock to 16 block
decoders with a multiplier per weight, which is the default size here: one row, 16 columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import DatapathSpec, combine, partials, side, units
from bitweight.sim.engine import (
    Activity,
    Locate,
    MatmulResult,
    PortBeats,
    PortValues,
    beat_counts,
    beats,
    carried,
    check_operand,
    cycles,
    simulate,
)
from bitweight.sim.kernels.group_drain import Drain, last_result
from bitweight.workloads.gemm import check_sizes
from bitweight.workloads.packed_weights import PackedWeights

_MAX_SIDE = 256
# More would be a memory, not a shift register.
_MAX_RESULT_WORDS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDotSpec:
    """Parameters of a block dot-product engine.

    Attributes:
        pe: The datapath of a weight format.
        rows: Rows of a per beat, 1 to 256; times the datapath's planes at most 16.
        columns: Outputs per beat, 1 to 256.
    """

    pe: DatapathSpec
    rows: int = 1
    columns: int = 16

    def __post_init__(self) -> None:
        """Refuse engines without cells and result buffers that would have to be a memory."""
        for name, size in (("rows", self.rows), ("columns", self.columns)):
            if not 1 <= size <= _MAX_SIDE:
                raise ValueError(f"Block engine {name} must be 1 to {_MAX_SIDE}, not {size!r}")
        if self.rows * self.pe.planes > _MAX_RESULT_WORDS:
            raise ValueError(
                f"Block engine rows times planes must be at most {_MAX_RESULT_WORDS}, "
                f"not {self.rows} x {self.pe.planes}"
            )

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"{self.pe.family}/{self.pe.name}"

    @property
    def small(self) -> "BlockDotSpec":
        """The same engine at a size that benches build in seconds; not square."""
        return replace(self, rows=2, columns=3)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the sizes."""
        return False

    @property
    def nest(self) -> None:
        """The bit-weight notation does not say packed weights."""
        return

    @property
    def lanes(self) -> int:
        """Activations of one row in one beat."""
        return len(self.pe.walk.lanes[0])

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every lane works."""
        return self.rows * self.columns * self.lanes // self.pe.walk.interval

    @property
    def part_latency(self) -> int:
        """Edges from a registered beat to what cells read."""
        return max(self.pe.row_part.latency, self.pe.column_part.latency)

    @property
    def k_multiple(self) -> int:
        """What k must be a multiple of: the format's."""
        return self.pe.walk.k_multiple

    @property
    def n_multiple(self) -> int:
        """What n must be a multiple of, so that the columns of a tile share side integers."""
        return self.side_sets * self.columns or 1

    @property
    def side_sets(self) -> int:
        """Sets of side integers that outputs share; 0 if they have their own, or none."""
        return self.pe.side.sets if self.pe.side else 0

    @property
    def latency(self) -> int:
        """Edges from an accepted beat to the accumulators (D)."""
        return self.part_latency + self.pe.cell.latency

    def group_beats(self, k: int) -> list[int]:
        """Return the beats of each group along ``k``; the last may be shorter."""
        group = self.pe.group or k
        return [self.pe.walk.beats(min(group, k - start)) for start in range(0, k, group)]

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no beat is accepted: command, waits for results, drain."""
        return cycles(self, m=m, n=n, k=k) - beats(self, m=m, n=n, k=k)["b"].count


def check_block_sizes(spec: BlockDotSpec, *, m: int, n: int, k: int) -> None:
    """Raise ``ValueError`` unless the engine can run such a GEMM exactly."""
    check_sizes(m=m, n=n, k=k)
    if k > spec.pe.max_k:
        raise ValueError(
            f"{spec.name} must keep k within {spec.pe.max_k} for its {spec.pe.acc_width}-bit "
            f"accumulators, not {k}"
        )
    if k % spec.k_multiple:
        raise ValueError(f"{spec.name} must have k a multiple of {spec.k_multiple}, not {k}")
    if n % spec.n_multiple:
        raise ValueError(
            f"{spec.name} must have n a multiple of {spec.n_multiple} ({spec.side_sets} equal "
            f"runs of outputs, each whole tiles of {spec.columns}), not {n}"
        )


def side_index(spec: BlockDotSpec, k: int) -> tuple[int, NDArray[np.int64]]:
    """Return the side beats of one walk along ``k``, and for each b beat the one that serves it."""
    count = spec.pe.walk.beats(k)
    if spec.pe.side is None:
        return 0, np.zeros(count, np.int64)
    index = np.arange(count) // spec.pe.side.beats
    return int(index[-1]) + 1, index


@cycles.register
def _(spec: BlockDotSpec, *, m: int, n: int, k: int) -> int:
    check_block_sizes(spec, m=m, n=n, k=k)
    drain = Drain(
        m=m,
        tiles_n=-(-n // spec.columns),
        rows=spec.rows,
        planes=spec.pe.planes,
        latency=spec.latency,
        start=2 - spec.pe.walk.interval,
    )
    clocks = np.array(spec.group_beats(k), np.int64) * spec.pe.walk.interval
    return int(last_result(clocks, drain))


@beats.register
def _(spec: BlockDotSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_block_sizes(spec, m=m, n=n, k=k)
    pe, tiles_n = spec.pe, -(-n // spec.columns)
    tiles = -(-m // spec.rows) * tiles_n
    walk, lane_k = pe.walk.beats(k), pe.walk.lane_k(k)
    groups = len(spec.group_beats(k))
    side_count, _index = side_index(spec, k)

    def a_lanes(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tile, at = np.divmod(beat, walk)
        columns = np.tile(lane_k[at], spec.rows)
        rows = tile[:, None] // tiles_n * spec.rows + np.repeat(np.arange(spec.rows), spec.lanes)
        return rows, columns

    def by_column(per_walk: int, count: int, sets: int = 0) -> Locate:
        def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            tile, at = np.divmod(beat, per_walk)
            # Without sets that all columns share, each column has its own.
            first = tile % tiles_n * (sets or spec.columns) // (tiles_n if sets else 1)
            columns = first[:, None] * count + np.arange((1 if sets else spec.columns) * count)
            return np.broadcast_to(at[:, None], columns.shape), columns

        return locate

    def c_lanes(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        # Whole tiles of rows come before the last, perhaps shorter, one.
        per_row = tiles_n * groups * pe.planes
        tile_m = beat // (spec.rows * per_row)
        rows = np.minimum(spec.rows, m - tile_m * spec.rows)
        tile, at = np.divmod(beat - tile_m * spec.rows * per_row, rows * groups * pe.planes)
        group, at = np.divmod(at, rows * pe.planes)
        row, plane = np.divmod(at, pe.planes)
        place = ((tile_m * spec.rows + row) * groups + group) * pe.planes + plane
        columns = (tile * spec.columns)[:, None] + np.arange(spec.columns)
        return np.broadcast_to(place[:, None], columns.shape), columns

    ports = {
        "a": PortBeats(
            matrix="A", count=tiles * walk, lanes=spec.rows * spec.lanes, locate=a_lanes
        ),
        "b": PortBeats(
            matrix="words",
            count=tiles * walk,
            lanes=spec.columns * pe.units,
            locate=by_column(walk, pe.units),
        ),
        "c": PortBeats(
            matrix="sums",
            count=m * tiles_n * groups * pe.planes,
            lanes=spec.columns,
            locate=c_lanes,
        ),
    }
    if pe.side:
        ports["s"] = PortBeats(
            matrix="side",
            count=tiles * side_count,
            lanes=pe.side.units * (1 if pe.side.sets else spec.columns),
            locate=by_column(side_count, pe.side.units, pe.side.sets),
        )
    return MappingProxyType(ports)


@carried.register
def _(
    spec: BlockDotSpec, a: NDArray[np.integer], b: PackedWeights, results: NDArray[np.int64]
) -> Mapping[str, PortValues]:
    pe = spec.pe
    words = units(pe, b)
    # Rows of the sums are (row, group, plane); their columns are the outputs.
    sums = results.transpose(0, 3, 2, 1).reshape(-1, b.n)
    ports = {
        "a": PortValues(a, pe.a.width),
        "b": PortValues(words.reshape(len(words), -1), pe.unit_bits),
        "c": PortValues(sums, pe.acc_width),
    }
    if pe.side:
        integers = side(pe, b)
        ports["s"] = PortValues(integers.reshape(len(integers), -1), pe.side.bits)
    return ports


@simulate.register
def _(spec: BlockDotSpec, a: NDArray[np.integer], b: PackedWeights) -> MatmulResult:
    check_operand("a", a, spec.pe.a)
    check_packed(spec, b)
    (m, k), n = a.shape, b.n
    if k != b.k:
        raise ValueError(f"Operands must share k: a is {a.shape}, b is {(b.k, b.n)}")
    check_block_sizes(spec, m=m, n=n, k=k)
    sums = partials(spec.pe, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    return MatmulResult(
        acc=combine(spec.pe, sums),
        partials=sums,
        overflow=0,
        cycles=total,
        activity=_activity(spec, total, m=m, n=n, k=k),
    )


def check_packed(spec: BlockDotSpec, packed: PackedWeights) -> None:
    """Raise ``TypeError`` unless the weights are in the very format of the engine."""
    if not isinstance(packed, PackedWeights):
        raise TypeError(
            f"Operand b of {spec.name} must be PackedWeights, not {type(packed).__name__}"
        )
    if packed.format != spec.pe.format:
        raise TypeError(f"Operand b of {spec.name} must be {spec.pe.format}, not {packed.format}")


def _activity(spec: BlockDotSpec, total: int, *, m: int, n: int, k: int) -> Activity:
    pe, walk, macs = spec.pe, spec.pe.walk.beats(k), m * n * k
    # How often each part sees a beat of real rows and columns.
    times = (
        (pe.row_part.operations, m * -(-n // spec.columns)),
        (pe.column_part.operations, n * -(-m // spec.rows)),
        (pe.cell.operations, m * n),
    )
    return Activity(
        macs=macs,
        digits=macs,
        idle_slots=total * spec.rows * spec.columns * spec.lanes // pe.walk.interval - macs,
        register_writes=None,
        beats=beat_counts(spec, m=m, n=n, k=k),
        lookups=sum(work.lookups * count * walk for work, count in times),
        adds=sum(work.adds * count * walk for work, count in times),
        multiplies=sum(work.multiplies * count * walk for work, count in times),
    )

"""Lanes of digits that are dealt evenly: no empty slot, and next to no waiting at the barrier.

All lanes work on one row of ``a`` and feed one pair in each PE (``sim.pe.dealt``). A beat brings
``beat`` elements of the row; each is recoded, its non-zero digits are counted, and the beat is
dealt to the lanes in one of two layouts, whichever leaves the fullest lane emptier (``columns`` if
equal). With four lanes and a beat of 16 k::

    columns: lane i gets k = i, i + 4, i + 8, i + 12     rows: lane i gets k = 4 i .. 4 i + 3

Each lane has its own queue, and its own copy of just those ``b`` that either layout can ask of it:
two copies in all, whatever the number of lanes, each read at one address a clock. A lane issues
one non-zero digit a clock, of any bit-weight, until its queue is empty; zeros, whole words of zeros
included, take no clock. Lanes meet at the end of a row, where what the beats left uneven costs a
digit or two.

``segment``: one row, or ``k_depth`` of it if k is longer; queues hold two. A row of one segment of
two beats, three digits in the fullest lane, two outputs. Columns are rising clock edges::

    edge               1   2   3   4   5   6   7   8   9   10  11  12  13  14
    cmd                x
    a, b accepted          0   1
    beat dealt                 0   1
    queues read                        s                                start, two after a
    digits issued                          0   1   2                    end at s + 3
    PE takes b                                 0   1   2
    PE adds                                        0   1   2
    pairs caught                                               x        end + 3
    c delivers                                                                 y0  y1

The next segment starts on the edge that ends
this one if its beats are there. Pairs leave through one adder, one output a clock, while the next
row issues; a row may end once ``outputs + 4`` edges have passed since the one before it ended.
With loads hidden and no row shorter than that::

    cycles = start + tiles * sum over segments of the fullest lane's digits + outputs + 4

RTL twin: ``rtl.engines.column_dealt``.
Source: ours; what is compared with is arXiv 2503.06342 (``docs/column_engines.md``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import (
    Activity,
    Locate,
    MatmulResult,
    PortBeats,
    beat_counts,
    beats,
    check_operands,
    cycles,
    refuse_sizes_only,
    simulate,
)
from bitweight.sim.kernels.dealing import Sizes, Times, deal, time_segments
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.results import check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_MAX_PES = 256
_MAX_BEAT = 64
_MAX_K_DEPTH = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DealtColumnSpec:
    """Parameters of an engine of dealt digits.

    Attributes:
        pe: The PE; its lanes are the engine's.
        pes: PEs, 1 to 256: outputs of a row at a time.
        beat: k of one beat of ``a`` and of ``b``, a multiple of ``pe.lanes`` up to 64. Rows with
            fewer than ``lanes / beat`` digits per k wait for their beats.
        k_depth: k of one segment, a multiple of ``beat``: each lane's queue holds two segments of
            up to ``k_depth / beat`` words of ``beat / lanes`` elements. A longer row is several
            segments, and b is sent again for each row.
        double_buffer: Load a tile of b while the one before it computes.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: DealtPeSpec
    pes: int = 16
    beat: int = 16
    k_depth: int = 2048
    double_buffer: bool = True
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse engines without PEs, and beats that lanes cannot share evenly."""
        if not 1 <= self.pes <= _MAX_PES:
            raise ValueError(f"Column engine pes must be 1 to {_MAX_PES}, not {self.pes!r}")
        lanes = self.pe.lanes
        if not lanes <= self.beat <= _MAX_BEAT or self.beat % lanes:
            raise ValueError(
                f"beat must be a multiple of {lanes} lanes up to {_MAX_BEAT}, not {self.beat!r}"
            )
        if not self.beat <= self.k_depth <= _MAX_K_DEPTH or self.k_depth % self.beat:
            raise ValueError(
                f"k_depth must be a multiple of the beat, {self.beat}, up to {_MAX_K_DEPTH}, "
                f"not {self.k_depth!r}"
            )
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"column/{self.pe.name}"

    @property
    def small(self) -> "DealtColumnSpec":
        """The same engine at a size that benches build in seconds; it folds from k = 17 on."""
        return replace(self, pes=3, beat=2 * self.pe.lanes, k_depth=4 * self.pe.lanes)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the digits of ``a``."""
        return True

    @property
    def nest(self) -> None:
        """The notation has no loop whose iterations are dealt to lanes by their digits."""
        return

    @property
    def peak_macs(self) -> int:
        """Digits per clock when every lane works; a MAC takes as many as it has non-zero ones."""
        return self.pes * self.pe.lanes

    @property
    def share(self) -> int:
        """Elements that a lane gets of a beat."""
        return self.beat // self.pe.lanes

    @property
    def words(self) -> int:
        """Words that a lane's queue holds of one segment."""
        return self.k_depth // self.beat

    @property
    def layouts(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Places in a beat that each lane gets: by columns, and by rows."""
        lanes, share = range(self.pe.lanes), range(self.share)
        return (
            tuple(tuple(lane + self.pe.lanes * part for part in share) for lane in lanes),
            tuple(tuple(lane * self.share + part for part in share) for lane in lanes),
        )

    def issue_clocks(self, a: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the clocks that each segment of ``a`` issues, shape (m, folds).

        Args:
            a: Shape (m, k), integers in ``pe.a``.
        """
        counts = self.pe.code.nonzero_counts(self.pe.a)[a.astype(np.int64) & self.pe.a.mask]
        most: NDArray[np.int64] = deal(counts, self.pe.lanes, self.beat, self.k_depth)
        return np.maximum(most, 1)

    def steady_cycles(self, a: NDArray[np.integer], *, n: int) -> int:
        """Cycles of ``a @ b`` less first fill and last drain: first start to last end."""
        times = _times(self, a, n)
        return times.end - times.start

    def overhead_cycles(self, a: NDArray[np.integer], *, n: int) -> int:
        """Cycles of ``a @ b`` in which the fullest lane issues nothing: a function of ``a``."""
        issue = int(self.issue_clocks(a).sum()) * -(-n // self.pes)
        return _times(self, a, n).result - issue


def _times(spec: DealtColumnSpec, a: NDArray[np.integer], n: int) -> Times:
    held = 2 if spec.double_buffer else 1
    sizes = Sizes(n, a.shape[1], spec.pes, spec.beat, spec.k_depth, held)
    times: Times = time_segments(spec.issue_clocks(a), sizes)
    return Times(*(int(edge) for edge in times))


@cycles.register
def _(spec: DealtColumnSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    refuse_sizes_only(spec.name)


@beats.register
def _(spec: DealtColumnSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    tiles, row_beats = -(-n // spec.pes), -(-k // spec.beat)
    # k_depth is a multiple of the beat, so folds change neither order nor number of a's beats.
    b_times = m if k > spec.k_depth else 1
    ports = {
        "a": PortBeats(
            matrix="A",
            count=tiles * m * row_beats,
            lanes=spec.beat,
            locate=_a_lanes(spec, m, row_beats),
        ),
        "b": PortBeats(
            matrix="B",
            count=tiles * b_times * row_beats,
            lanes=spec.beat * spec.pes,
            locate=_b_lanes(spec, b_times, row_beats),
        ),
        "c": PortBeats(matrix="C", count=m * n, lanes=1, locate=_c_lanes(spec, m, n)),
    }
    return MappingProxyType(ports)


def _a_lanes(spec: DealtColumnSpec, m: int, row_beats: int) -> Locate:
    """Walk tiles of n, rows and their beats."""

    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        row, part = np.divmod(beat, row_beats)
        places = (part * spec.beat)[:, None] + np.arange(spec.beat)
        return np.broadcast_to((row % m)[:, None], places.shape), places

    return locate


def _b_lanes(spec: DealtColumnSpec, times: int, row_beats: int) -> Locate:
    """Walk tiles of n, rows if k is folded, and beats; lanes are k outside, outputs inside."""

    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        again, part = np.divmod(beat, row_beats)
        place, output = np.divmod(np.arange(spec.beat * spec.pes), spec.pes)
        return (
            (part * spec.beat)[:, None] + place,
            (again // times * spec.pes)[:, None] + output,
        )

    return locate


def _c_lanes(spec: DealtColumnSpec, m: int, n: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tile, within = np.divmod(beat, m * spec.pes)
        # Only the last tile can be narrow, so the tiles before it are all full.
        row, output = np.divmod(within, np.minimum(spec.pes, n - tile * spec.pes))
        return row[:, None], (tile * spec.pes + output)[:, None]

    return locate


@simulate.register
def _(spec: DealtColumnSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = _times(spec, a, n).result
    counts = spec.pe.code.nonzero_counts(spec.pe.a)
    digits = n * int(counts[a.astype(np.int64) & spec.pe.a.mask].sum(dtype=np.int64))
    activity = Activity(
        macs=m * n * k,
        digits=digits,
        idle_slots=total * spec.peak_macs - digits,
        register_writes=total * spec.pes * spec.pe.register_bits,
        beats=beat_counts(spec, m=m, n=n, k=k),
    )
    return MatmulResult(acc=acc, overflow=overflow, cycles=total, activity=activity)

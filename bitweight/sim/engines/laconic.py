"""Laconic engine: both operands recoded, one pair of non-zero digits per lane and clock.

PEs stand ``rows`` along m by ``cols`` along n and have ``lanes`` along k. A beat carries a group of
``lanes`` k for all rows (``a``) and columns (``b``). Recoders at the edge list the non-zero digits
of every code; each lane walks its pairs, the digits of ``b`` inside those of ``a``, in step in all
PEs: so digits are picked once per row and column, not once per PE. A row or column whose list is
shorter than another's in this lane has nothing to do meanwhile. A lane takes as many clocks as the
longest list of its rows times the longest of its columns, which is the slowest PE's own count; a
group ends with its slowest lane and takes at least one clock.

One tile of 2 x 2 PEs, two groups of 3 and 1 clocks. Columns are rising clock edges::

    edge           1   2   3   4   5   6   7   8   9   10  11
    cmd            x
    a, b accepted      g0          g1                  (next tile)
    pairs taken            0   1   2   0
    total adds                 0   1   2   0
    acc adds                       0   1   2   0
    row read                                       r0  r1
    c delivers                                         r0  r1

Accumulators are read in place, so a tile's first beat is accepted on the edge that reads the last
row of the tile before it. ``cycles`` depends on digits; with S the clocks of all groups it is
``3 + S + sum over tiles (tile_rows + 2)``.

RTL twin: ``rtl.engines.laconic``.
Source: Laconic, arXiv 1805.04513 (ISCA 2019); array, lanes and synchronisation of all PEs as in the
comparison of arXiv 2503.06342. Walking in step, registers and drain are ours; PEs with queues of
their own, which would let a fast PE run ahead, are not offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import (
    Activity,
    MatmulResult,
    PortBeats,
    beat_counts,
    beats,
    check_operands,
    cycles,
    refuse_sizes_only,
    simulate,
)
from bitweight.sim.engines.bit_slice_tiles import check_sides, tile_beats, tile_rows
from bitweight.sim.kernels.pair_clocks import pair_clocks
from bitweight.sim.pe.laconic import LaconicPeSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gemm import check_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class LaconicSpec:
    """Parameters of a Laconic engine.

    Attributes:
        pe: The PE at every place; it says how many lanes there are and how codes are recoded.
        rows: PEs along m, 1 to 64.
        cols: PEs along n, 1 to 64.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: LaconicPeSpec = field(default_factory=LaconicPeSpec)
    rows: int = 4
    cols: int = 4
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse arrays without PEs."""
        check_sides(self.rows, self.cols)
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"bit_slice/{self.pe.name}"

    @property
    def small(self) -> "LaconicSpec":
        """The same engine at a size that benches build in seconds; not square."""
        return replace(self, rows=3, cols=2)

    @property
    def data_dependent(self) -> bool:
        """Zero digits take no clock."""
        return True

    @property
    def nest(self) -> None:
        """None: the notation recodes one operand."""
        return

    @property
    def peak_macs(self) -> int:
        """Digit pairs per clock, one per lane; a MAC takes one for each of its pairs."""
        return self.rows * self.cols * self.pe.lanes

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no lane takes a pair: command, fill, waiting and drain.

        They depend on m and n only.
        """
        check_sizes(m=m, n=n, k=k)
        command, fill = 1, 2
        col_tiles = -(-n // self.cols)
        return command + fill + sum((rows + 2) * col_tiles for rows in tile_rows(self, m))


def _digit_counts(
    spec: LaconicSpec, form: IntFormat, codes: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Return the number of non-zero digits of every code, of the same shape."""
    table = RECODINGS[spec.pe.recoding].nonzero_counts(form)
    counts: NDArray[np.uint8] = table[codes.astype(np.int64) & form.mask]
    return counts


def _most(counts: NDArray[np.uint8], side: int, lanes: int) -> NDArray[np.uint8]:
    """Return the greatest count among each ``side`` rows, shape (tiles, k padded to groups)."""
    padded = np.pad(counts, ((0, -counts.shape[0] % side), (0, -counts.shape[1] % lanes)))
    most: NDArray[np.uint8] = padded.reshape(-1, side, padded.shape[1]).max(axis=1)
    return most


@cycles.register
def _(spec: LaconicSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    refuse_sizes_only(spec.name)


@beats.register
def _(spec: LaconicSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    return tile_beats(spec, m=m, n=n, k=k)


@simulate.register
def _(spec: LaconicSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    check_depth(spec, k)
    acc, overflow = deliver(spec, a, b)
    a_counts = _digit_counts(spec, spec.pe.a, a)
    b_counts = _digit_counts(spec, spec.pe.b, b.T)
    lanes = spec.pe.lanes
    a_most, b_most = _most(a_counts, spec.rows, lanes), _most(b_counts, spec.cols, lanes)
    clocks = int(pair_clocks(a_most, b_most, lanes))
    total = clocks + spec.overhead_cycles(m=m, n=n, k=k)
    pairs = int(a_counts.sum(axis=0, dtype=np.int64) @ b_counts.sum(axis=0, dtype=np.int64))
    activity = Activity(
        macs=m * n * k,
        digits=pairs,
        idle_slots=total * spec.peak_macs - pairs,
        register_writes=total * spec.rows * spec.cols * spec.pe.register_bits,
        beats=beat_counts(spec, m=m, n=n, k=k),
    )
    return MatmulResult(acc=acc, overflow=overflow, cycles=total, activity=activity)

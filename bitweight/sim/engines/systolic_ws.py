"""Weight-stationary systolic array: every PE keeps one weight, partial sums travel.

``rows`` PEs lie along k, ``cols`` along n. A beat of ``b`` carries one row of b; a tile's rows come
in descending order and move down, so that the first ends in the last row. A beat of ``a`` carries
``rows`` neighbours along k of one row of a; the engine skews its lanes, and they travel along n.
Partial sums travel down along k and take one product from each PE. At the bottom, tiles of k
accumulate: each column has a memory of ``acc_depth`` words, which a fold's first tile of k writes
and the others add to; the last one's sums are delivered. With the carry-save PE the (sum, carry)
pair travels, and one adder per column resolves it at the bottom.

A GEMM is cut, from outside in, into tiles of n, folds of ``acc_depth`` rows of m and tiles of k.
The weights of a tile are sent for every fold, always ``rows`` beats: rows past k are padding.

One tile of 2 x 2 PEs, m = 3. Columns are rising clock edges; the last row is accepted at e = 6::

    edge               1   2   3   4   5   6   7   8   9   10  11  12  13
    cmd                x
    b accepted             w1  w0
    a accepted                     r0  r1  r2
    PE(0,0) adds                       r0  r1  r2
    PE(0,1), PE(1,0) add                   r0  r1  r2
    PE(1,1) adds                               r0  r1  r2
    sum with memory, column 1                      r0  r1  r2
    memory or buffer written, column 1                 r0  r1  r2
    buffer read                                            r0  r1  r2
    c delivers, mac                                            r0  r1  r2

``carry_save`` resolves before it adds to the memory, and a pipelined PE registers its product
beside the travelling sum: one edge each, once per GEMM.

With ``double_buffer`` weights move down in a wave with a's skew, through second registers, and
every PE takes its own over one edge before the tile's first row reaches it. So the next tile's
first beat of ``b`` may come with this tile's first beat of ``a``. Without it weights ripple through
the only registers, ``rows + 1`` edges with the one at the boundary, and the next tile's first beat
may come with the edge of this tile's last product: in the picture, at 9.

A sum is read, added to and written back in ``add_period`` edges. A tile that follows one of fewer
rows than that waits until their sums are written; without stalls that is seen only where one or
two rows of PEs load as fast.

RTL twin: ``rtl.engines.systolic_ws``.
Source: weight-stationary baseline and OPT1 of arXiv 2503.06342. Its array takes ``load_cycles``,
then m + n + k - 1 edges (``tile_cycles``), with sums as wide as k products need, and so does ours.
There weights ripple along n through the registers of a; here they move along k through their own,
so that a beat is a row of b. Accumulation at the edge, second weight registers and drain are ours.
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
    simulate,
)
from bitweight.sim.notation import Nest
from bitweight.sim.notation import engines as nests
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.chained import ChainedMacSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_MAX_SIDE = 256
_MAX_ACC_DEPTH = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SystolicWsSpec:
    """Parameters of a weight-stationary systolic engine.

    Beside the accumulators it holds a buffer of ``result_depth`` results per column, so that no row
    in flight is lost when ``c`` stalls.

    Attributes:
        pe: The PE at every place; ``pe.acc_width`` is the width of the accumulators at the edge.
        rows: PEs along k, 1 to 256.
        cols: PEs along n, 1 to 256.
        acc_depth: Words of each column's accumulator memory: rows of m in a fold, 1 to 65536.
        double_buffer: Load the next tile's weights into second registers while one computes.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: MacSpec | CarrySaveMacSpec
    rows: int = 16
    cols: int = 16
    acc_depth: int = 256
    double_buffer: bool = True
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse arrays without PEs or accumulators."""
        for side, size in (("rows", self.rows), ("cols", self.cols)):
            if not 1 <= size <= _MAX_SIDE:
                raise ValueError(f"Systolic array {side} must be 1 to {_MAX_SIDE}, not {size!r}")
        if not 1 <= self.acc_depth <= _MAX_ACC_DEPTH:
            raise ValueError(
                f"Accumulator depth must be 1 to {_MAX_ACC_DEPTH} words, not {self.acc_depth!r}"
            )
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"systolic_ws/{self.pe.name}"

    @property
    def small(self) -> "SystolicWsSpec":
        """The same engine at a size that benches build in seconds; not square, m folds early."""
        return replace(self, rows=3, cols=4, acc_depth=5)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the sizes."""
        return False

    @property
    def nest(self) -> Nest:
        """Loop nest: n and k spatial, m temporal."""
        plain = nests.systolic_ws(rows=self.rows, cols=self.cols)
        return nests.carry_save(plain) if isinstance(self.pe, CarrySaveMacSpec) else plain

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every PE works."""
        return self.rows * self.cols

    @property
    def chain(self) -> ChainedMacSpec:
        """The PE as it stands in the array: one of a chain along k."""
        return ChainedMacSpec(pe=self.pe, depth=self.rows)

    @property
    def chain_start(self) -> tuple[int, ...]:
        """Words that enter the first row, always.

        A pair is resolved at the bottom before it is widened. So it may start at minus its bias
        instead of zero, and its value at the bottom is the sum in two's complement.
        """
        chain = self.chain
        return (-chain.bias % (1 << chain.width), 0) if chain.is_pair else chain.start

    @property
    def load_cycles(self) -> int:
        """Edges that load a tile into the array without control and without ``double_buffer``."""
        return self.rows + 1

    @property
    def sum_latency(self) -> int:
        """Edges from the one that accepts a beat of ``a`` to column 0's sum, resolved."""
        return self.rows + self.pe.latency - 1 + self.pe.resolve_latency

    @property
    def drain_cycles(self) -> int:
        """Edges from the one that accepts a beat of ``a`` to the one that delivers its results.

        After the last column's sum: add the memory's, write the buffer, read it, deliver.
        """
        return self.sum_latency + self.cols - 1 + 4

    @property
    def result_depth(self) -> int:
        """Words of each column's result buffer: rows in flight at full rate."""
        return self.drain_cycles + 1

    @property
    def add_period(self) -> int:
        """Least edges between two additions to one accumulator: read, add, write."""
        return 3

    def tile_cycles(self, m: int) -> int:
        """Edges of one loaded tile in the array without its control.

        From the edge that samples its first row of a to the one that writes its last partial sum.
        """
        return m + self.rows + self.cols - 2 + self.pe.latency

    def tile_period(self, m: int) -> int:
        """Edges from the first row of a tile of ``m`` rows to the next tile's first row."""
        # Single weights: the last product, then all of the next tile's weights.
        natural = max(m, self.rows) if self.double_buffer else m + 2 * self.rows + self.cols - 2
        return max(natural, self.add_period)

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no beat of ``a`` is accepted: command, loads, fill, drain."""
        return cycles(self, m=m, n=n, k=k) - m * -(-n // self.cols) * -(-k // self.rows)


@cycles.register
def _(spec: SystolicWsSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    check_depth(spec, k)
    col_tiles, folds, k_tiles = _tiles(spec, m, n, k)
    last_rows = m - (folds - 1) * spec.acc_depth
    # Every tile but the GEMM's last takes its period; that one ends with its last result beat.
    full = col_tiles * (folds - 1) * k_tiles * spec.tile_period(spec.acc_depth)
    last = (col_tiles * k_tiles - 1) * spec.tile_period(last_rows)
    command = 1
    return command + spec.rows + full + last + last_rows + spec.drain_cycles


def _tiles(spec: SystolicWsSpec, m: int, n: int, k: int) -> tuple[int, int, int]:
    """Return the tiles of n, the folds of m and the tiles of k."""
    return -(-n // spec.cols), -(-m // spec.acc_depth), -(-k // spec.rows)


@beats.register
def _(spec: SystolicWsSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    col_tiles, folds, k_tiles = _tiles(spec, m, n, k)
    ports = {
        "a": PortBeats(
            matrix="A",
            count=col_tiles * k_tiles * m,
            lanes=spec.rows,
            locate=_a_lanes(spec, m, k_tiles),
        ),
        "b": PortBeats(
            matrix="B",
            count=col_tiles * folds * k_tiles * spec.rows,
            lanes=spec.cols,
            locate=_b_lanes(spec, folds, k_tiles),
        ),
        "c": PortBeats(matrix="C", count=col_tiles * m, lanes=spec.cols, locate=_c_lanes(spec, m)),
    }
    return MappingProxyType(ports)


def _a_lanes(spec: SystolicWsSpec, m: int, k_tiles: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        # Only the last fold can be short, so the folds before it are all full.
        fold, within = np.divmod(beat % (k_tiles * m), k_tiles * spec.acc_depth)
        k_tile, row = np.divmod(within, np.minimum(spec.acc_depth, m - fold * spec.acc_depth))
        columns = (k_tile * spec.rows)[:, None] + np.arange(spec.rows)
        rows = (fold * spec.acc_depth + row)[:, None]
        return np.broadcast_to(rows, columns.shape), columns

    return locate


def _b_lanes(spec: SystolicWsSpec, folds: int, k_tiles: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tile, step = np.divmod(beat, spec.rows)
        columns = (tile // (k_tiles * folds) * spec.cols)[:, None] + np.arange(spec.cols)
        rows = (tile % k_tiles * spec.rows + spec.rows - 1 - step)[:, None]
        return np.broadcast_to(rows, columns.shape), columns

    return locate


def _c_lanes(spec: SystolicWsSpec, m: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        col_tile, row = np.divmod(beat, m)
        columns = (col_tile * spec.cols)[:, None] + np.arange(spec.cols)
        return np.broadcast_to(row[:, None], columns.shape), columns

    return locate


@simulate.register
def _(spec: SystolicWsSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    return MatmulResult(
        acc=acc, overflow=overflow, cycles=total, activity=_activity(spec, m, n, k, total)
    )


def _activity(spec: SystolicWsSpec, m: int, n: int, k: int, total: int) -> Activity:
    macs = m * n * k
    digits = spec.pe.digits
    counts = beat_counts(spec, m=m, n=n, k=k)
    tiles = counts["b"] // spec.rows
    return Activity(
        macs=macs,
        digits=macs * digits,
        idle_slots=(total * spec.peak_macs - macs) * digits,
        register_writes=total * spec.peak_macs * _free_bits(spec) + tiles * _weight_writes(spec),
        beats=counts,
    )


def _free_bits(spec: SystolicWsSpec) -> int:
    """Flip-flops of a PE that every clock writes: its words, a, and the tags of two weights."""
    return spec.chain.register_bits + spec.pe.a.width + (2 if spec.double_buffer else 0)


def _weight_writes(spec: SystolicWsSpec) -> int:
    """Bits that loading one tile writes to the PEs' weight registers."""
    if not spec.double_buffer:
        return spec.rows * spec.peak_macs * spec.pe.b.width
    # The wave of each beat ends one row higher; then each PE takes its weight over.
    waves = spec.cols * spec.rows * (spec.rows + 1) // 2
    return (waves + spec.peak_macs) * spec.pe.b.width

"""Columns of digit PEs: each column walks the non-zero digits of one row of ``a``.

A column computes one row of C for ``pes`` outputs: a pass for each bit-weight, a clock for each
non-zero digit, at least one for each group of four k (``sim.pe.digit``). Rows are dealt to columns
in order; a tile of ``columns`` rows ends with its slowest. Walks, outermost first: blocks of
``acc_depth`` rows, tiles of ``pes`` outputs, folds of ``k_depth``, row tiles.

PEs of a column run one clock after another: lines and b address hop. So their passes end one after
another too, and one adder for the column resolves, shifts and adds every pair into C (a memory of
``acc_depth`` rows) while the next pass runs. No PE holds a second pair, an adder or a shifter; in
return a pass lasts at least ``min_pass`` clocks, padded with empty slots. Rejected: capturing
pairs (a second set of registers in each PE), and Horner's rule in the PE (a feedback shift
multiplexer on a pair as wide as the result). ``grouped`` has four lanes with an address each.

One column of two PEs, int4 in radix 4: two passes P and Q of ``min_pass`` = 4 clocks, one digit and
three empty slots each. Columns are rising edges, counted from the one that starts the tile::

    edge               1   2   3   4   5   6   7   8   9   10  11  12  13  14  15  16  17  18  19
    digit leaves list  P   .   .   .   Q   .   .   .
    b of PE 0 read         P               Q
    PE 0 takes both            P               Q
    PE 0 adds                      P               Q
    PE 0, PE 1 read                                P   P           Q   Q
    resolved                                           P   P           Q   Q
    added to C                                             P   P           Q   Q
    written                                                    P   P           Q   Q
    results read                                                                       y0  y1
    c delivers                                                                             y0  y1

Row tiles follow each other without a bubble when their rows are there: a beat of ``a`` carries four
k of every row of a tile into one of two row buffers, a beat of ``b`` one k into one of two tiles
(one without ``double_buffer``). The first tile starts on edge ``max(groups + 3, k + 2)``, groups
and k of its fold; with everything after it loaded in time::

    cycles = start + sum over tiles of the slowest row's clocks + pes + 7 + results of the last row

where the last row is the slowest of its tile; ``sim.kernels.column_schedule`` has every other case.
With four lanes a row tile may take fewer clocks than its b tile has k: in decode b is the limit.

RTL twin: ``rtl.engines.column``.
Source: arXiv 2503.06342, OPT3, OPT4C, OPT4E. One column with everything loaded is the published
``sum of issue clocks``; several columns, ``sync``, folds, resolving and draining are ours.
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
from bitweight.sim.kernels.column_schedule import Schedule, count_edges
from bitweight.sim.kernels.digit_passes import packed_digits, pass_clocks
from bitweight.sim.notation import Nest
from bitweight.sim.notation import engines as nests
from bitweight.sim.pe.digit import GROUP, GroupedSpec, SharedEncoderSpec, SparseDigitSpec
from bitweight.sim.results import check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_MAX_COLUMNS = 64
_MAX_PES = 256
_MAX_C_DEPTH = 256
_MAX_ACC_DEPTH = 1 << 16
# A word of C is written three edges after it is addressed; only then it may be read again.
_ADD_LATENCY = 4
_FETCH_LATENCY = 2
_DRAIN_LATENCY = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """Parameters of a column engine.

    Attributes:
        pe: The PE; its kind says where digits are listed and how many lanes feed a pair.
        columns: Columns, 1 to 64: rows of a at a time.
        pes: PEs of a column, 1 to 256: outputs of a row at a time.
        k_depth: k that the buffers hold, a multiple of 4 for each lane; a longer k is folded.
        acc_depth: Rows of C that accumulate over folds of k, a multiple of ``columns``.
        c_depth: Row tiles of results that wait for ``c``, 1 to 256; the next one does not start.
        double_buffer: Load a tile of b while the one before it computes.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: SparseDigitSpec | SharedEncoderSpec | GroupedSpec
    columns: int = 4
    pes: int = 16
    k_depth: int = 1024
    acc_depth: int = 64
    c_depth: int = 4
    double_buffer: bool = True
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse engines without PEs, and blocks of rows that columns cannot share evenly."""
        for side, size, limit in (
            ("columns", self.columns, _MAX_COLUMNS),
            ("pes", self.pes, _MAX_PES),
            ("c_depth", self.c_depth, _MAX_C_DEPTH),
        ):
            if not 1 <= size <= limit:
                raise ValueError(f"Column engine {side} must be 1 to {limit}, not {size!r}")
        if not self.columns <= self.acc_depth <= _MAX_ACC_DEPTH or self.acc_depth % self.columns:
            raise ValueError(
                f"acc_depth must be a multiple of {self.columns} columns up to {_MAX_ACC_DEPTH}, "
                f"not {self.acc_depth!r}"
            )
        step = GROUP * self.pe.lanes
        if not 2 * step <= self.k_depth <= self.pe.pass_depth or self.k_depth % step:
            raise ValueError(
                f"k_depth must be a multiple of {step}, {2 * step} to pe.pass_depth "
                f"({self.pe.pass_depth}), not {self.k_depth!r}"
            )
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"column/{self.pe.name}"

    @property
    def small(self) -> "ColumnSpec":
        """The same engine at a size that benches build in seconds; folds and blocks are short."""
        k_depth = 2 * GROUP * max(2, self.pe.lanes)
        return replace(self, columns=2, pes=3, k_depth=k_depth, acc_depth=4, c_depth=2)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the digits of ``a``."""
        return True

    @property
    def nest(self) -> Nest:
        """Loop nest: m and n spatial, k and bit-weights temporal, zero digits left out."""
        plain = nests.column(columns=self.columns, pes=self.pes, k_depth=self.k_depth)
        if isinstance(self.pe, GroupedSpec):
            return nests.grouped(plain, lanes=self.pe.lanes)
        if isinstance(self.pe, SharedEncoderSpec):
            return nests.shared_encoder(plain)
        return nests.sparse_digit(plain)

    @property
    def peak_macs(self) -> int:
        """Digits per clock when every lane works; a MAC takes as many as it has non-zero ones."""
        return self.columns * self.pes * self.pe.lanes

    @property
    def row_bits(self) -> int:
        """Bits that say which of a lane's groups is meant, in one of two buffers."""
        return 1 + (self.k_depth // (GROUP * self.pe.lanes) - 1).bit_length()

    @property
    def min_pass(self) -> int:
        """Clocks that a pass lasts at least: until all PEs of the pass before have been read."""
        return max(self.pes, _ADD_LATENCY)

    def tile_cycles(self, issue: int) -> int:
        """Edges of one column without its control, for one row of ``issue`` clocks.

        From the edge that lists its first digit to the one that writes its last pair.
        """
        return issue + 4 + self.pes - 1

    def overhead_cycles(self, a: NDArray[np.integer], *, n: int) -> int:
        """Cycles of ``a @ b`` in which the slowest column lists no group: a function of ``a``."""
        issue = _over_tiles(self, _pass_clocks(self, a).sum(axis=2)) * -(-n // self.pes)
        return _cycles(self, a, n) - issue


def _pass_clocks(spec: ColumnSpec, a: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the clocks of each pass, not padded, shape (folds, m, digits)."""
    pe = spec.pe
    table = pe.code.digit_table(pe.a)
    patterns = a.astype(np.int64) & pe.a.mask
    clocks: NDArray[np.int64] = pass_clocks(
        patterns, packed_digits(table), pe.digits, spec.k_depth, pe.lanes
    )
    return clocks


def _over_tiles(spec: ColumnSpec, row_clocks: NDArray[np.int64]) -> int:
    """Add up the slowest rows of all tiles, given shape (folds, m)."""
    starts = np.arange(0, row_clocks.shape[1], spec.columns)
    return int(np.maximum.reduceat(row_clocks, starts, axis=1).sum())


def _cycles(spec: ColumnSpec, a: NDArray[np.integer], n: int) -> int:
    row_clocks = np.maximum(_pass_clocks(spec, a), spec.min_pass).sum(axis=2)
    schedule = Schedule(
        n=n,
        k=a.shape[1],
        columns=spec.columns,
        pes=spec.pes,
        k_depth=spec.k_depth,
        acc_depth=spec.acc_depth,
        c_depth=spec.c_depth,
        double_buffer=spec.double_buffer,
        fetch_latency=_FETCH_LATENCY,
        drain_latency=_DRAIN_LATENCY,
    )
    return int(count_edges(row_clocks, schedule))


@cycles.register
def _(spec: ColumnSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    refuse_sizes_only(spec.name)


@beats.register
def _(spec: ColumnSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    blocks, tiles = -(-m // spec.acc_depth), -(-n // spec.pes)
    depth = spec.k_depth
    # Only the last fold can have a ragged group, so the groups of a row are those of all its folds.
    row_tiles, groups = -(-m // spec.columns), -(-k // GROUP)
    ports = {
        "a": PortBeats(
            matrix="A",
            count=row_tiles * tiles * groups,
            lanes=spec.columns * GROUP,
            locate=_a_lanes(spec, m, tiles, groups),
        ),
        "b": PortBeats(
            matrix="B", count=blocks * tiles * k, lanes=spec.pes, locate=_b_lanes(spec, tiles, k)
        ),
        "c": PortBeats(matrix="C", count=m * n, lanes=1, locate=_c_lanes(spec, m, n)),
    }
    assert depth % GROUP == 0, "a fold would end inside a group"
    return MappingProxyType(ports)


def _a_lanes(spec: ColumnSpec, m: int, tiles: int, groups: int) -> Locate:
    """Walk blocks of rows, tiles of n, folds, row tiles and groups."""
    block_tiles = spec.acc_depth // spec.columns
    fold_groups = spec.k_depth // GROUP

    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        block, within = np.divmod(beat, block_tiles * tiles * groups)
        # Only the last block can be short.
        row_tiles = np.minimum(block_tiles, -(-m // spec.columns) - block * block_tiles)
        within %= row_tiles * groups
        fold, within = np.divmod(within, row_tiles * fold_groups)
        row_tile, group = np.divmod(within, np.minimum(fold_groups, groups - fold * fold_groups))
        lane_row, lane_k = np.divmod(np.arange(spec.columns * GROUP), GROUP)
        rows = ((block * block_tiles + row_tile) * spec.columns)[:, None] + lane_row
        return rows, ((fold * fold_groups + group) * GROUP)[:, None] + lane_k

    return locate


def _b_lanes(spec: ColumnSpec, tiles: int, k: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        columns = (beat // k % tiles * spec.pes)[:, None] + np.arange(spec.pes)
        return np.broadcast_to((beat % k)[:, None], columns.shape), columns

    return locate


def _c_lanes(spec: ColumnSpec, m: int, n: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        block, within = np.divmod(beat, spec.acc_depth * n)
        rows = np.minimum(spec.acc_depth, m - block * spec.acc_depth)
        tile, within = np.divmod(within, rows * spec.pes)
        row, column = np.divmod(within, np.minimum(spec.pes, n - tile * spec.pes))
        return (
            (block * spec.acc_depth + row)[:, None],
            (tile * spec.pes + column)[:, None],
        )

    return locate


@simulate.register
def _(spec: ColumnSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = _cycles(spec, a, n)
    counts = spec.pe.code.nonzero_counts(spec.pe.a)
    digits = n * int(counts[a.astype(np.int64) & spec.pe.a.mask].sum(dtype=np.int64))
    activity = Activity(
        macs=m * n * k,
        digits=digits,
        idle_slots=total * spec.peak_macs - digits,
        register_writes=total * spec.columns * spec.pes * spec.pe.register_bits,
        beats=beat_counts(spec, m=m, n=n, k=k),
    )
    return MatmulResult(acc=acc, overflow=overflow, cycles=total, activity=activity)

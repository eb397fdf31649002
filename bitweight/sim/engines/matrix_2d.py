"""Broadcast matrix: every PE keeps one output, and operands reach a whole row or column at once.

``a`` goes to all PEs of a row and ``b`` to all of a column, through one register at the edge: no
hops, no skew. A beat carries one k of a whole tile (``mac``), or ``k_lanes`` of them
(``same_weight``): then lane ``i * k_lanes + l`` of ``a`` is row i, k lane l; likewise for ``b``.
All PEs end a tile on the same edge; its rows leave one by one while the PEs hold their sums.

``same_weight`` recodes ``a`` once per row, ahead of the PEs, which takes one more register. With
``pe.temporal`` a pass over k takes one bit-weight, the most significant first, so that the beats of
a tile are sent once per digit; else all digits of a beat go at once.

One tile of 2 x 2 PEs and 3 beats. Columns are rising clock edges; the last beat comes at e = 4::

    edge                       1   2   3   4   5   6   7   8   9   10
    cmd                        x
    a, b accepted                  t0  t1  t2
    PEs add, mac                       t0  t1  t2
    row read, mac                                  r0  r1           row i: e + read_latency + 1 + i
    c delivers, mac                                    r0  r1
    PEs add, same_weight                   t0  t1  t2
    row read, same_weight                              r0  r1
    c delivers, same_weight                                    r0  r1   one more: resolves the pair

RTL twin: ``rtl.engines.matrix_2d``.
Source: FlexFlow-like 2D-Matrix and OPT2 of arXiv 2503.06342; no such RTL was released. A bare tile
takes k plus the pipeline (``tile_cycles``). Encoding outside the PEs is the paper's OPT4 step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    simulate,
)
from bitweight.sim.notation import Nest, share_encoder
from bitweight.sim.notation import engines as nests
from bitweight.sim.output_tiles import OutputTiles
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_MAX_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix2dSpec:
    """Parameters of a broadcast matrix.

    Attributes:
        pe: The PE at every place.
        rows: PEs along m, 1 to 256.
        cols: PEs along n, 1 to 256.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: MacSpec | SameWeightMacSpec
    rows: int = 16
    cols: int = 16
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse arrays without PEs."""
        for side, size in (("rows", self.rows), ("cols", self.cols)):
            if not 1 <= size <= _MAX_SIDE:
                raise ValueError(f"Broadcast matrix {side} must be 1 to {_MAX_SIDE}, not {size!r}")
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"matrix_2d/{self.pe.name}"

    @property
    def small(self) -> "Matrix2dSpec":
        """The same engine at a size that benches build in seconds; not square."""
        return replace(self, rows=3, cols=4)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the sizes."""
        return False

    @property
    def nest(self) -> Nest:
        """Loop nest: m and n spatial; of k and bw one temporal, or k in steps of ``k_lanes``."""
        plain = nests.matrix_2d(rows=self.rows, cols=self.cols)
        if isinstance(self.pe, MacSpec):
            return plain
        if self.pe.temporal:
            return share_encoder(nests.same_weight(plain, lanes=self.pe.k_lanes))
        # k lanes beside a spatial bw: the loops are a cube's.
        lanes = nests.cube(rows=self.rows, cols=self.cols, depth=self.pe.k_lanes)
        return share_encoder(nests.same_weight(lanes))

    @property
    def k_lanes(self) -> int:
        """Operand pairs of a PE."""
        return 1 if isinstance(self.pe, MacSpec) else self.pe.k_lanes

    @property
    def passes(self) -> int:
        """Passes over k of a tile."""
        return 1 if isinstance(self.pe, MacSpec) else self.pe.passes

    @property
    def front_latency(self) -> int:
        """Registers beside those at the edge: behind the recoders, if there are any."""
        return int(isinstance(self.pe, SameWeightMacSpec))

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every PE works, rounded up."""
        return -(-self.rows * self.cols * self.k_lanes // self.passes)

    @property
    def read_latency(self) -> int:
        """Edges from the one that accepts a tile's last beat to its rows being complete."""
        return self.front_latency + self.pe.latency

    def tile_beats(self, k: int) -> int:
        """Beats of a tile on ``a``, and on ``b``."""
        return self.passes * -(-k // self.k_lanes)

    def drain_cycles(self, tile_rows: int) -> int:
        """Edges from a tile's last input beat to its last result beat."""
        return self.read_latency + 1 + self.pe.resolve_latency + tile_rows

    def tile_cycles(self, k: int) -> int:
        """Edges of one tile in the array without its control.

        From the edge that samples its first operand to the one that writes its accumulators.
        """
        return self.tile_beats(k) + self.read_latency

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no operand beat is accepted: command, fill and drain."""
        return cycles(self, m=m, n=n, k=k) - beats(self, m=m, n=n, k=k)["a"].count


@cycles.register
def _(spec: Matrix2dSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    check_depth(spec, k)
    row_blocks, col_blocks = -(-m // spec.rows), -(-n // spec.cols)
    # The next tile starts once this one's last row has been read.
    tile = spec.tile_beats(k) + spec.read_latency
    read = tile * row_blocks * col_blocks + m * col_blocks
    command = 1
    return command + read + 1 + spec.pe.resolve_latency


@beats.register
def _(spec: Matrix2dSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    tile = {"rows": spec.rows, "cols": spec.cols, "lanes": spec.k_lanes, "passes": spec.passes}
    return OutputTiles(m=m, n=n, k=k, **tile).ports()


@simulate.register
def _(spec: Matrix2dSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    pes, macs = spec.rows * spec.cols, m * n * k
    slots = pes * spec.k_lanes * spec.pe.digits // spec.passes
    activity = Activity(
        macs=macs,
        digits=macs * spec.pe.digits,
        idle_slots=total * slots - macs * spec.pe.digits,
        register_writes=total * pes * spec.pe.register_bits,
        beats=beat_counts(spec, m=m, n=n, k=k),
    )
    return MatmulResult(acc=acc, overflow=overflow, cycles=total, activity=activity)

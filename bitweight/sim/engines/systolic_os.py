"""Output-stationary systolic array: every PE keeps one output, operands travel.

``a`` travels along n and ``b`` along m, one PE a clock. A beat carries one k of a whole tile; the
engine skews its lanes, clears each PE with the tile's first operand (a tag that travels with ``a``)
and drains the tile row by row, since PEs hold their sums while zeros pass.

One tile of 2 x 2 PEs, k = 3. Columns are rising clock edges; the last beat is accepted at e = 4::

    edge               1   2   3   4   5   6   7   8   9   10
    cmd                x
    a, b accepted          k0  k1  k2
    PE(0,0) adds               k0  k1  k2
    PE(0,1), PE(1,0) add           k0  k1  k2
    PE(1,1) adds                       k0  k1  k2
    row read                                   r0  r1           row i at e + cols + 1 + i
    c delivers, mac                                r0  r1       one edge after its row is read
    c delivers, carry_save                             r0  r1   one more: the adder that resolves

With ``overlap_drain`` a ``last`` tag behind the operands reads each PE on the edge after its last
sum, while the next tile's first operand already replaces it; results wait in a buffer of one tile.

RTL twin: ``rtl.engines.systolic_os``.
Source: TPU-like baseline and OPT1 of arXiv 2503.06342; a bare tile takes m + n + k - 1 edges as
there (``tile_cycles``). The drain is ours: the published array exposes every accumulator instead.
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
from bitweight.sim.notation import Nest
from bitweight.sim.notation import engines as nests
from bitweight.sim.output_tiles import OutputTiles
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_MAX_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SystolicOsSpec:
    """Parameters of an output-stationary systolic engine.

    Attributes:
        pe: The PE at every place.
        rows: PEs along m, 1 to 256.
        cols: PEs along n, 1 to 256.
        overlap_drain: Drain a tile while the next one computes; costs a result buffer of
            ``rows`` words per column.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: MacSpec | CarrySaveMacSpec
    rows: int = 16
    cols: int = 16
    overlap_drain: bool = False
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse arrays without PEs."""
        for side, size in (("rows", self.rows), ("cols", self.cols)):
            if not 1 <= size <= _MAX_SIDE:
                raise ValueError(f"Systolic array {side} must be 1 to {_MAX_SIDE}, not {size!r}")
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"systolic_os/{self.pe.name}"

    @property
    def small(self) -> "SystolicOsSpec":
        """The same engine at a size that benches build in seconds; not square."""
        return replace(self, rows=3, cols=4)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the sizes."""
        return False

    @property
    def nest(self) -> Nest:
        """Loop nest: m and n spatial, k temporal."""
        plain = nests.systolic_os(rows=self.rows, cols=self.cols)
        return nests.carry_save(plain) if isinstance(self.pe, CarrySaveMacSpec) else plain

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every PE works."""
        return self.rows * self.cols

    @property
    def read_latency(self) -> int:
        """Edges from the one that accepts a tile's last beat to its first row being complete."""
        return self.cols + self.pe.latency - 1

    @property
    def result_latency(self) -> int:
        """Edges from a complete row to its beat on ``c``."""
        return 4 if self.overlap_drain else 2 + self.pe.resolve_latency

    def drain_cycles(self, tile_rows: int) -> int:
        """Edges from a tile's last input beat to its last result beat."""
        return self.read_latency + self.result_latency + tile_rows - 1

    def tile_cycles(self, k: int) -> int:
        """Edges of one tile in the array without its control.

        From the edge that samples its first operand to the one that writes its last accumulator.
        """
        return self.rows + self.cols + k - 2 + self.pe.latency

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no operand beat is accepted: command, fill and drain."""
        return cycles(self, m=m, n=n, k=k) - beats(self, m=m, n=n, k=k)["a"].count


@cycles.register
def _(spec: SystolicOsSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    check_depth(spec, k)
    last_rows = (m - 1) % spec.rows + 1
    row_blocks, col_blocks = -(-m // spec.rows), -(-n // spec.cols)
    full, last = (_tile_period(spec, rows, k) for rows in (spec.rows, last_rows))
    # Every tile but the GEMM's last takes its period; that one ends with its last result beat.
    periods = (row_blocks - 1) * col_blocks * full + (col_blocks - 1) * last
    command = 1
    return command + periods + k + spec.drain_cycles(last_rows)


def _tile_period(spec: SystolicOsSpec, tile_rows: int, k: int) -> int:
    """Edges from a tile's first beat to the next tile's first beat."""
    if spec.overlap_drain:
        # The buffer holds one tile: the next one's last beat waits until this one has left.
        return max(k, spec.drain_cycles(tile_rows) + 1)
    # The next tile starts once this one's last row has been read.
    return k + spec.read_latency + tile_rows


@beats.register
def _(spec: SystolicOsSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    return OutputTiles(m=m, n=n, k=k, rows=spec.rows, cols=spec.cols).ports()


@simulate.register
def _(spec: SystolicOsSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    return MatmulResult(
        acc=acc, overflow=overflow, cycles=total, activity=_activity(spec, m, n, k, total)
    )


def _activity(spec: SystolicOsSpec, m: int, n: int, k: int, total: int) -> Activity:
    macs = m * n * k
    digits = spec.pe.digits
    hop_bits = spec.pe.a.width + spec.pe.b.width + (2 if spec.overlap_drain else 1)
    return Activity(
        macs=macs,
        digits=macs * digits,
        idle_slots=(total * spec.peak_macs - macs) * digits,
        register_writes=total * spec.peak_macs * (spec.pe.register_bits + hop_bits),
        beats=beat_counts(spec, m=m, n=n, k=k),
    )

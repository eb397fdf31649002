"""Bit-serial engine: every PE takes one bit of each of its lanes' ``a`` per clock.

PEs stand ``rows`` along m by ``cols`` along n and have ``lanes`` along k. A beat carries a group of
``lanes`` k for all rows (``a``) and columns (``b``). Both stay in one register while ``a`` leaves
it bit by bit, broadcast along n, against ``b``, broadcast along m. The next beat is accepted on the
edge that takes the last bits, so no clock is lost between groups. No clock is saved either: zero
bits take their turn, and cycles follow from the sizes.

One tile of 2 x 2 PEs, 3-bit ``a``, two groups. Columns are rising clock edges::

    edge                   1   2   3   4   5   6   7   8   9   10  11  12
    cmd                    x
    a, b accepted              g0          g1          (next tile)
    bits taken                     0   1   2   0   1   2
    acc adds                                   g0          g1
    row read                                                   r0  r1
    c delivers                                                     r0  r1

Rows drain while the next tile's first group runs: it overwrites ``acc`` only at its end. It starts
once all rows can be read before that, if ``c`` never stalls, and should they not, it is simply
computed again: the operands are still there.

RTL twin: ``rtl.engines.bit_serial``.
Source: the bit-serial scheme that arXiv 2503.06342 compares with; Stripes (MICRO 2016). Sizes as
``bit_slice/laconic``, the other bit-slice baseline. Registers, overlap and drain are ours.
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
    simulate,
)
from bitweight.sim.engines.bit_slice_tiles import (
    check_sides,
    groups,
    tile_beats,
    tile_count,
    tile_rows,
)
from bitweight.sim.notation import Nest
from bitweight.sim.notation import engines as nests
from bitweight.sim.pe.bit_serial import BitSerialPeSpec
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.gemm import check_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class BitSerialSpec:
    """Parameters of a bit-serial engine. Its recoding of ``a`` is two's complement.

    Attributes:
        pe: The PE at every place; it says how many lanes there are.
        rows: PEs along m, 1 to 64.
        cols: PEs along n, 1 to 64.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: BitSerialPeSpec = field(default_factory=BitSerialPeSpec)
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
    def small(self) -> "BitSerialSpec":
        """The same engine at a size that benches build in seconds; not square."""
        return replace(self, rows=3, cols=2)

    @property
    def data_dependent(self) -> bool:
        """Zero bits take a clock too."""
        return False

    @property
    def nest(self) -> Nest:
        """Loop nest: bw temporal, m, n and the lanes of k spatial."""
        plain = nests.matrix_2d(rows=self.rows, cols=self.cols)
        return nests.same_weight(plain, lanes=self.pe.lanes)

    @property
    def peak_macs(self) -> int:
        """Digit slots per clock, one per lane; a MAC takes ``pe.digits`` of them."""
        return self.rows * self.cols * self.pe.lanes

    def tile_cycles(self, k: int) -> int:
        """Edges of one tile in the array without its control.

        From the edge that takes its first bits to the one that writes its accumulators.
        """
        return groups(self, k) * self.pe.a.width + 1

    def start_delay(self, rows: int) -> int:
        """Clocks that a tile waits for the tile before it, of ``rows`` rows, to drain.

        Rows are read from the second edge of its first group on, one an edge.
        """
        return max(0, rows + 1 - self.pe.a.width)

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no bits are taken: command, fill, waiting and drain."""
        bits = tile_count(self, m, n) * groups(self, k) * self.pe.a.width
        return cycles(self, m=m, n=n, k=k) - bits


@cycles.register
def _(spec: BitSerialSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    check_depth(spec, k)
    bits = tile_count(spec, m, n) * groups(spec, k) * spec.pe.a.width
    *full, last = tile_rows(spec, m)
    col_tiles = -(-n // spec.cols)
    waits = len(full) * col_tiles * spec.start_delay(spec.rows)
    waits += (col_tiles - 1) * spec.start_delay(last)
    command, first_beat, accumulation, output = 1, 1, 1, 1
    return command + first_beat + bits + waits + accumulation + last + output


@beats.register
def _(spec: BitSerialSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    return tile_beats(spec, m=m, n=n, k=k)


@simulate.register
def _(spec: BitSerialSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    digits = m * n * k * spec.pe.digits
    activity = Activity(
        macs=m * n * k,
        digits=digits,
        idle_slots=total * spec.peak_macs - digits,
        register_writes=total * spec.rows * spec.cols * spec.pe.register_bits,
        beats=beat_counts(spec, m=m, n=n, k=k),
    )
    return MatmulResult(acc=acc, overflow=overflow, cycles=total, activity=activity)

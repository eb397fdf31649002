"""3D cube: rows x cols x depth PEs take a whole tile of A and a whole tile of B in every clock.

``a`` travels along n, ``b`` along m and partial sums along k, one PE a clock; PEs hold nothing. A
beat of ``a`` is a tile of rows x depth, a beat of ``b`` one of depth x cols; the engine skews their
lanes. Where a chain along k ends, at the face, one accumulator for each output adds up the beats;
tags that travel along the face with the tiles clear it and say when it is complete. A buffer of
one tile catches each row of results on its way past, so the next tile follows without a gap; only
its last beat waits until the buffer is free, since nothing inside the cube can be stopped.

One tile of 2 x 2 outputs in a cube of 2 x 2 x 2, k = 6, so three beats. Columns are rising clock
edges; the last beat is accepted at e = 4. PE(i, y, j) has row i, depth y, column j::

    edge               1   2   3   4   5   6   7   8   9   10  11  12  13
    cmd                x
    a, b accepted          t0  t1  t2
    PE(0,0,0) adds             t0  t1  t2
    PE(0,1,0) adds                 t0  t1  t2                                ends the chain
    face(0,0) adds                     t0  t1  t2
    face(0,1), face(1,0)                   t0  t1  t2
    face(1,1) adds                             t0  t1  t2
    row complete                                   r0  r1                    e + cols + depth + i
    row caught                                         r0  r1
    row in the buffer                                      r0  r1
    row read                                                   r0  r1
    c delivers                                                     r0  r1

A pipelined MAC delays all from the first PE on by one edge; hops stay one edge.

The face of ``carry_save`` accumulates pairs and resolves them as they enter the buffer, with
``cols`` adders. Resolving each chain before one accumulator word would need about as many adder
cells in every place of the face and fewer flip-flops, but two carry chains that set the clock.

RTL twin: ``rtl.engines.cube``.
Source: Ascend-like 3D-Cube baseline and OPT1 of arXiv 2503.06342; T beats take T + 3 N - 2 edges in
an N x N x N array as there (``tile_cycles``). There skew and accumulation over k are left to the
outside; face, buffer and drain are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.compressor import CompressorTree, InputBit, plan_tree
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
from bitweight.sim.output_tiles import OutputTiles
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.chained import ChainedMacSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_MAX_SIDE = 64
# From a complete row to its beat: caught, resolved and written, read, delivered.
_RESULT_LATENCY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeSpec:
    """Parameters of a 3D cube engine.

    Attributes:
        pe: The PE at every place; its accumulator stands at the face.
        rows: PEs along m, 1 to 64.
        cols: PEs along n, 1 to 64.
        depth: PEs along k, 1 to 64: products that one beat adds to every output.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: MacSpec | CarrySaveMacSpec
    rows: int = 8
    cols: int = 8
    depth: int = 8
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse cubes without PEs."""
        for side, size in (("rows", self.rows), ("cols", self.cols), ("depth", self.depth)):
            if not 1 <= size <= _MAX_SIDE:
                raise ValueError(f"Cube {side} must be 1 to {_MAX_SIDE}, not {size!r}")
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"cube/{self.pe.name}"

    @property
    def small(self) -> "CubeSpec":
        """The same engine at a size that benches build in seconds; no two sides alike."""
        return replace(self, rows=2, cols=4, depth=3)

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the sizes."""
        return False

    @property
    def nest(self) -> Nest:
        """Loop nest: tiles temporal, m, n and k of a tile spatial."""
        plain = nests.cube(rows=self.rows, cols=self.cols, depth=self.depth)
        return nests.carry_save(plain) if isinstance(self.pe, CarrySaveMacSpec) else plain

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every PE works."""
        return self.rows * self.cols * self.depth

    @property
    def chain(self) -> ChainedMacSpec:
        """The PE as it stands in the cube: one of a chain along k."""
        return ChainedMacSpec(pe=self.pe, depth=self.depth)

    @property
    def face_tree(self) -> CompressorTree:
        """Tree of a face accumulator's pair, the chain's pair and minus its bias (pairs only)."""
        word = [InputBit(bit, 0) for bit in range(self.pe.acc_width)]
        end = word[: self.chain.width]
        ones = [bit for bit in word if self.face_constant >> bit.column & 1]
        tree = plan_tree((*word, *word, *end, *end[1:], *ones), self.pe.acc_width)
        assert len(tree.outputs[0]) == 1, "carry bit 0 has no register"
        return tree

    @property
    def face_constant(self) -> int:
        """Minus the bias of a chain of pairs, modulo ``2**pe.acc_width``; no bit 0."""
        return -self.chain.bias % (1 << self.pe.acc_width)

    @property
    def read_latency(self) -> int:
        """Edges from the one that accepts a tile's last beat to its first row being complete."""
        return self.cols - 1 + self.depth + self.pe.latency

    def drain_cycles(self, tile_rows: int) -> int:
        """Edges from a tile's last input beat to its last result beat."""
        return self.read_latency + _RESULT_LATENCY + tile_rows - 1

    def tile_cycles(self, count: int) -> int:
        """Edges of ``count`` beats, back to back, in the array without control and face.

        From the edge that samples the first operand to the one that writes the last word at a
        chain's end.
        """
        return count + self.rows + self.cols + self.depth - 3 + self.pe.latency

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no operand beat is accepted: command, waits and drain."""
        return cycles(self, m=m, n=n, k=k) - beats(self, m=m, n=n, k=k)["a"].count


@cycles.register
def _(spec: CubeSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    check_depth(spec, k)
    tile_beats = -(-k // spec.depth)
    last_rows = (m - 1) % spec.rows + 1
    row_blocks, col_blocks = -(-m // spec.rows), -(-n // spec.cols)
    # The buffer holds one tile: the next one's last beat waits until this one has left.
    full, last = (max(tile_beats, spec.drain_cycles(rows) + 1) for rows in (spec.rows, last_rows))
    # Every tile but the GEMM's last takes its period; that one ends with its last result beat.
    periods = (row_blocks - 1) * col_blocks * full + (col_blocks - 1) * last
    command = 1
    return command + periods + tile_beats + spec.drain_cycles(last_rows)


@beats.register
def _(spec: CubeSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    tiles = OutputTiles(m=m, n=n, k=k, rows=spec.rows, cols=spec.cols, lanes=spec.depth)
    ports = tiles.ports()
    return MappingProxyType({**ports, "b": replace(ports["b"], locate=_b_lanes(spec, tiles))})


def _b_lanes(spec: CubeSpec, tiles: OutputTiles) -> Locate:
    """Lane ``k * cols + column`` of a beat: the tile of B, row by row."""
    k, column = np.divmod(np.arange(spec.depth * spec.cols), spec.cols)
    by_column = column * spec.depth + k

    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        places, columns = tiles.locate_b(beat)
        return places[:, by_column], columns[:, by_column]

    return locate


@simulate.register
def _(spec: CubeSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    return MatmulResult(
        acc=acc, overflow=overflow, cycles=total, activity=_activity(spec, m, n, k, total)
    )


def _activity(spec: CubeSpec, m: int, n: int, k: int, total: int) -> Activity:
    macs = m * n * k
    digits = spec.pe.digits
    hop_bits = spec.pe.a.width + spec.pe.b.width
    # A pair's carry word has no bit 0; two tags travel along the face.
    acc_bits = len(spec.pe.words) * spec.pe.acc_width - (len(spec.pe.words) - 1) + 2
    pe_bits = spec.peak_macs * (spec.chain.register_bits + hop_bits)
    return Activity(
        macs=macs,
        digits=macs * digits,
        idle_slots=(total * spec.peak_macs - macs) * digits,
        register_writes=total * (pe_bits + spec.rows * spec.cols * acc_bits),
        beats=beat_counts(spec, m=m, n=n, k=k),
    )

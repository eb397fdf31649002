"""How far apart an engine sends the same element again: the order of its beats, by engine.

``sim.beats`` says what every beat carries. What a buffer must hold so that DRAM is read once
follows from the order alone: an element that comes again ``distance`` beats later is still there if
the buffer holds that many beats. Loops nest, so there are at most a few distances to a port. They
are given in closed form, since a large GEMM has 10**8 beats; tests hold them against ``beats``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.pe.digit import GROUP


@dataclass(frozen=True, slots=True)
class Repeat:
    """A loop that sends the same elements again.

    Attributes:
        distance_beats: Beats from an element to the next time it comes.
        times: How often it comes.
    """

    distance_beats: int
    times: int


Repeats = Mapping[str, tuple[Repeat, ...]]


@singledispatch
def repeats(spec: Any, *, m: int, n: int, k: int) -> Repeats:
    """Return the loops of ports ``a`` and ``b`` that send elements again, innermost first.

    Raises:
        TypeError: If nothing is known of the engine.
    """
    raise TypeError(f"No traffic model takes a {type(spec).__name__}; see sim.catalog.DESIGNS")


def _tiled(*, beats: int, row_tiles: int, col_tiles: int, passes: int = 1) -> Repeats:
    """Tiles of outputs, along n first; a tile is sent ``passes`` times."""
    return {
        "a": (Repeat(beats, passes * col_tiles),),
        "b": (Repeat(beats, passes), Repeat(passes * beats * col_tiles, row_tiles)),
    }


@repeats.register
def _(spec: SystolicOsSpec, *, m: int, n: int, k: int) -> Repeats:
    return _tiled(beats=k, row_tiles=-(-m // spec.rows), col_tiles=-(-n // spec.cols))


@repeats.register
def _(spec: Matrix2dSpec, *, m: int, n: int, k: int) -> Repeats:
    return _tiled(
        beats=-(-k // spec.k_lanes),
        row_tiles=-(-m // spec.rows),
        col_tiles=-(-n // spec.cols),
        passes=spec.passes,
    )


@repeats.register
def _(spec: CubeSpec, *, m: int, n: int, k: int) -> Repeats:
    return _tiled(
        beats=-(-k // spec.depth), row_tiles=-(-m // spec.rows), col_tiles=-(-n // spec.cols)
    )


@repeats.register
def _(spec: LaconicSpec | BitSerialSpec, *, m: int, n: int, k: int) -> Repeats:
    return _tiled(
        beats=-(-k // spec.pe.lanes), row_tiles=-(-m // spec.rows), col_tiles=-(-n // spec.cols)
    )


@repeats.register
def _(spec: BlockDotSpec, *, m: int, n: int, k: int) -> Repeats:
    return _tiled(
        beats=spec.pe.walk.beats(k), row_tiles=-(-m // spec.rows), col_tiles=-(-n // spec.columns)
    )


def _folded(*, m: int, n_folds: int, k_folds: int, load_beats: int, acc_depth: int) -> Repeats:
    """Folds of b stay while rows stream: along n, then chunks of rows, then along k."""
    return {
        "a": (Repeat(m * k_folds, n_folds),),
        "b": (Repeat(k_folds * load_beats, -(-m // acc_depth)),),
    }


@repeats.register
def _(spec: SystolicWsSpec, *, m: int, n: int, k: int) -> Repeats:
    return _folded(
        m=m,
        n_folds=-(-n // spec.cols),
        k_folds=-(-k // spec.rows),
        load_beats=spec.rows,
        acc_depth=spec.acc_depth,
    )


@repeats.register
def _(spec: AdderTreeSpec, *, m: int, n: int, k: int) -> Repeats:
    return _folded(
        m=m,
        n_folds=-(-n // spec.columns),
        k_folds=-(-k // spec.lanes),
        load_beats=spec.columns,
        acc_depth=spec.acc_depth,
    )


@repeats.register
def _(spec: ColumnSpec, *, m: int, n: int, k: int) -> Repeats:
    """Blocks of rows, tiles of n, folds of k, tiles of rows."""
    tiles, groups = -(-n // spec.pes), -(-k // GROUP)
    block_rows = min(spec.acc_depth, m)
    return {
        "a": (Repeat(-(-block_rows // spec.columns) * groups, tiles),),
        "b": (Repeat(tiles * k, -(-m // spec.acc_depth)),),
    }


@repeats.register
def _(spec: DealtColumnSpec, *, m: int, n: int, k: int) -> Repeats:
    """Tiles of n, rows, beats; a tile of b comes once a row if its k is folded."""
    row_beats = -(-k // spec.beat)
    return {
        "a": (Repeat(m * row_beats, -(-n // spec.pes)),),
        "b": (Repeat(row_beats, m if k > spec.k_depth else 1),),
    }


@singledispatch
def tile_outputs(spec: Any) -> int | None:
    """Return the outputs of a tile: what a run along n should be a multiple of.

    None if an engine wants all outputs of a layer at once.
    """
    outputs: int = spec.cols
    return outputs


@tile_outputs.register
def _(spec: AdderTreeSpec) -> int:
    return spec.columns


@tile_outputs.register
def _(spec: ColumnSpec | DealtColumnSpec) -> int:
    return spec.pes


@tile_outputs.register
def _(spec: BlockDotSpec) -> int | None:
    return spec.columns if spec.n_multiple == 1 else None

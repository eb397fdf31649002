"""How the bit-slice engines cut a GEMM: tiles of outputs, and groups of ``lanes`` along k.

Tiles run along n first. A beat of ``a`` carries a group of every row of a tile, row after row; a
beat of ``b`` a group of every column. Neither engine keeps operands for another tile, so each is
sent again for every tile that needs it.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import PortBeats

MAX_SIDE = 64


class BitSlicePe(Protocol):
    """What the cut needs of a PE."""

    @property
    def lanes(self) -> int:
        """Operand pairs of a group."""
        ...


class BitSliceSpec(Protocol):
    """What the cut needs of an engine."""

    @property
    def pe(self) -> BitSlicePe:
        """The PE."""
        ...

    @property
    def rows(self) -> int:
        """PEs along m."""
        ...

    @property
    def cols(self) -> int:
        """PEs along n."""
        ...


def check_sides(rows: int, cols: int) -> None:
    """Raise ``ValueError`` unless an array can have these sides."""
    for side, size in (("rows", rows), ("cols", cols)):
        if not 1 <= size <= MAX_SIDE:
            raise ValueError(f"Bit-slice array {side} must be 1 to {MAX_SIDE}, not {size!r}")


def tile_rows(spec: BitSliceSpec, m: int) -> list[int]:
    """Return the rows of each row of tiles."""
    return [min(spec.rows, m - row) for row in range(0, m, spec.rows)]


def tile_count(spec: BitSliceSpec, m: int, n: int) -> int:
    """Return the number of tiles."""
    return -(-m // spec.rows) * -(-n // spec.cols)


def groups(spec: BitSliceSpec, k: int) -> int:
    """Return the groups of one tile."""
    return -(-k // spec.pe.lanes)


def tile_beats(spec: BitSliceSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    """Return what each port carries."""
    lanes, depth, col_tiles = spec.pe.lanes, groups(spec, k), -(-n // spec.cols)
    count = tile_count(spec, m, n) * depth

    def locate_a(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        at_row, at_lane = np.divmod(np.arange(spec.rows * lanes), lanes)
        tile, group = np.divmod(beat, depth)
        rows = (tile // col_tiles * spec.rows)[:, None] + at_row
        return rows, (group * lanes)[:, None] + at_lane

    def locate_b(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        at_col, at_lane = np.divmod(np.arange(spec.cols * lanes), lanes)
        tile, group = np.divmod(beat, depth)
        columns = (tile % col_tiles * spec.cols)[:, None] + at_col
        return (group * lanes)[:, None] + at_lane, columns

    def locate_c(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        row_tile, within = np.divmod(beat, spec.rows * col_tiles)
        # Only the last row of tiles can be short, so the tiles before it are all full.
        rows_here = np.minimum(spec.rows, m - row_tile * spec.rows)
        col_tile, row = np.divmod(within, rows_here)
        columns = (col_tile * spec.cols)[:, None] + np.arange(spec.cols)
        return np.broadcast_to((row_tile * spec.rows + row)[:, None], columns.shape), columns

    ports = {
        "a": PortBeats(matrix="A", count=count, lanes=spec.rows * lanes, locate=locate_a),
        "b": PortBeats(matrix="B", count=count, lanes=spec.cols * lanes, locate=locate_b),
        "c": PortBeats(matrix="C", count=m * col_tiles, lanes=spec.cols, locate=locate_c),
    }
    return MappingProxyType(ports)


class GroupBeat:
    """One group of one tile, as the clocked models take it.

    Attributes:
        a: Per row its lanes.
        b: Per column its lanes.
        first: The tile's first group.
        last_rows: On the tile's last group its rows, else 0.
    """

    def __init__(
        self,
        spec: BitSliceSpec,
        a: NDArray[np.integer],
        b: NDArray[np.integer],
        tile: tuple[int, int],
        group: int,
    ) -> None:
        (m, k), n, lanes = a.shape, b.shape[1], spec.pe.lanes
        (i, j), at = tile, group * lanes

        def code(matrix: NDArray[Any], row: int, column: int) -> int:
            inside = row < matrix.shape[0] and column < matrix.shape[1]
            return int(matrix[row, column]) if inside else 0

        self.a = [[code(a, i + r, at + lane) for lane in range(lanes)] for r in range(spec.rows)]
        self.b = [[code(b, at + lane, j + c) for lane in range(lanes)] for c in range(spec.cols)]
        self.first = group == 0
        self.last_rows = min(spec.rows, m - i) if at + lanes >= k else 0
        self.columns = min(spec.cols, n - j)


def group_beats(
    spec: BitSliceSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> Iterator[GroupBeat]:
    """Yield the groups of all tiles in the order in which they are accepted."""
    (m, k), n = a.shape, b.shape[1]
    for i in range(0, m, spec.rows):
        for j in range(0, n, spec.cols):
            for group in range(-(-k // spec.pe.lanes)):
                yield GroupBeat(spec, a, b, (i, j), group)


def assemble(spec: BitSliceSpec, rows_out: list[list[int]], m: int, n: int) -> NDArray[np.int64]:
    """Put delivered rows in their places, shape (m, n)."""
    acc = np.zeros((m, n), np.int64)
    rows = iter(rows_out)
    for i in range(0, m, spec.rows):
        for j in range(0, n, spec.cols):
            for row in range(i, min(i + spec.rows, m)):
                acc[row, j : j + spec.cols] = next(rows)[: min(spec.cols, n - j)]
    return acc

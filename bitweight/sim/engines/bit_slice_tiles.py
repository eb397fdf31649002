"""How the bit-slice engines cut a GEMM: tiles of outputs, and groups of ``lanes`` along k.

Tiles run along n first. A beat of ``a`` carries a group of every row of a tile, row after row; a
beat of ``b`` a group of every column. Neither engine keeps operands for another tile, so each is
sent again for every tile that needs it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import PortBeats
from bitweight.sim.output_tiles import OutputTiles

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
    tiles = OutputTiles(m=m, n=n, k=k, rows=spec.rows, cols=spec.cols, lanes=spec.pe.lanes)
    return tiles.ports()


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

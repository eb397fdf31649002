"""Beats of the engines that hold a tile of outputs while all of its k streams by.

Tiles come row of tiles by row of tiles. A beat of ``a`` carries ``lanes`` neighbouring k of every
row of a tile, row after row; a beat of ``b`` the same k of every column, column after column. A
tile may want several passes over k. Its results leave row by row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import PortBeats


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputTiles:
    """A GEMM in tiles of outputs.

    Attributes:
        m, n, k: Sizes of the GEMM.
        rows: Rows of a tile.
        cols: Columns of a tile.
        lanes: K of one beat.
        passes: How often a tile goes over k.
    """

    m: int
    n: int
    k: int
    rows: int
    cols: int
    lanes: int = 1
    passes: int = 1

    @property
    def col_blocks(self) -> int:
        """Tiles along n."""
        return -(-self.n // self.cols)

    @property
    def tile_beats(self) -> int:
        """Beats of one tile."""
        return self.passes * -(-self.k // self.lanes)

    @property
    def beats(self) -> int:
        """Beats of all tiles."""
        return -(-self.m // self.rows) * self.col_blocks * self.tile_beats

    def ports(self) -> Mapping[str, PortBeats]:
        """Return what each port carries."""
        rows, cols = self.rows, self.cols
        count, results = self.beats, self.m * self.col_blocks
        a = PortBeats(matrix="A", count=count, lanes=rows * self.lanes, locate=self.locate_a)
        b = PortBeats(matrix="B", count=count, lanes=cols * self.lanes, locate=self.locate_b)
        c = PortBeats(matrix="C", count=results, lanes=cols, locate=self.locate_c)
        return MappingProxyType({"a": a, "b": b, "c": c})

    def locate_a(self, beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row and the k of each lane: ``row * lanes + k`` of a tile."""
        row, lane = np.divmod(np.arange(self.rows * self.lanes), self.lanes)
        row_block = beat // (self.tile_beats * self.col_blocks)
        return (row_block * self.rows)[:, None] + row, self._first_k(beat) + lane

    def locate_b(self, beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the k and the column of each lane: ``column * lanes + k`` of a tile."""
        column, lane = np.divmod(np.arange(self.cols * self.lanes), self.lanes)
        col_block = beat // self.tile_beats % self.col_blocks
        return self._first_k(beat) + lane, (col_block * self.cols)[:, None] + column

    def locate_c(self, beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row and the column of each result."""
        row_block, within = np.divmod(beat, self.rows * self.col_blocks)
        # Only the last row of tiles can be short, so the tiles before it are all full.
        tile_rows = np.minimum(self.rows, self.m - row_block * self.rows)
        col_block, row = np.divmod(within, tile_rows)
        columns = (col_block * self.cols)[:, None] + np.arange(self.cols)
        return np.broadcast_to((row_block * self.rows + row)[:, None], columns.shape), columns

    def _first_k(self, beat: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the k of each beat's lane 0, shape (beats, 1)."""
        return (beat % -(-self.k // self.lanes) * self.lanes)[:, None]

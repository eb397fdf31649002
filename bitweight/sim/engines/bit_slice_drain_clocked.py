"""The way out of both bit-slice engines, clock by clock: rows of a finished tile, one an edge."""

from collections.abc import Callable

Row = list[int]


class RowDrain:
    """Reads the rows of a tile while its PEs hold them.

    Args:
        read: Returns what row ``i`` of the array holds before the coming edge.
    """

    def __init__(self, read: Callable[[int], Row]) -> None:
        self.read = read
        self.rows = self.rows_left = 0
        self.out: Row | None = None

    def start(self, rows: int) -> None:
        """Note that a tile of ``rows`` rows is complete after this edge."""
        assert self.rows_left == 0, "a tile ended while the one before it was being read"
        self.rows = self.rows_left = rows

    @property
    def ends_by_next_edge(self) -> bool:
        """Whether the coming edge reads the last row, or none is left."""
        return self.rows_left <= 1

    def clock(self) -> Row | None:
        """Advance by one edge; return the row that it delivers."""
        delivered, self.out = self.out, None
        if self.rows_left:
            self.out = self.read(self.rows - self.rows_left)
            self.rows_left -= 1
        return delivered

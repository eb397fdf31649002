"""Beats of tiles of outputs, by hand."""

import numpy as np
import pytest

from bitweight.sim.output_tiles import OutputTiles


@pytest.mark.parametrize(
    ("port", "rows", "columns"),
    [
        # Two tiles along n of one row; 3 k in beats of 2, so that k = 3 is padding.
        ("a", [[0, 0], [0, 0], [0, 0], [0, 0]], [[0, 1], [2, 3], [0, 1], [2, 3]]),
        ("b", [[0, 1] * 2, [2, 3] * 2] * 2, [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2),
        ("c", [[0, 0], [0, 0]], [[0, 1], [2, 3]]),
    ],
)
def test_tiles_follow_one_another_and_each_takes_all_of_k(
    port: str, rows: list[list[int]], columns: list[list[int]]
) -> None:
    ports = OutputTiles(m=1, n=3, k=3, rows=1, cols=2, lanes=2).ports()
    one = ports[port]
    found = one.locate(np.arange(one.count))
    assert (found[0].tolist(), found[1].tolist()) == (rows, columns)
    assert one.lanes == len(rows[0])


def test_each_pass_of_a_tile_goes_over_all_k() -> None:
    tiles = OutputTiles(m=1, n=1, k=3, rows=1, cols=1, passes=2)
    assert (tiles.tile_beats, tiles.beats) == (6, 6)
    _rows, places = tiles.locate_a(np.arange(6))
    assert places.tolist() == [[0], [1], [2], [0], [1], [2]]


def test_rows_of_a_short_last_tile_leave_without_the_missing_ones() -> None:
    tiles = OutputTiles(m=3, n=2, k=1, rows=2, cols=1)
    rows, columns = tiles.locate_c(np.arange(6))
    assert rows.tolist() == [[0], [1], [0], [1], [2], [2]]
    assert columns.tolist() == [[0], [0], [1], [1], [0], [1]]

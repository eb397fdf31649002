from pathlib import Path

import numpy as np
import pytest

from bitweight.reports.digit_clocks import (
    group_clocks,
    grouped_clocks,
    renew,
    shared_encoder_clocks,
    table,
)
from bitweight.sim.recoding import EN_T
from bitweight.workloads.formats import INT8

PAGE = Path(__file__).parents[2] / "docs" / "column_engines.md"


def test_the_table_in_the_docs_is_what_the_models_say() -> None:
    page = PAGE.read_text()
    assert renew(page) == page
    assert table() in page


def test_renewing_replaces_the_table_alone() -> None:
    stale = "# Head\n\n| layer | rows |\n| --- | --- |\n| old | 1 |\n\nText | layer | here.\n"
    assert renew(stale) == f"# Head\n\n{table()}\nText | layer | here.\n"


def test_a_group_takes_a_clock_for_each_digit_and_one_for_none() -> None:
    # EN-T, least digit first: 3 = (-1, 1), 2 = (2,), 85 = (1, 1, 1, 1).
    a = np.array([[3, 2, 0, 0, 85]])
    assert group_clocks(a, EN_T, INT8).tolist() == [[[2, 1, 1, 1], [1, 1, 1, 1]]]


def test_columns_wait_for_the_slowest_row_of_a_tile() -> None:
    rows = [[[5]], [[1]], [[2]], [[3]], [[7]], [[9]]]
    assert shared_encoder_clocks(np.array(rows)) == 5 + 9


def test_columns_split_a_single_row_along_k() -> None:
    assert shared_encoder_clocks(np.array([[[1], [2], [3], [4], [5]]])) == 5
    assert shared_encoder_clocks(np.array([[[1], [2], [3], [4], [5], [6]]])) == 3 + 4


def test_lanes_wait_for_the_slowest_at_each_bit_weight() -> None:
    # Groups 0 and 4 belong to lane 0: 3 + 1 at the first bit-weight, 1 + 1 at the second.
    groups = np.array([[[3, 1], [1, 1], [2, 4], [1, 1], [1, 1]]])
    assert grouped_clocks(groups) == 4 + 4


@pytest.mark.parametrize("k", [1, 5, 16])
def test_a_row_of_zeros_still_takes_every_group(k: int) -> None:
    groups = group_clocks(np.zeros((1, k), np.int64), EN_T, INT8)
    assert groups.sum() == 4 * -(-k // 4)

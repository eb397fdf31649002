"""Rows of words as beats and groups, by hand."""

import numpy as np
import pytest

from bitweight.sim.datapaths.rows import check_group, group_sums, row_units


def test_beats_take_the_words_of_a_row_in_turn_and_pad_the_last() -> None:
    rows = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    beats = row_units(rows, 2, padding=9)
    assert beats.tolist() == [[[1, 2], [4, 5]], [[3, 9], [6, 9]]]
    assert row_units(rows, 3).shape == (1, 2, 3)


def test_each_group_of_k_has_its_own_sum_and_the_last_may_be_short() -> None:
    x = np.array([[1, 2, 3], [-1, 0, 5]])
    weights = np.array([[1, 10], [2, 20], [3, 30]])
    sums = group_sums(x, weights, 2)
    assert sums.tolist() == [[[5, 9], [50, 90]], [[-1, 15], [-10, 150]]]


def test_a_group_must_be_whole_beats() -> None:
    check_group("nf4", 64, 8)
    with pytest.raises(ValueError, match=r"^Group of nf4 must be a multiple of 8, not 12$"):
        check_group("nf4", 12, 8)

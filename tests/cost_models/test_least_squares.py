"""Least squares without negative coefficients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.cost_models.least_squares import solve_nonnegative


@given(truth=st.lists(st.integers(0, 9), min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_coefficients_that_explain_all_are_found(truth: list[int], seed: int) -> None:
    terms = np.random.default_rng(seed).random((len(truth) + 3, len(truth))) + 0.1
    found, left = solve_nonnegative(terms, terms @ np.array(truth, dtype=float))
    np.testing.assert_allclose(found, truth, atol=1e-6)
    assert left == pytest.approx(0, abs=1e-6)


def test_a_negative_coefficient_is_left_out_and_the_rest_solved_again() -> None:
    # Unconstrained: 3 - x. With x >= 0 not negative the best is the mean, 2.
    terms = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    found, left = solve_nonnegative(terms, np.array([3.0, 2.0, 1.0]))
    np.testing.assert_allclose(found, [2.0, 0.0])
    assert left == pytest.approx(2**0.5)


def test_nothing_is_explained_by_nothing() -> None:
    found, left = solve_nonnegative(np.ones((3, 2)), np.zeros(3))
    assert not found.any()
    assert left == 0


def test_too_many_coefficients_are_refused() -> None:
    with pytest.raises(ValueError, match="Coefficients must be at most 8, not 9"):
        solve_nonnegative(np.ones((9, 9)), np.ones(9))

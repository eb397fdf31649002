"""Oracles: numpy's LAPACK least squares, and every level tried for every weight."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.workloads.quantize.sign_planes import (
    by_magnitude,
    greedy,
    least_squares,
    nearest_codes,
    signs_of,
)


def weights(seed: int, groups: int = 5, length: int = 24) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.1, 1, (groups, length))


@given(seed=st.integers(0, 999), bits=st.integers(1, 4), offset=st.booleans())
def test_scales_are_the_least_squares_solution(seed: int, bits: int, offset: bool) -> None:
    w = weights(seed)
    codes = np.random.default_rng(seed).integers(0, 1 << bits, w.shape).astype(np.uint8)
    alpha, shift = least_squares(w, codes, bits, offset=offset)
    for group, (row, code) in enumerate(zip(w, codes, strict=True)):
        columns = [*signs_of(code, bits).astype(float), *([np.ones(len(row))] if offset else [])]
        design = np.stack(columns, axis=1)
        best = np.linalg.lstsq(design, row, rcond=None)[0]
        ours = np.append(alpha[group], shift[group])[: len(columns)]
        assert np.allclose(design @ ours, design @ best, atol=1e-9)
        assert offset or shift[group] == 0


def test_a_plane_that_repeats_another_gets_scale_zero() -> None:
    w = np.array([[1.0, -2.0, 4.0, -3.0]])
    codes = np.array([[3, 0, 3, 0]], np.uint8)
    alpha, _ = least_squares(w, codes, 2, offset=False)
    assert alpha.tolist() == [[2.5, 0.0]]


@given(seed=st.integers(0, 999), bits=st.integers(1, 4))
def test_every_weight_takes_its_nearest_level(seed: int, bits: int) -> None:
    w = weights(seed)
    alpha = np.random.default_rng(seed).normal(0, 1, (len(w), bits))
    chosen = np.einsum("bgi,gb->gi", signs_of(nearest_codes(w, alpha), bits), alpha)
    for row, scales, levels in zip(w, alpha, chosen, strict=True):
        every = [np.dot(signs, scales) for signs in itertools.product((-1, 1), repeat=bits)]
        least = np.abs(row[:, None] - np.array(every)).min(axis=1)
        assert np.allclose(np.abs(row - levels), least, atol=1e-12)


def test_a_weight_between_two_levels_takes_the_upper() -> None:
    w = np.array([[0.0, 2.0, -2.0, -2.0000001]])
    codes = nearest_codes(w, np.array([[2.0, 1.0]]))  # levels -3, -1, 1, 3
    assert signs_of(codes, 2).tolist() == [[[1, 1, -1, -1]], [[-1, 1, 1, -1]]]


def test_greedy_takes_mean_magnitudes_and_counts_zero_as_plus() -> None:
    codes, alpha = greedy(np.array([[0.0, -1.0, 4.0, -3.0]]), 2)
    assert alpha.tolist() == [[2.0, 1.5]]
    assert codes.tolist() == [[1, 2, 3, 0]]


def test_scales_are_sorted_by_magnitude() -> None:
    assert by_magnitude(np.array([[0.5, -2.0, 1.0]])).tolist() == [[2.0, 1.0, 0.5]]

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.workloads.exact import exact_product, groups_along, wrap

ZeroPoints = Callable[[int, int], int]


def python_product(
    x: NDArray[np.int64],
    w: NDArray[np.int64],
    x_zp: ZeroPoints,
    w_zp: ZeroPoints,
    group: int | None,
) -> NDArray[np.int64]:
    """Sum with Python integers; zero points are functions of the element's place."""
    m, k = x.shape
    n = w.shape[1]
    sums = [[[0] * groups_along(k, group) for _ in range(n)] for _ in range(m)]
    for i in range(m):
        for j in range(n):
            for at in range(k):
                g = 0 if group is None else at // group
                sums[i][j][g] += (int(x[i, at]) - x_zp(i, g)) * (int(w[at, j]) - w_zp(j, g))
    return np.array(sums) if group is not None else np.array(sums)[..., 0]


@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 9)),
    group=st.none() | st.integers(1, 5),
    x_axes=st.integers(0, 2),
    w_axes=st.integers(0, 2),
    seed=st.integers(0, 2**32),
)
def test_products_equal_python_integers_with_zero_points_of_any_granularity(
    sizes: tuple[int, int, int], group: int | None, x_axes: int, w_axes: int, seed: int
) -> None:
    m, n, k = sizes
    group = None if group is None else min(group, k)
    rng = np.random.default_rng(seed)
    groups = groups_along(k, group)
    x, w = rng.integers(-128, 128, (m, k)), rng.integers(-128, 128, (k, n))
    x_shapes, w_shapes = ((), (m,), (m, groups)), ((), (n,), (groups, n))
    if group is None:
        x_axes, w_axes = min(x_axes, 1), min(w_axes, 1)
    xz = rng.integers(-9, 9, x_shapes[x_axes])
    wz = rng.integers(-9, 9, w_shapes[w_axes])
    expected = python_product(
        x,
        w,
        lambda i, g: int(
            np.broadcast_to(xz if x_axes == 2 else xz.reshape(-1, 1), (m, groups))[i, g]
        ),
        lambda j, g: int(np.broadcast_to(wz, (groups, n))[g, j]),
        group,
    )
    ours = exact_product(x, w, group=group, x_zero_point=xz, w_zero_point=wz)
    np.testing.assert_array_equal(ours, expected)


@given(value=st.integers(-(2**40), 2**40), bits=st.integers(2, 40))
def test_wrapping_is_twos_complement(value: int, bits: int) -> None:
    pattern = value % 2**bits
    expected = pattern - 2**bits if pattern >= 2 ** (bits - 1) else pattern
    assert wrap(np.array([value]), bits).tolist() == [expected]


def test_unsigned_codes_do_not_wrap_before_they_are_multiplied() -> None:
    x, w = np.full((1, 3), 255, np.uint8), np.full((3, 1), 255, np.uint8)
    assert exact_product(x, w).tolist() == [[3 * 255 * 255]]
    assert exact_product(x, w, acc_bits=16).tolist() == [[3 * 255 * 255 - 3 * 65536]]


@pytest.mark.parametrize(("k", "group", "groups"), [(576, 128, 5), (576, 64, 9), (5, None, 1)])
def test_the_last_group_may_be_ragged(k: int, group: int | None, groups: int) -> None:
    assert groups_along(k, group) == groups

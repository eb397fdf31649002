"""The fast product is exact: for every format, for any k, and where it may fail to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle import product
from strategies import formats, matrices

from bitweight.sim.kernels.matmul import matmul, wrap
from bitweight.workloads.formats import INT8, INT16, IntFormat

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


@st.composite
def operands(draw: st.DrawFn) -> Pair:
    m, n = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    k = draw(st.just(1) | st.integers(1, 40) | st.integers(255, 2100))
    return draw(matrices(draw(formats()), (m, k))), draw(matrices(draw(formats()), (k, n)))


@given(operands())
def test_products_equal_python_integers(pair: Pair) -> None:
    a, b = pair
    found = matmul(a, b)
    assert found.dtype == np.int64
    assert found.tolist() == product(a, b)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_the_type_of_the_codes_does_not_matter(dtype: str) -> None:
    ends = np.iinfo(dtype)
    a = np.array([[ends.min, ends.max, 1]], dtype)
    found = matmul(a, a.T)
    assert found.tolist() == [[int(ends.min) ** 2 + int(ends.max) ** 2 + 1]]


@pytest.mark.parametrize("k", [1, 1023, 1024, 1025, 1030, 5000, 200_001])
def test_sums_of_the_greatest_int8_products_are_exact(k: int) -> None:
    # -128 * -128 * 1024 is 2**24, the last sum that a float32 is sure to hold; an odd term past
    # it is where rounding would show.
    a = np.full((2, k), -128, np.int8)
    b = np.full((k, 3), -128, np.int8)
    a[:, -1], b[-1] = 127, 127
    assert (matmul(a, b) == 128 * 128 * (k - 1) + 127 * 127).all()


@pytest.mark.parametrize("form", [INT16, IntFormat(width=16, signed=False)], ids=str)
@pytest.mark.parametrize("k", [1, 255, 256, 257, 70_001, 2_200_001])
def test_sums_of_the_greatest_16_bit_products_are_exact(form: IntFormat, k: int) -> None:
    end = form.min if form.signed else form.max
    a, b = np.full((1, k), end), np.full((k, 2), end)
    a[0, -1] = b[-1, 0] = b[-1, 1] = 3
    assert (matmul(a, b) == end * end * (k - 1) + 9).all()


def test_sums_past_the_mantissa_of_a_double_are_exact() -> None:
    # Sixteen products of 2**50 leave the 53 bits that a double holds, and a one would be lost.
    end = -(2**25)
    a, b = np.full((1, 17), end), np.full((17, 1), end)
    a[0, -1] = b[-1, 0] = 1
    assert matmul(a, b).tolist() == [[16 * end * end + 1]]


def test_all_int8_pairs_make_their_product() -> None:
    codes = np.arange(-128, 128)
    products = matmul(codes[:, None], codes[None, :])
    assert products.tolist() == [[x * y for x in range(-128, 128)] for y in range(-128, 128)]
    assert products.size == 65_536


def test_zeros_are_a_product_too() -> None:
    assert matmul(np.zeros((2, 3), np.int8), np.zeros((3, 1), np.int8)).tolist() == [[0], [0]]


@given(
    st.integers(2, 63),
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=8),
)
def test_wrapping_is_twos_complement(width: int, values: list[int]) -> None:
    patterns = [value % 2**width for value in values]
    half = 2 ** (width - 1)
    expected = [pattern - 2 * half if pattern >= half else pattern for pattern in patterns]
    assert wrap(np.array(values, np.int64), width).tolist() == expected


@pytest.mark.parametrize("width", [2, 31, 32, 62, 63])
def test_the_ends_of_a_width_stay_and_their_neighbours_turn_over(width: int) -> None:
    half = 2 ** (width - 1)
    values = np.array([-half, half - 1, half, -half - 1], np.int64)
    assert wrap(values, width).tolist() == [-half, half - 1, -half, half - 1]


def test_what_fits_is_returned_as_it_is() -> None:
    values = np.array([-128, 127], np.int64)
    assert wrap(values, 8) is values


def test_int8_bounds_come_from_the_values_and_not_from_their_type() -> None:
    # One -128 in a corner: |-128| must not be taken for -128 or 0.
    a = np.zeros((1, 3000), np.int8)
    a[0, 0] = INT8.min
    b = np.full((3000, 1), 127, np.int8)
    assert matmul(a, b).tolist() == [[-128 * 127]]

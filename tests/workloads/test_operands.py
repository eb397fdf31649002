"""Drawn operands: range, dtype, determinism and the shape of the distribution."""

from math import erf, sqrt
from time import perf_counter
from unittest.mock import Mock

import numpy as np
import pytest

from bitweight.workloads.formats import INT4, INT8, UINT4, UINT8, IntFormat
from bitweight.workloads.operands import Distribution

FORMATS = [
    IntFormat(width=width, signed=signed) for width in range(2, 17) for signed in (False, True)
]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("text", ["uniform", "normal:3"])
def test_draws_fill_the_shape_within_the_format(text: str, fmt: IntFormat) -> None:
    codes = Distribution.parse(text).draw(fmt, (3, 50), rng())
    assert codes.shape == (3, 50)
    assert fmt.admits(codes)


@pytest.mark.parametrize(
    ("fmt", "dtype"),
    [
        (INT4, np.int8),
        (INT8, np.int8),
        (UINT8, np.uint8),
        (IntFormat(width=9), np.int16),
        (IntFormat(width=16, signed=False), np.uint16),
    ],
    ids=str,
)
@pytest.mark.parametrize("text", ["uniform", "normal:3"])
def test_codes_have_the_smallest_dtype(text: str, fmt: IntFormat, dtype: type) -> None:
    assert Distribution.parse(text).draw(fmt, (2,), rng()).dtype == dtype


@pytest.mark.parametrize("text", ["uniform", "normal:60"])
def test_the_same_seed_draws_the_same_codes(text: str) -> None:
    first, again = (Distribution.parse(text).draw(INT8, (300, 301), rng()) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_uniform_reaches_every_code_about_equally() -> None:
    codes = Distribution.parse("uniform").draw(INT4, (160_000,), rng())
    values, counts = np.unique(codes, return_counts=True)
    assert values.tolist() == list(range(-8, 8))
    np.testing.assert_allclose(counts, 10_000, rtol=0.05)


@pytest.mark.parametrize(("fmt", "std"), [(INT4, 5.0), (UINT4, 2.0), (INT8, 60.0)], ids=str)
def test_normal_is_rounded_and_redrawn_rather_than_clipped(fmt: IntFormat, std: float) -> None:
    codes = Distribution(std).draw(fmt, (400_000,), rng())
    values = np.arange(fmt.min, fmt.max + 1)
    cumulative = np.array([erf((v - 0.5) / (std * sqrt(2))) for v in (*values, fmt.max + 1)])
    expected = np.diff(cumulative) / (cumulative[-1] - cumulative[0])
    counts = np.array([np.count_nonzero(codes == value) for value in values])
    np.testing.assert_allclose(counts / codes.size, expected, atol=0.003)


@pytest.mark.bench
def test_a_llama_sized_operand_takes_about_a_second() -> None:
    start = perf_counter()
    Distribution.parse("normal:20").draw(INT8, (4096, 11008), rng())
    assert perf_counter() - start < 4


def test_halves_round_to_even() -> None:
    halves = Mock(spec=np.random.Generator)
    halves.standard_normal.return_value = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5])
    codes = Distribution(1.0).draw(INT8, (6,), halves)
    assert codes.tolist() == [0, 2, 2, 0, -2, -2]


def test_an_empty_shape_draws_nothing() -> None:
    assert Distribution.parse("normal:20").draw(INT8, (0, 5), rng()).shape == (0, 5)


@pytest.mark.parametrize("text", ["uniform", "normal:20", "normal:0.1", "normal:1e+30"])
def test_a_distribution_prints_the_text_it_was_read_from(text: str) -> None:
    assert str(Distribution.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "normal", "normal:", "normal:-1", "normal:0", "normal:nan", "normal:inf", "gauss:2"],
)
def test_text_that_names_no_distribution_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Operands must be uniform or normal:STD, for example"):
        Distribution.parse(text)


def test_a_deviation_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"^Standard deviation must be a positive number, not -2"):
        Distribution(-2.0)


def test_a_deviation_far_beyond_the_format_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must be at most 1024 for int8, not 1e\+06; draw uniform"
    ):
        Distribution(1e6).draw(INT8, (1,), rng())

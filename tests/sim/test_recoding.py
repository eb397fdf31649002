"""Recodings against the published histograms and means, and against their own definition."""

from math import erf, sqrt

import numpy as np
import pytest

from bitweight.sim.recoding import (
    EN_T,
    MBE,
    NAF,
    RECODINGS,
    SIGN_MAGNITUDE,
    TWOS_COMPLEMENT,
    Recoding,
)
from bitweight.workloads.formats import INT8, UINT8, IntFormat

FORMATS = [
    IntFormat(width=width, signed=signed) for width in range(2, 17) for signed in (False, True)
]

# Values of int8 with 0, 1, 2 ... non-zero digits. Source: counted independently of this package
# for the recodings of arXiv 2503.06342 and 2404.11887 (EN-T); the MBE row gives the 68.4 % of
# values with at most three partial products that arXiv 2503.06342 quotes.
INT8_HISTOGRAMS = [
    (EN_T, [1, 15, 60, 108, 72]),
    (MBE, [1, 12, 54, 108, 81]),
    (TWOS_COMPLEMENT, [1, 8, 28, 56, 70, 56, 28, 8, 1]),
    (SIGN_MAGNITUDE, [1, 15, 42, 70, 70, 42, 14, 2]),
    (NAF, [1, 15, 72, 120, 48]),
]

# Expected non-zero digits of an int8 operand drawn from normal(0, std), redrawn outside -128..127
# and rounded. Source: exact expectation, computed independently of this package; the bit-weight
# paper (arXiv 2503.06342) samples the EN-T column. The table redraws before it rounds, so the two
# end codes own half a step each; the other order changes one entry (std 50, EN-T: 2.604).
NORMAL_MEANS = {
    10: (1.762, 1.925, 3.931, 1.890, 1.731),
    20: (2.115, 2.294, 3.976, 2.344, 2.063),
    30: (2.335, 2.530, 3.988, 2.619, 2.259),
    40: (2.490, 2.673, 3.993, 2.815, 2.397),
    50: (2.605, 2.769, 3.996, 2.968, 2.500),
}
MEAN_COLUMNS = (EN_T, MBE, TWOS_COMPLEMENT, SIGN_MAGNITUDE, NAF)

DIGIT_SETS = [
    (TWOS_COMPLEMENT, {-1, 0, 1}),
    (SIGN_MAGNITUDE, {-1, 0, 1}),
    (MBE, {-2, -1, 0, 1, 2}),
    (EN_T, {-2, -1, 0, 1, 2}),
    (NAF, {-1, 0, 1}),
]


def values_by_pattern(fmt: IntFormat) -> list[int]:
    values = range(fmt.min, fmt.max + 1)
    return sorted(values, key=lambda value: value & (2**fmt.width - 1))


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("recoding", RECODINGS.values(), ids=str)
def test_digits_sum_to_the_value_they_recode(recoding: Recoding, fmt: IntFormat) -> None:
    table = recoding.digit_table(fmt)
    assert table.shape == (2**fmt.width, recoding.digit_count(fmt))
    assert table.dtype == np.int8
    weights = np.array([recoding.radix**i for i in range(table.shape[1])])
    np.testing.assert_array_equal(table @ weights, values_by_pattern(fmt))


@pytest.mark.parametrize(("recoding", "histogram"), INT8_HISTOGRAMS, ids=str)
def test_int8_has_the_published_histogram_of_nonzero_digits(
    recoding: Recoding, histogram: list[int]
) -> None:
    counts = [
        sum(digit != 0 for digit in recoding.digits(value, INT8)) for value in range(-128, 128)
    ]
    assert len(counts) == 256
    assert [counts.count(i) for i in range(len(histogram))] == histogram
    assert sum(histogram) == 256
    assert sorted(recoding.nonzero_counts(INT8)) == sorted(counts)


@pytest.mark.parametrize("std", NORMAL_MEANS)
def test_normal_operands_have_the_published_mean_of_nonzero_digits(std: int) -> None:
    values = np.array(values_by_pattern(INT8))
    edges = np.clip([values - 0.5, values + 0.5], INT8.min, INT8.max) / (std * sqrt(2))
    mass = np.array([erf(upper) - erf(lower) for lower, upper in edges.T])
    means = [float(recoding.nonzero_counts(INT8) @ mass / mass.sum()) for recoding in MEAN_COLUMNS]
    assert means == pytest.approx(NORMAL_MEANS[std], abs=5e-4)


@pytest.mark.parametrize(("recoding", "digits"), DIGIT_SETS, ids=str)
def test_int8_uses_exactly_the_digit_set(recoding: Recoding, digits: set[int]) -> None:
    assert set(recoding.digit_table(INT8).ravel().tolist()) == digits


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_en_t_digits_before_the_sign_are_minus_one_to_two(fmt: IntFormat) -> None:
    signs = np.sign(values_by_pattern(fmt))[:, np.newaxis]
    magnitude_digits = EN_T.digit_table(fmt) * np.where(signs == 0, 1, signs)
    assert set(magnitude_digits.ravel().tolist()) <= {-1, 0, 1, 2}


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_naf_has_no_two_adjacent_nonzero_digits(fmt: IntFormat) -> None:
    table = NAF.digit_table(fmt)
    assert not np.any(table[:, :-1] & table[:, 1:] & 1)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_no_recoding_has_a_place_that_is_always_zero(fmt: IntFormat) -> None:
    for recoding in RECODINGS.values():
        assert recoding.digit_table(fmt)[:, -1].any(), recoding.name


# Most significant first. Source: worked examples of EN-T, arXiv 2404.11887, and its RTL.
@pytest.mark.parametrize(
    ("value", "digits"),
    [
        (91, (1, 2, -1, -1)),
        (124, (2, 0, -1, 0)),
        (-128, (-2, 0, 0, 0)),
        (127, (2, 0, 0, -1)),
        (-1, (0, 0, 0, -1)),
    ],
)
def test_en_t_gives_the_published_digits(value: int, digits: tuple[int, ...]) -> None:
    assert EN_T.digits(value, INT8)[::-1] == digits


def test_digits_of_other_recodings_are_as_worked_by_hand() -> None:
    assert TWOS_COMPLEMENT.digits(-128, INT8) == (0, 0, 0, 0, 0, 0, 0, -1)
    assert SIGN_MAGNITUDE.digits(-3, INT8) == (-1, -1, 0, 0, 0, 0, 0, 0)
    assert SIGN_MAGNITUDE.digits(-128, INT8) == (0, 0, 0, 0, 0, 0, 0, -1)
    assert MBE.digits(-128, INT8) == (0, 0, 0, -2)
    assert MBE.digits(255, UINT8) == (-1, 0, 0, 0, 1)
    assert NAF.digits(7, INT8) == (-1, 0, 0, 1, 0, 0, 0, 0)
    assert NAF.digits(255, UINT8) == (-1, 0, 0, 0, 0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("recoding", "signed", "unsigned"),
    [
        (TWOS_COMPLEMENT, 8, 8),
        (SIGN_MAGNITUDE, 8, 8),
        (MBE, 4, 5),
        (EN_T, 4, 5),
        (NAF, 8, 9),
    ],
    ids=str,
)
def test_eight_bits_take_the_stated_number_of_digits(
    recoding: Recoding, signed: int, unsigned: int
) -> None:
    assert recoding.digit_count(INT8) == signed
    assert recoding.digit_count(UINT8) == unsigned


def test_odd_signed_widths_round_the_radix_four_digits_up() -> None:
    assert MBE.digit_count(IntFormat(width=5)) == 3
    assert EN_T.digit_count(IntFormat(width=5, signed=False)) == 3


def test_the_table_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        MBE.digit_table(INT8)[0, 0] = 1


@pytest.mark.parametrize("value", [-129, 128])
def test_a_value_outside_the_format_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f"Value must be in -128..127 .int8., not {value}"):
        NAF.digits(value, INT8)

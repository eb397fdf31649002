"""Recodings: the digits that an operand is multiplied by, one partial product each.

A recoding writes an integer as ``sum(digit[i] * radix**i)``. The value never changes; what differs
is how many digits there are and how many of them are zero, and a zero digit makes no partial
product. ``RECODINGS`` is the one table; designs name an entry of it.

Source: MacSorley, "High-Speed Arithmetic in Binary Computers", Proc. IRE 49(1), 1961 (modified
Booth); Reitwiesner, "Binary Arithmetic", Advances in Computers 1, 1960 (NAF); EN-T,
arXiv 2404.11887, with the rule as in its authors' RTL.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats import IntFormat

# Digit of each overlapping bit triple (a[2i+1], a[2i], a[2i-1]): -2 a[2i+1] + a[2i] + a[2i-1].
_BOOTH_DIGITS = np.array([0, 1, 1, 2, -2, -1, -1, 0], dtype=np.int8)

Recode = Callable[[NDArray[np.int64], int], NDArray[np.int8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoding:
    """One way to write an operand as digits.

    Attributes:
        name: Its name in specs, on the command line and in reports.
        radix: Weight of a digit against the one before it: 2 or 4.
        carries: Whether the top bits of an unsigned operand may carry into one more digit.
        recode: Maps values, shape (count,), and a number of digits to digits, shape
            (count, digits), least significant first.
    """

    name: str
    radix: int
    carries: bool
    recode: Recode

    def digit_count(self, format: IntFormat) -> int:  # noqa: A002 - as in specs: it is the format
        """Return how many digits hold every value of ``format``."""
        bits = self.radix.bit_length() - 1
        if self.carries and not format.signed:
            return format.width // bits + 1
        return -(-format.width // bits)

    def digits(self, value: int, format: IntFormat) -> tuple[int, ...]:  # noqa: A002
        """Return the digits of one value, least significant first.

        Raises:
            ValueError: If ``value`` is outside ``format``.
        """
        if not format.min <= value <= format.max:
            raise ValueError(f"Value must be in {format.min}..{format.max} ({format}), not {value}")
        row = self.recode(np.array([value], dtype=np.int64), self.digit_count(format))[0]
        return tuple(int(digit) for digit in row)

    def digit_table(self, format: IntFormat) -> NDArray[np.int8]:  # noqa: A002
        """Return the digits of every value, shape (2**width, digits), read-only.

        Row ``value & format.mask`` holds the digits of ``value``, least significant first.
        """
        return _digit_table(self, format)

    def nonzero_counts(self, format: IntFormat) -> NDArray[np.uint8]:  # noqa: A002
        """Return each value's number of non-zero digits, shape (2**width,), by bit pattern."""
        counts: NDArray[np.uint8] = (self.digit_table(format) != 0).sum(axis=1, dtype=np.uint8)
        return counts

    def __str__(self) -> str:
        """Return the name."""
        return self.name


@cache
def _digit_table(recoding: Recoding, fmt: IntFormat) -> NDArray[np.int8]:
    patterns = np.arange(fmt.mask + 1, dtype=np.int64)
    values = np.where(patterns > fmt.max, patterns - (fmt.mask + 1), patterns)
    table = recoding.recode(values, recoding.digit_count(fmt))
    table.flags.writeable = False
    return table


def _twos_complement(values: NDArray[np.int64], count: int) -> NDArray[np.int8]:
    """Bits, the top one weighted negatively: an arithmetic shift leaves it as 0, 1 or -1."""
    digits = values[:, np.newaxis] >> np.arange(count)
    digits[:, :-1] &= 1
    return digits.astype(np.int8)


def _sign_magnitude(values: NDArray[np.int64], count: int) -> NDArray[np.int8]:
    """Bits of the magnitude, each with the sign; the least value's magnitude fills all bits."""
    bits = (np.abs(values)[:, np.newaxis] >> np.arange(count)) & 1
    return (bits * np.sign(values)[:, np.newaxis]).astype(np.int8)


def _booth(values: NDArray[np.int64], count: int) -> NDArray[np.int8]:
    """Radix-4 modified Booth: one digit for each bit triple, with a 0 below the lowest bit."""
    triples = ((values << 1)[:, np.newaxis] >> (2 * np.arange(count))) & 0b111
    return _BOOTH_DIGITS.take(triples)


def _en_t(values: NDArray[np.int64], count: int) -> NDArray[np.int8]:
    """EN-T: digits -1..2 of the magnitude by a rippling carry, then the sign on each."""
    magnitudes = np.abs(values)
    digits = np.empty((values.size, count), dtype=np.int8)
    carry = np.zeros_like(values)
    for i in range(count):
        total = ((magnitudes >> (2 * i)) & 0b11) + carry
        carry = (total >= 3).astype(np.int64)  # 3 is written as 4 - 1, and 4 as 4 + 0
        digits[:, i] = total - 4 * carry
    return digits * np.sign(values).astype(np.int8)[:, np.newaxis]


def _naf(values: NDArray[np.int64], count: int) -> NDArray[np.int8]:
    """Non-adjacent form: an odd rest takes the digit that makes it a multiple of four."""
    digits = np.empty((values.size, count), dtype=np.int8)
    rest = values.copy()
    for i in range(count):
        digit = np.where(rest & 1, 2 - (rest & 0b11), 0)
        digits[:, i] = digit
        rest = (rest - digit) >> 1
    return digits


TWOS_COMPLEMENT = Recoding(name="twos_complement", radix=2, carries=False, recode=_twos_complement)
SIGN_MAGNITUDE = Recoding(name="sign_magnitude", radix=2, carries=False, recode=_sign_magnitude)
MBE = Recoding(name="mbe", radix=4, carries=True, recode=_booth)
EN_T = Recoding(name="en_t", radix=4, carries=True, recode=_en_t)
NAF = Recoding(name="naf", radix=2, carries=True, recode=_naf)

RECODINGS = {
    recoding.name: recoding for recoding in (TWOS_COMPLEMENT, SIGN_MAGNITUDE, MBE, EN_T, NAF)
}


def check_recoding(name: str) -> None:
    """Raise ``ValueError`` unless ``name`` is one of ``RECODINGS``."""
    if name not in RECODINGS:
        raise ValueError(f"Recoding must be one of {', '.join(RECODINGS)}, not {name!r}")

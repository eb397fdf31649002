"""Shift of an fp16 value by an addition to its exponent field, as published and guarded.

ShiftAddLLM's kernel multiplies an fp16 value by a power of two by adding the power to the exponent
field, unchecked: all 16 bits are added, modulo 2**16. Where the exponent leaves 1..30 the result is
not the product: zero and subnormal values become powers of two, an underflow borrows from the sign,
an overflow gives infinity, NaN or another sign.

The guarded form gives the product: zero stays zero, an underflow rounds to nearest even into
subnormals, an overflow saturates to +-65504. Infinities and NaN stay what they are in it.

RTL twin: ``rtl.datapaths.exponent_add``.
Source: ShiftAddLLM, arXiv 2406.05981 (GATECH-EIC/ShiftAddLLM, lut_gemm); the guarded form is ours.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FRACTION_BITS = 10
LARGEST = 0x7BFF
_FRACTION = (1 << FRACTION_BITS) - 1
_EXPONENT_MAX = 31
_SIGN = 0x8000


class ExponentForm(StrEnum):
    """What happens where the exponent leaves its field."""

    AS_PUBLISHED = "as_published"
    GUARDED = "guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentAddSpec:
    """Parameters of one exponent-field adder.

    Attributes:
        form: Unchecked as published, or guarded.
        shift_width: Bits of the shift, two's complement, 2 to 8.
    """

    form: ExponentForm = ExponentForm.GUARDED
    shift_width: int = 8

    def __post_init__(self) -> None:
        """Refuse shifts that no packed exponent has."""
        if not 2 <= self.shift_width <= 8:
            raise ValueError(f"Shift width must be 2 to 8 bits, not {self.shift_width!r}")

    @property
    def name(self) -> str:
        """Name of the component."""
        return f"exponent_add/{self.form.value}"

    @property
    def latency(self) -> int:
        """Edges from a value and its shift to the product: its one register."""
        return 1


def add_exponent(
    form: ExponentForm, values: NDArray[np.uint16], shifts: NDArray[np.integer]
) -> NDArray[np.uint16]:
    """Return the bits of fp16 values after their shifts.

    Args:
        form: Unchecked or guarded.
        values: Bits of fp16 values.
        shifts: Powers of two, -128 to 127, of a shape that broadcasts with ``values``.
    """
    bits, powers = values.astype(np.int64), shifts.astype(np.int64)
    if form is ExponentForm.AS_PUBLISHED:
        return (bits + (powers << FRACTION_BITS) & 0xFFFF).astype(np.uint16)
    exponent, fraction = bits >> FRACTION_BITS & _EXPONENT_MAX, bits & _FRACTION
    significand = np.where(exponent > 0, fraction | 1 << FRACTION_BITS, fraction)
    # Subnormals lie at the exponent 1; a leading 1 is moved to where a normal value has it.
    width = np.frexp(significand.astype(np.float64))[1].astype(np.int64)
    lead = np.where(significand > 0, FRACTION_BITS + 1 - width, 0)
    moved = np.maximum(exponent, 1) - lead + powers
    aligned = np.left_shift(significand, lead).astype(np.int64)
    normal = (moved << FRACTION_BITS) + (aligned & _FRACTION)
    # Beyond 12 places nothing is left to round up.
    places: NDArray[np.int64] = np.clip(1 - moved, 0, 12)
    subnormal = _round_half_even(aligned, places)
    magnitude = np.where(moved > 0, normal, subnormal)
    magnitude = np.where(moved >= _EXPONENT_MAX, LARGEST, magnitude)
    is_kept = (exponent == _EXPONENT_MAX) | (significand == 0)
    return np.where(is_kept, bits, bits & _SIGN | magnitude).astype(np.uint16)


def _round_half_even(values: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return values over 2**places, rounded to the nearest integer, ties to even."""
    down = values >> places
    rest, half = values - (down << places), (np.int64(1) << places) >> 1
    is_up = (rest > half) | ((rest == half) & (down & 1 == 1))
    rounded: NDArray[np.int64] = down + (is_up & (places > 0))
    return rounded

"""Oracle: the product in float64, which holds every one exactly, rounded by numpy's fp16."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bitweight.sim.datapaths.exponent_add import ExponentAddSpec, ExponentForm, add_exponent

EVERY_VALUE = np.arange(1 << 16).astype(np.uint16)
EVERY_SHIFT = range(-128, 128)


def product(values: NDArray[np.uint16], shift: int) -> NDArray[np.uint16]:
    """Return the saturated fp16 products; infinities and NaN as they are."""
    is_finite = np.isfinite(values.view(np.float16))
    real = np.where(is_finite, values, 0).astype(np.uint16).view(np.float16).astype(np.float64)
    rounded = np.clip(np.ldexp(real, shift), -65504, 65504).astype(np.float16).view(np.uint16)
    return np.where(is_finite, rounded, values)


def test_guarded_form_is_the_saturated_product_for_every_value_and_shift() -> None:
    compared = 0
    for shift in EVERY_SHIFT:
        found = add_exponent(ExponentForm.GUARDED, EVERY_VALUE, np.array(shift))
        np.testing.assert_array_equal(found, product(EVERY_VALUE, shift), err_msg=f"shift {shift}")
        compared += len(found)
    assert compared == 2**16 * 2**8


def test_published_form_is_the_product_while_the_exponent_stays_in_its_field() -> None:
    exponent = EVERY_VALUE.astype(int) >> 10 & 31
    for shift in EVERY_SHIFT:
        found = add_exponent(ExponentForm.AS_PUBLISHED, EVERY_VALUE, np.array(shift))
        stays = (exponent > 0) & (exponent + shift > 0) & (exponent < 31) & (exponent + shift < 31)
        np.testing.assert_array_equal(found[stays], product(EVERY_VALUE, shift)[stays])
        as_integers = (EVERY_VALUE.astype(int) + shift * 1024) % 65536
        np.testing.assert_array_equal(found, as_integers)


@pytest.mark.parametrize(
    ("value", "shift", "as_published", "guarded"),
    [
        (0x0000, 3, 0x0C00, 0x0000),  # zero becomes 2**-12
        (0x0000, -3, 0xF400, 0x0000),  # and -16384, borrowing from the sign
        (0x0001, 1, 0x0401, 0x0002),  # a subnormal becomes a normal value
        (0x3C00, -15, 0x0000, 0x0200),  # 2**-15 is subnormal
        (0x3C00, -16, 0xFC00, 0x0100),  # one step further: minus infinity
        (0x7BFF, 1, 0x7FFF, 0x7BFF),  # the greatest value becomes NaN
        (0xFBFF, 2, 0x03FF, 0xFBFF),  # and its negative a positive subnormal
        (0x0401, -1, 0x0001, 0x0200),  # a tie goes to even
        (0x0403, -1, 0x0003, 0x0202),
        (0x3C00, -25, 0xD800, 0x0000),  # half the least value, to even
        (0x3C01, -25, 0xD801, 0x0001),
        (0x7C00, 1, 0x8000, 0x7C00),  # infinity
    ],
)
def test_known_values(value: int, shift: int, as_published: int, guarded: int) -> None:
    bits, power = np.array([value], np.uint16), np.array([shift])
    assert add_exponent(ExponentForm.AS_PUBLISHED, bits, power)[0] == as_published
    assert add_exponent(ExponentForm.GUARDED, bits, power)[0] == guarded


def test_shift_widths_are_those_of_an_exponent() -> None:
    with pytest.raises(ValueError, match="Shift width must be 2 to 8 bits, not 9"):
        ExponentAddSpec(shift_width=9)

"""Partial products: whatever the recoding and the formats, their weighted bits make the product."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import MAX_ACC_WIDTH, codes, formats

from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.recoding import MBE, NAF, RECODINGS
from bitweight.workloads.formats import INT8, UINT8, IntFormat

SMALL = [IntFormat(width=width, signed=signed) for width in range(2, 5) for signed in (False, True)]


@st.composite
def products(draw: st.DrawFn) -> tuple[PartialProducts, int, int]:
    a, b = draw(formats()), draw(formats())
    width = draw(st.integers(a.width + b.width, MAX_ACC_WIDTH))
    recoding = draw(st.sampled_from(sorted(RECODINGS)))
    return PartialProducts(recoding, a, b, width), draw(codes(a)), draw(codes(b))


def weighted_sum(rows: PartialProducts, a: int, b: int) -> int:
    bits = rows.bits(a, b)
    assert set(bits) <= {0, 1}
    total = sum(value << bit.column for bit, value in zip(rows.row_inputs, bits, strict=True))
    return total + sum(1 << bit.column for bit in rows.ones)


@given(products())
def test_weighted_bits_add_up_to_the_product(product: tuple[PartialProducts, int, int]) -> None:
    rows, a, b = product
    assert weighted_sum(rows, a, b) % 2**rows.width == a * b % 2**rows.width


@pytest.mark.parametrize("recoding", RECODINGS)
@pytest.mark.parametrize("a", SMALL, ids=str)
def test_all_products_of_small_formats_are_exact(a: IntFormat, recoding: str) -> None:
    count = 0
    for b in SMALL:
        rows = PartialProducts(recoding, a, b, a.width + b.width + 3)
        for x in range(a.min, a.max + 1):
            for y in range(b.min, b.max + 1):
                assert weighted_sum(rows, x, y) % 2**rows.width == x * y % 2**rows.width
                count += 1
    assert count == 2**a.width * 2 * (2**2 + 2**3 + 2**4)


@pytest.mark.slow
@pytest.mark.parametrize("recoding", RECODINGS)
def test_all_int8_products_are_exact(recoding: str) -> None:
    rows = PartialProducts(recoding, INT8, INT8, 32)
    cases = [(x, y) for x in range(-128, 128) for y in range(-128, 128)]
    for x, y in cases:
        assert weighted_sum(rows, x, y) % 2**32 == x * y % 2**32
    assert len(cases) == 65_536


def test_a_booth_int8_product_has_the_bits_that_the_module_states() -> None:
    rows = PartialProducts(MBE.name, INT8, INT8, 32)
    assert (rows.rows, rows.row_width) == (4, 9)
    # -(2**8 + 2**10 + 2**12 + 2**14) modulo 2**32, by hand.
    assert rows.constant == 0xFFFFAB00
    assert (len(rows.row_inputs), len(rows.ones)) == (4 * 9 + 4, 21)


def test_an_unsigned_operand_takes_one_more_digit_or_bit() -> None:
    assert PartialProducts(MBE.name, UINT8, INT8, 32).rows == 5
    assert PartialProducts(MBE.name, INT8, UINT8, 32).row_width == 10


def test_a_layout_is_shared_by_equal_formats() -> None:
    first = partial_products(NAF.name, INT8, INT8, 32)
    assert partial_products(NAF.name, IntFormat(width=8), INT8, 32) is first

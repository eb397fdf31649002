"""Oracle: one fp16 scalar at a time, in the order that the module states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.datapaths.fp16_tables import check_tile, direct_bits, fp16_tables

half = np.float16


def entry(x: list[np.float16], key: int, direct: int) -> np.float16:
    """Return T[key]: its top signs that are plus are undone by doubling, from the lowest up."""
    doubled = [i for i in range(direct, 8) if key >> i & 1]
    low = key & ((1 << direct) - 1)
    total = x[0] if low & 1 else -x[0]
    for i in range(1, 8):
        total = half(total + x[i]) if low >> i & 1 else half(total - x[i])
    for i in doubled:
        total = half(total + half(half(2) * x[i]))
    return total


@given(seed=st.integers(0, 999), tile=st.sampled_from([32, 64, 128, 256]))
def test_entries_are_rounded_in_the_stated_order(seed: int, tile: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.normal(0, 1, (2, 40)) * 2.0 ** rng.integers(-12, 8, (2, 40))).astype(half)
    tables = fp16_tables(x, tile)
    assert tables.shape == (2, -(-40 // tile) * tile // 8, 256)
    for key in rng.integers(0, 256, 20):
        for row, table in ((0, 0), (1, 4)):
            part = list(x[row, table * 8 : table * 8 + 8])
            assert tables[row, table, key] == entry(part, int(key), direct_bits(tile))


def test_the_entry_of_all_plus_signs_is_not_the_plain_sum() -> None:
    # Direct sums cover x0..x5: what cancels against x6 and x7 first is lost before they double.
    x = np.array([[1, 0, 0, 0, 0, 0, 2048, 0]], half)
    assert fp16_tables(x, 32)[0, 0, 255] == 2048
    x = np.array([[1, 2, 0, 0, 0, 0, 4096, -4096]], half)
    plain = half(0)
    for value in x[0]:
        plain = half(plain + value)
    documented = half(half(half(half(3) - half(4096)) + half(4096)) + half(8192)) - half(8192)
    assert fp16_tables(x, 32)[0, 0, 255] == documented
    assert (plain, documented) == (4, 0)


def test_integers_within_fp16_are_exact_in_any_order() -> None:
    x = np.random.default_rng(0).integers(-127, 128, (1, 32)).astype(half)
    signs = np.where(np.arange(256)[:, None] >> np.arange(8) & 1, 1, -1)
    wanted = np.einsum("mki,ei->mke", x.reshape(1, 4, 8).astype(int), signs)
    for tile in (32, 256):
        np.testing.assert_array_equal(fp16_tables(x, tile)[:, :4], wanted)


def test_sums_beyond_fp16_are_infinite() -> None:
    tables = fp16_tables(np.full((1, 32), 40000, half), 32)
    assert np.isinf(tables[0, 0, 63]) or np.isnan(tables[0, 0, 63])


def test_tiles_are_those_of_a_block_of_threads() -> None:
    assert [direct_bits(tile) for tile in (32, 64, 128, 256)] == [6, 5, 4, 3]
    with pytest.raises(ValueError, match="Tile must be 32, 64, 128 or 256 inputs, not 48"):
        check_tile(48)

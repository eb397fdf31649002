import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.datapaths.half_table import (
    entry_range,
    half_keys,
    half_table,
    read,
    table_adds,
)
from bitweight.workloads.formats import INT4, INT8, SYMMETRIC_INT8, UINT8


@pytest.mark.parametrize("mu", [4, 8])
@given(data=st.data())
def test_every_key_reads_the_signed_sum_of_its_activations(mu: int, data: st.DataObject) -> None:
    x = data.draw(st.lists(st.integers(-128, 127), min_size=mu, max_size=mu))
    table = half_table(x)
    assert len(table) == 1 << (mu - 1)
    for key in range(1 << mu):
        (half_key,) = half_keys(key, mu, mu)
        signed = sum(value if key >> i & 1 else -value for i, value in enumerate(x))
        assert read(table, half_key) == signed


def test_a_unit_holds_its_keys_from_the_lowest_lane() -> None:
    # Signs ++++ of lanes 0..3 and +--- of lanes 4..7: entry 7, and entry 6 negated.
    assert half_keys(0b0001_1111, 8, 4) == [0b0111, 0b1110]


@pytest.mark.parametrize(
    ("a", "ends"),
    [(INT8, (-1024, 1023)), (SYMMETRIC_INT8, (-1016, 1016)), (UINT8, (-1785, 2040))],
)
def test_entries_of_eight_reach_exactly_their_range(a: object, ends: tuple[int, int]) -> None:
    assert isinstance(a, type(INT8))
    assert entry_range(a, 8) == ends
    low = a.min if a.max_magnitude == -a.min else a.max
    found = [
        entry
        for others, last in itertools.product((a.min, a.max), repeat=2)
        for entry in half_table([others] * 7 + [last])
    ]
    assert (min(found), max(found)) == ends
    assert abs(low) == a.max_magnitude


def test_range_is_exhaustive_at_a_small_width() -> None:
    sums = [entry for x in itertools.product((-8, -1, 0, 7), repeat=4) for entry in half_table(x)]
    assert len(sums) == 4**4 * 8
    assert (min(sums), max(sums)) == entry_range(INT4, 4)


def test_additions_are_those_of_sums_of_halves() -> None:
    # Pairs 2 each, quadruples 8 each, then all: 4 x 2 + 2 x 8 + 128.
    assert [table_adds(mu) for mu in (2, 4, 8)] == [2, 12, 152]

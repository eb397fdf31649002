"""Temporal trips against hand-derived numbers and published digit counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.notation import (
    Nest,
    Sync,
    adder_tree,
    carry_save,
    column,
    cube,
    defer_add,
    group_lanes,
    grouped,
    matrix_2d,
    same_weight,
    share_encoder,
    shared_encoder,
    sparse_digit,
    systolic_os,
    systolic_ws,
)
from bitweight.sim.recoding import EN_T, MBE, NAF, SIGN_MAGNITUDE, TWOS_COMPLEMENT, Recoding
from bitweight.workloads.formats import INT8
from bitweight.workloads.operands import Distribution

# 5 x 11 x 7 on tiles that do not divide it: ceil(5/2) = 3, ceil(7/3) = 3, ceil(11/4) = 3, ...
DENSE = [
    (systolic_os(rows=2, cols=3), 3 * 3 * 11),
    (systolic_ws(rows=4, cols=3), 3 * 3 * 5),
    (cube(rows=2, cols=3, depth=4), 3 * 3 * 3),
    (adder_tree(lanes=4, columns=2), 3 * 4 * 5),
    (same_weight(adder_tree(lanes=4, columns=2)), 3 * 4 * 5),
    (matrix_2d(rows=2, cols=3), 3 * 3 * 11),
    (same_weight(matrix_2d(rows=2, cols=3)), 3 * 3 * 11),
    (same_weight(matrix_2d(rows=2, cols=3), lanes=4), 3 * 3 * 4 * 3),
]


@pytest.mark.parametrize(("nest", "trips"), DENSE)
def test_dense_trips_are_the_product_of_the_tiles(nest: Nest, trips: int) -> None:
    assert nest.trips(m=5, n=7, k=11, digits=4) == trips


def test_deferring_and_sharing_cost_no_trips() -> None:
    for nest in (systolic_os(rows=2, cols=3), systolic_ws(rows=2, cols=3)):
        trips = nest.trips(m=5, n=7, k=11)
        assert defer_add(nest).trips(m=5, n=7, k=11) == trips
        assert share_encoder(defer_add(nest)).trips(m=5, n=7, k=11) == trips


def test_four_lanes_make_up_for_four_temporal_digits() -> None:
    nest = carry_save(matrix_2d(rows=16, cols=16))
    opt2 = same_weight(matrix_2d(rows=16, cols=16), lanes=4)
    assert opt2.trips(m=64, n=64, k=128, digits=4) == nest.trips(m=64, n=64, k=128)


@given(st.integers(1, 40), st.permutations([2, 3, 4]), st.lists(st.booleans(), max_size=4))
def test_a_split_of_k_takes_as_many_trips_as_the_busiest_position(
    size: int, extents: list[int], spatial: list[bool]
) -> None:
    """Drawn splits of k, against a count over all indices."""
    base = carry_save(systolic_os(rows=1, cols=1))
    spatial = (spatial + [False] * 4)[:4]
    k = next(loop for loop in base.loops if loop.name == "k")
    parts, stride = [], 1
    for i, extent in enumerate([*extents, None]):
        parts.append(replace(k, name=f"k{i}", stride=stride, extent=extent, spatial=spatial[i]))
        stride *= extent or 1
    at = base.loops.index(k)
    encode, select, shift, reduce, add = base.statements
    nest = Nest(
        loops=(*base.loops[:at], *reversed(parts), *base.loops[at + 1 :]),
        statements=(
            encode,
            select,
            shift,
            replace(reduce, over=("bw", *(part.name for part in parts))),
            add,
        ),
    )
    busy: dict[tuple[int, ...], int] = {}
    for index in range(size):
        digits = [index // part.stride % (part.extent or size) for part in parts]
        position = tuple(d for d, part in zip(digits, parts, strict=True) if part.spatial)
        busy[position] = busy.get(position, 0) + 1
    assert nest.trips(m=1, n=1, k=size) == max(busy.values())
    ones = np.ones((1, size), dtype=np.int64)
    assert nest.run(ones, ones.T, recoding=EN_T, a_format=INT8) == (size, max(busy.values()))


def mbe_trips(nest: Nest, rows: list[list[int]], n: int = 1) -> int:
    """Return trips both ways; 1, 4, 16 and 64 have one MBE digit each, 85 has four ones."""
    a = np.array(rows)
    trips = nest.trips_for(a, n=n, recoding=MBE, a_format=INT8)
    b = np.ones((a.shape[1], n), dtype=np.int64)
    assert trips == nest.run(a, b, recoding=MBE, a_format=INT8).trips
    return trips


def test_a_group_takes_a_clock_per_digit_and_an_empty_one_idles() -> None:
    one_column = column(columns=1, pes=1)
    row = [[1, 1, 0, 0, 0, 0, 0, 0]]  # lowest weight: 2 + idle; three others: idle + idle
    assert mbe_trips(sparse_digit(one_column), row) == 2 + 1 + 3 * (1 + 1)
    assert mbe_trips(sparse_digit(one_column, skip_empty=True), row) == 2


def test_a_short_last_group_is_a_group() -> None:
    row = [[85] * 5]  # at each of four weights: 4 digits, then 1
    assert mbe_trips(shared_encoder(column(columns=1, pes=1)), row) == 4 * (4 + 1)


def test_pes_of_a_column_run_in_step_and_n_is_folded() -> None:
    row = [[85] * 8]
    assert mbe_trips(shared_encoder(column(columns=1, pes=4)), row, n=4) == 4 * 8
    assert mbe_trips(shared_encoder(column(columns=1, pes=4)), row, n=5) == 2 * 4 * 8


def test_a_tile_of_columns_ends_with_its_slowest() -> None:
    busy, idle = [85] * 8, [0] * 8  # 32 and 8 clocks
    nest = shared_encoder(column(columns=2, pes=1))
    assert mbe_trips(nest, [busy, idle, idle]) == 32 + 8
    assert mbe_trips(nest, [busy, idle, idle, busy]) == 32 + 32
    free = replace(nest, statements=tuple(s for s in nest.statements if s != Sync(loop="mp")))
    assert mbe_trips(free, [busy, idle, idle, busy]) == 32 + 8


def test_sharing_the_encoder_changes_no_trip() -> None:
    a = [[85, 1, 0, 64, 16, 0, 0, 0, 3], [127, -128, 1, 1, 0, 0, 0, 0, 0]]
    base = column(columns=2, pes=2)
    assert mbe_trips(sparse_digit(base), a, n=3) == mbe_trips(shared_encoder(base), a, n=3)


def test_group_g_goes_to_lane_g_mod_lanes() -> None:
    busy_0_and_4 = [[*[85] * 4, *[0] * 12, *[85] * 4, *[0] * 12]]  # both in lane 0
    busy_0_and_1 = [[*[85] * 8, *[0] * 24]]  # lanes 0 and 1
    nest = grouped(column(columns=1, pes=1))
    assert mbe_trips(nest, busy_0_and_4) == 4 * (4 + 4)
    assert mbe_trips(nest, busy_0_and_1) == 4 * (4 + 1)
    assert mbe_trips(shared_encoder(column(columns=1, pes=1)), busy_0_and_1) == 4 * (8 + 6)


def test_lanes_meet_at_every_bit_weight() -> None:
    row = [[1, 1, 1, 1, 4, 4, 4, 4]]  # lane 0 works at the lowest weight, lane 1 at the next
    assert mbe_trips(grouped(column(columns=1, pes=1)), row) == 4 + 4 + 1 + 1
    assert mbe_trips(grouped(column(columns=1, pes=1), skip_empty=True), row) == 4 + 4


def test_encoders_of_every_pe_may_feed_lanes_too() -> None:
    row = [[1, 1, 1, 1, 4, 4, 4, 4]]
    assert mbe_trips(group_lanes(sparse_digit(column(columns=1, pes=2))), row, n=2) == 10


def test_each_fold_of_k_has_its_own_barrier() -> None:
    slow_then_fast = [[85] * 4 + [0] * 4, [0] * 4 + [85] * 4]  # 16 + 4 clocks, and 4 + 16
    assert mbe_trips(shared_encoder(column(columns=2, pes=1)), slow_then_fast) == 20
    assert mbe_trips(shared_encoder(column(columns=2, pes=1, k_depth=4)), slow_then_fast) == 32


# Non-zero digits of all 256 int8 values together. Source: histograms counted for the recodings of
# arXiv 2503.06342, for example EN-T 1/15/60/108/72 values with 0/1/2/3/4 digits.
@pytest.mark.parametrize(
    ("recoding", "digits"),
    [
        (EN_T, 15 + 2 * 60 + 3 * 108 + 4 * 72),
        (MBE, 12 + 2 * 54 + 3 * 108 + 4 * 81),
        (TWOS_COMPLEMENT, 1024),
        (SIGN_MAGNITUDE, 15 + 84 + 210 + 280 + 210 + 84 + 14),
        (NAF, 15 + 2 * 72 + 3 * 120 + 4 * 48),
    ],
)
def test_without_idle_slots_a_lane_takes_one_clock_per_nonzero_digit(
    recoding: Recoding, digits: int
) -> None:
    a = np.arange(-128, 128).reshape(16, 16)
    nest = shared_encoder(column(columns=1, pes=1), skip_empty=True)
    assert nest.trips_for(a, n=1, recoding=recoding, a_format=INT8) == digits


def test_idle_slots_on_normal_operands_cost_what_the_exact_mean_says() -> None:
    # Source: exact expectation for the release of arXiv 2503.06342, EN-T, groups of 4, std 20,
    # counted independently of this package: 2.342 clocks per operand. A group's clocks deviate by
    # less than 2, so that the mean of 65,536 groups deviates by less than 0.008: 4 sigma are 0.03.
    a = Distribution(std=20).draw(INT8, (64, 1024), np.random.default_rng(0))
    trips = shared_encoder(column(columns=1, pes=16)).trips_for(
        a, n=16, recoding=EN_T, a_format=INT8
    )
    assert trips / a.size == pytest.approx(2.342, abs=0.03)


def test_a_layer_is_counted_without_running_it() -> None:
    a = np.zeros((64, 4096), dtype=np.int8)
    nest = grouped(column(columns=4, pes=16))
    assert nest.trips_for(a, n=160, recoding=EN_T, a_format=INT8) == 10 * 16 * 4 * 256


def test_trips_that_depend_on_more_than_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="trips of a sparse nest depend on the operands"):
        sparse_digit(column(columns=1, pes=1)).trips(m=1, n=1, k=1, digits=4)
    with pytest.raises(ValueError, match="trips must be given the number of digits: bw is"):
        same_weight(matrix_2d(rows=1, cols=1), lanes=4).trips(m=1, n=1, k=1)
    with pytest.raises(ValueError, match=r"a must be a matrix of int8 values"):
        systolic_os(rows=1, cols=1).trips_for(np.array([[200]]), n=1, recoding=MBE, a_format=INT8)

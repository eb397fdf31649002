"""How k is cut into beats, and that every datapath's parts make what its fast twin makes."""

import numpy as np
import pytest

from bitweight.sim import DATAPATHS
from bitweight.sim.datapath import (
    DatapathSpec,
    Walk,
    contribute,
    decode,
    draw,
    partials,
    prepare,
    side,
    units,
)


def test_a_straight_walk_pads_its_last_beat() -> None:
    walk = Walk.straight(4)
    assert (walk.beats(8), walk.beats(9)) == (2, 3)
    assert walk.lane_k(6).tolist() == [[0, 1, 2, 3], [4, 5, 6, 6]]
    assert not walk.tails(6).any()


def test_a_chunk_takes_its_k_in_the_order_of_its_lanes() -> None:
    walk = Walk(chunk=4, lanes=((0, 2), (1, 3)))
    assert walk.lane_k(6).tolist() == [[0, 2], [1, 3], [4, 6], [5, 6]]


def test_a_tail_takes_what_whole_chunks_leave() -> None:
    walk = Walk(chunk=6, lanes=((0, 1, 2), (3, 4, 5)), tail=2)
    assert walk.beats(16) == 6
    assert walk.tails(16).tolist() == [False] * 4 + [True] * 2
    assert walk.lane_k(16)[4:].tolist() == [[12, 13, 16], [14, 15, 16]]
    assert walk.lane_k(2).tolist() == [[0, 1, 2]]


def test_a_tail_may_fill_other_lanes() -> None:
    walk = Walk(chunk=6, lanes=((0, 1, 2), (3, 4, 5)), tail=2, tail_lanes=(1, 2))
    assert walk.lane_k(10)[2:].tolist() == [[10, 6, 7], [10, 8, 9]]


def shared_sets(pe: DatapathSpec) -> int:
    """Return how many equal runs of outputs there must be."""
    return (pe.side.sets if pe.side else 0) or 1


@pytest.mark.parametrize("name", DATAPATHS)
def test_parts_add_up_to_the_fast_sums(name: str) -> None:
    pe = DATAPATHS[name].pe
    rng = np.random.default_rng(1)
    k = -(-(pe.group or 2 * pe.walk.chunk) // pe.walk.k_multiple) * pe.walk.k_multiple
    sets = shared_sets(pe)
    packed = draw(pe, rng, k=k, n=3 * sets)
    x = rng.integers(pe.a.min, pe.a.max + 1, (2, k))
    fast = partials(pe, x, packed)
    words, integers = units(pe, packed), side(pe, packed)
    padded = np.pad(x, ((0, 0), (0, 1)))
    assert int(words.min()) >= 0
    assert int(words.max()) < 1 << pe.unit_bits
    for i in range(2):
        for j in range(0, 3 * sets, sets):
            total = np.zeros((pe.planes, fast.shape[3]), np.int64)
            for beat, places in enumerate(pe.walk.lane_k(k)):
                beside = (
                    integers[beat // pe.side.beats, j // 3 if pe.side.sets else j].tolist()
                    if pe.side
                    else []
                )
                is_tail = bool(pe.walk.tails(k)[beat])
                column = decode(pe, words[beat, j].tolist(), beside, is_tail=is_tail)
                row = prepare(pe, padded[i, places].tolist())
                group = 0 if pe.group is None else int(places[0]) // pe.group
                total[:, group] += contribute(pe, row, column)
            np.testing.assert_array_equal(fast[i, j], total)


@pytest.mark.parametrize("name", DATAPATHS)
def test_no_sum_of_extreme_codes_leaves_the_accumulator(name: str) -> None:
    pe = DATAPATHS[name].pe
    rng = np.random.default_rng(2)
    k = (pe.group or 4 * pe.walk.chunk) // pe.walk.k_multiple * pe.walk.k_multiple
    for code in (pe.a.min, pe.a.max):
        packed = draw(pe, rng, k=k, n=8)
        sums = partials(pe, np.full((1, k), code), packed)
        assert int(np.abs(sums).max()) < 1 << (pe.acc_width - 1)


@pytest.mark.parametrize("name", DATAPATHS)
def test_a_bubble_adds_nothing(name: str) -> None:
    pe = DATAPATHS[name].pe
    rng = np.random.default_rng(3)
    packed = draw(pe, rng, k=pe.walk.k_multiple, n=4 * shared_sets(pe))
    zeros = prepare(pe, [0] * len(pe.walk.lanes[0]))
    beside = side(pe, packed)[0, 0].tolist() if pe.side else []
    for j in range(4):
        is_tail = bool(pe.walk.tails(pe.walk.k_multiple)[0])
        column = decode(pe, units(pe, packed)[0, j].tolist(), beside, is_tail=is_tail)
        assert set(contribute(pe, zeros, column)) == {0}

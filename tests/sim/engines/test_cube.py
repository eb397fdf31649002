"""The 3D cube: closed forms against the clocked model, and against counts made by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import product, wrapped_product
from strategies import engine_runs

from bitweight.sim import DESIGNS, beats, cycles, run, simulate
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.pe import CarrySaveMacSpec, MacSpec
from bitweight.sim.pe.mac import MacStructure
from bitweight.sim.recoding import MBE

NAMES = [name for name in DESIGNS if name.startswith("cube/")]
MAC = MacSpec()
CARRY_SAVE = CarrySaveMacSpec()


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_bits_and_cycles_equal_the_clocked_model_and_python(name: str, data: st.DataObject) -> None:
    # Sums from one beat to more beats than a tile takes to drain.
    spec, a, b = data.draw(engine_runs(name, max_depth=40))
    spec = replace(spec, depth=data.draw(st.integers(1, 4)))
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(acc, expected)
    np.testing.assert_array_equal(result.acc, expected)
    assert result.cycles == edges


# Every total is counted by hand: 1 for the command, beats, waits, the last tile's drain.
@pytest.mark.parametrize(
    ("pe", "sizes", "total"),
    [
        # 2 x 2 x 2 cube of the module's picture: last beat at edge 4, row 1 delivered at 13.
        (MAC, (2, 2, 6), 13),
        # The buffer resolves on its way in, whatever there is to resolve.
        (CARRY_SAVE, (2, 2, 6), 13),
        # k = 5 fills three beats with zeros.
        (MAC, (2, 2, 5), 13),
        # A pipelined product comes one edge later.
        (MacSpec(pipelined=True), (2, 2, 6), 14),
        # One output, k = 1: beat at 2, chain of two at 3 and 4, face at 5, its neighbour at 6,
        # caught, written, read and delivered at 7 to 10.
        (MAC, (1, 1, 1), 10),
        # Two tiles side by side: the second's last beat enters at 14, once the first has left.
        (MAC, (2, 4, 6), 14 + 9),
        # The second of two tiles one above the other has one row.
        (CARRY_SAVE, (3, 2, 6), 14 + 8),
        # 20 beats hide the drain: 1 + 20 + 20, then 9 to drain.
        (MAC, (2, 4, 40), 1 + 20 + 20 + 9),
    ],
)
def test_cycles_are_as_counted_by_hand(
    pe: MacSpec | CarrySaveMacSpec, sizes: tuple[int, int, int], total: int
) -> None:
    m, n, k = sizes
    assert cycles(CubeSpec(pe=pe, rows=2, cols=2, depth=2), m=m, n=n, k=k) == total


def test_a_tile_of_the_default_cube_is_as_counted_by_hand() -> None:
    # 1 + 8 beats; chain of 8, face, 7 columns on; 4 edges to c, 7 rows more.
    for name in NAMES:
        assert cycles(DESIGNS[name], m=8, n=8, k=64) == 1 + 8 + 8 + 1 + 7 + 4 + 7


@pytest.mark.parametrize("m", [1, 8, 9, 29])
@pytest.mark.parametrize("n", [1, 8, 20])
@pytest.mark.parametrize("k", [1, 64, 216, 217, 300])
def test_cycles_are_as_the_page_says(m: int, n: int, k: int) -> None:
    # Source: docs/designs.md.
    tiles = [min(8, m - row) for row in range(0, m, 8) for _ in range(0, n, 8)]
    tile_beats = -(-k // 8)
    drains = [8 + 8 + tile_rows + 1 + 2 for tile_rows in tiles]
    periods = sum(max(tile_beats, drain + 1) for drain in drains[:-1])
    for name in NAMES:
        assert cycles(DESIGNS[name], m=m, n=n, k=k) == 1 + periods + tile_beats + drains[-1]


@pytest.mark.parametrize("side", [1, 4, 8])
@pytest.mark.parametrize("count", [1, 10])
def test_beats_through_the_bare_array_take_the_published_edges(side: int, count: int) -> None:
    # Source: arXiv 2503.06342, T tiles through an N x N x N cube take T + 3 N - 2 clocks.
    spec = CubeSpec(pe=MAC, rows=side, cols=side, depth=side)
    assert spec.tile_cycles(count) == count + 3 * side - 2


@pytest.mark.parametrize("name", NAMES)
def test_cycles_but_the_overhead_are_the_trips_of_the_nest(name: str) -> None:
    spec: Any = DESIGNS[name].small
    for m, n, k in ((1, 1, 1), (9, 7, 5), (2, 4, 100), (5, 4, 3)):
        busy = cycles(spec, m=m, n=n, k=k) - spec.overhead_cycles(m=m, n=n, k=k)
        assert busy == spec.nest.trips(m=m, n=n, k=k)
        assert busy == beats(spec, m=m, n=n, k=k)["a"].count


@pytest.mark.parametrize("name", NAMES)
def test_the_nest_computes_the_gemm(name: str) -> None:
    spec = DESIGNS[name].small
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (3, 7)), rng.integers(-128, 128, (7, 5))
    assert spec.nest is not None
    found = spec.nest.run(a, b, recoding=MBE, a_format=spec.pe.a)
    np.testing.assert_array_equal(found.c, product(a, b))


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    spec = CubeSpec(pe=MAC, rows=2, cols=1, depth=2)
    ports = beats(spec, m=3, n=2, k=3)
    a = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    b = np.array([[1, 2], [3, 4], [5, 6]])
    upper, lower = [[1, 2, 4, 5], [3, 0, 6, 0]], [[7, 8, 0, 0], [9, 0, 0, 0]]
    left, right = [[1, 3], [5, 0]], [[2, 4], [6, 0]]
    assert ports["a"].gather(a, 0, 99).tolist() == [*upper, *upper, *lower, *lower]
    assert ports["b"].gather(b, 0, 99).tolist() == [*left, *right, *left, *right]
    c = np.array([[1, 2], [3, 4], [5, 6]])
    assert ports["c"].gather(c, 0, 99).tolist() == [[1], [3], [2], [4], [5], [6]]


def test_lanes_of_a_beat_of_b_are_rows_of_its_tile() -> None:
    spec = CubeSpec(pe=MAC, rows=1, cols=3, depth=2)
    b = np.array([[1, 2, 3], [4, 5, 6]])
    assert beats(spec, m=1, n=3, k=2)["b"].gather(b, 0, 1).tolist() == [[1, 2, 3, 4, 5, 6]]


def test_activity_counts_what_the_shape_implies() -> None:
    spec = CubeSpec(pe=CARRY_SAVE, rows=2, cols=2, depth=2)
    a, b = np.ones((2, 6), np.int8), np.ones((6, 2), np.int8)
    result = simulate(spec, a, b)
    # 8 PEs with a pair of 17 bits, less one, and two operands; 4 places with 63 bits and two tags.
    assert result.activity.as_dict() == {
        "macs": 24,
        "digits": 24 * 4,
        "idle_slots": (13 * 8 - 24) * 4,
        "register_writes": 13 * (8 * (33 + 8 + 8) + 4 * (63 + 2)),
        "beats": {"a": 3, "b": 3, "c": 2},
        "correction_ops": 0,
    }


@pytest.mark.parametrize("pe", [MAC, MacSpec(structure=MacStructure.FUSED), CARRY_SAVE])
@pytest.mark.parametrize("corner", [(-128, -128), (-128, 127), (127, 127)])
def test_extremes_do_not_leave_the_words_of_a_chain(
    pe: MacSpec | CarrySaveMacSpec, corner: tuple[int, int]
) -> None:
    spec = CubeSpec(pe=pe, rows=1, cols=1, depth=8)
    a, b = np.full((1, 24), corner[0]), np.full((24, 1), corner[1])
    assert run(spec, a, b)[0].tolist() == [[24 * corner[0] * corner[1]]]


def test_results_saturate_as_they_drain() -> None:
    spec = CubeSpec(pe=CARRY_SAVE, rows=2, cols=2, depth=2, saturate_to=10)
    a, b = np.array([[100, 100], [-100, -100], [1, 2]]), np.array([[100], [100]])
    assert simulate(spec, a, b).acc.tolist() == [[511], [-512], [300]]
    assert run(spec, a, b)[0].tolist() == [[511], [-512], [300]]
    with pytest.raises(ValueError, match=r"^Results must saturate to 2 to 32 bits"):
        replace(spec, saturate_to=33)


@pytest.mark.parametrize("side", ["rows", "cols", "depth"])
@pytest.mark.parametrize("size", [0, 65, -1])
def test_sides_past_the_limits_are_refused(side: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"^Cube {side} must be 1 to 64, not {size}$"):
        replace(CubeSpec(pe=MAC), **{side: size})

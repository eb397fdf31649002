"""The weight-stationary engine: closed forms against the model that steps clock by clock."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import wrapped_product
from strategies import engine_runs

from bitweight.sim import beats, cycles, run, simulate
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.pe import CarrySaveMacSpec, MacSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import IntFormat

NAMES = ["systolic_ws/mac", "systolic_ws/carry_save"]

PLAIN, DOUBLE = False, True


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_bits_and_cycles_equal_the_clocked_model_and_python(name: str, data: st.DataObject) -> None:
    spec, a, b = data.draw(engine_runs(name))
    spec = replace(spec, acc_depth=data.draw(st.integers(1, 9)))
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(acc, expected)
    np.testing.assert_array_equal(result.acc, expected)
    assert result.cycles == edges
    (m, k), n = a.shape, b.shape[1]
    assert cycles(spec, m=m, n=n, k=k) == edges


# Every total is counted by hand on an array of 2 x 2 with accumulators of 3 words.
@pytest.mark.parametrize(
    ("pe", "double_buffer", "sizes", "total"),
    [
        # The module's picture: weights at 2 and 3, rows of a at 4 to 6, results at 11 to 13.
        (MacSpec(), PLAIN, (3, 2, 2), 13),
        (MacSpec(), DOUBLE, (3, 2, 2), 13),
        # One more register each: the resolved sum, the product.
        (CarrySaveMacSpec(), PLAIN, (3, 2, 2), 14),
        (MacSpec(pipelined=True), PLAIN, (3, 2, 2), 14),
        # A single product loads as many weights: its row comes at 4, its result at 11.
        (MacSpec(), PLAIN, (1, 1, 1), 11),
        # The last row at 6 meets the last PE at 9. Weights at 9 and 10, rows at 11 to 13, c at 20.
        (MacSpec(), PLAIN, (3, 2, 3), 20),
        (MacSpec(), PLAIN, (3, 3, 2), 20),
        # The next weights come at 4 and 5, so rows follow without a gap: 4 to 9, c at 16.
        (MacSpec(), DOUBLE, (3, 2, 3), 16),
        # A fold of 3 rows and one of 1: rows at 4 to 6 and at 11, c at 18.
        (MacSpec(), PLAIN, (4, 2, 2), 18),
        (MacSpec(), DOUBLE, (4, 2, 2), 14),
        # One row, four tiles of k: sums are read 3 edges apart, at 4, 7, 10, 13; c at 20.
        (MacSpec(), DOUBLE, (1, 2, 7), 20),
        # Rows at 4, 9, 14 and 19: each waits for 2 + 2 - 1 edges of products and 2 of weights.
        (MacSpec(), PLAIN, (1, 2, 7), 26),
    ],
)
def test_cycles_are_as_counted_by_hand(
    pe: MacSpec | CarrySaveMacSpec, double_buffer: bool, sizes: tuple[int, int, int], total: int
) -> None:
    m, n, k = sizes
    spec = SystolicWsSpec(pe=pe, rows=2, cols=2, acc_depth=3, double_buffer=double_buffer)
    assert cycles(spec, m=m, n=n, k=k) == total


def test_a_long_layer_on_the_default_array_is_as_counted_by_hand() -> None:
    # 512 rows in 2 folds, 4 tiles of n and 8 of k. Single weights: 256 + 31 edges of products, 16
    # of weights, one of them in common: 302 from tile to tile. The last row's result 16 + 16 + 3
    # edges after it.
    spec = SystolicWsSpec(pe=MacSpec(), double_buffer=PLAIN)
    assert cycles(spec, m=512, n=64, k=128) == 1 + 16 + 63 * 302 + 256 + 35
    # Second weights hide all loads but the first.
    double = replace(spec, double_buffer=DOUBLE)
    assert cycles(double, m=512, n=64, k=128) == 1 + 16 + 64 * 256 + 35
    # A single row is as slow as its weights: 32 tiles of 16 edges.
    assert cycles(double, m=1, n=64, k=128) == 1 + 16 + 31 * 16 + 1 + 35


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    spec = SystolicWsSpec(pe=MacSpec(), rows=2, cols=2, acc_depth=2)
    ports = beats(spec, m=3, n=1, k=3)
    a = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    b = np.array([[10], [20], [30]])
    c = np.array([[40], [50], [60]])
    fold, rest = [[1, 2], [4, 5], [3, 0], [6, 0]], [[7, 8], [9, 0]]
    assert ports["a"].gather(a, 0, 99).tolist() == fold + rest
    weights = [[20, 0], [10, 0], [0, 0], [30, 0]]
    assert ports["b"].gather(b, 0, 99).tolist() == weights * 2
    assert ports["c"].gather(c, 0, 99).tolist() == [[40, 0], [50, 0], [60, 0]]
    assert [ports[port].matrix for port in "abc"] == ["A", "B", "C"]


def test_columns_are_outside_folds() -> None:
    spec = SystolicWsSpec(pe=MacSpec(), rows=2, cols=2, acc_depth=2)
    ports = beats(spec, m=3, n=3, k=2)
    a, b = np.arange(1, 7).reshape(3, 2), np.arange(1, 7).reshape(2, 3)
    assert ports["a"].gather(a, 0, 99).tolist() == [[1, 2], [3, 4], [5, 6]] * 2
    left, right = [[4, 5], [1, 2]], [[6, 0], [3, 0]]
    assert ports["b"].gather(b, 0, 99).tolist() == left * 2 + right * 2


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("cols", [1, 3])
@pytest.mark.parametrize("m", [1, 7])
def test_a_bare_tile_takes_the_published_edges(rows: int, cols: int, m: int) -> None:
    # Source: arXiv 2503.06342: k x n PEs take m + n + k - 1 clocks, after loading for one clock
    # more than there are beats of weights.
    spec = SystolicWsSpec(pe=MacSpec(), rows=rows, cols=cols)
    assert spec.tile_cycles(m) == m + cols + rows - 1
    assert spec.load_cycles == rows + 1


@pytest.mark.parametrize("pe", [MacSpec(), CarrySaveMacSpec()])
@pytest.mark.parametrize("double_buffer", [PLAIN, DOUBLE])
def test_cycles_but_the_overhead_are_the_trips_of_the_nest(
    pe: MacSpec | CarrySaveMacSpec, double_buffer: bool
) -> None:
    spec = SystolicWsSpec(pe=pe, rows=4, cols=3, acc_depth=5, double_buffer=double_buffer)
    for m, n, k in ((1, 1, 1), (9, 7, 5), (5, 3, 50)):
        busy = cycles(spec, m=m, n=n, k=k) - spec.overhead_cycles(m=m, n=n, k=k)
        assert busy == spec.nest.trips(m=m, n=n, k=k) == beats(spec, m=m, n=n, k=k)["a"].count


@given(
    recoding=st.sampled_from(sorted(RECODINGS)),
    widths=st.tuples(st.integers(2, 16), st.integers(2, 16)),
    signs=st.tuples(st.booleans(), st.booleans()),
    rows=st.integers(1, 256),
)
def test_a_pair_holds_every_sum_of_its_column(
    recoding: str, widths: tuple[int, int], signs: tuple[bool, bool], rows: int
) -> None:
    a, b = (IntFormat(width=w, signed=s) for w, s in zip(widths, signs, strict=True))
    pe = CarrySaveMacSpec(a=a, b=b, acc_width=63, recoding=recoding)
    half = 2 ** (SystolicWsSpec(pe=pe, rows=rows).chain.width - 1)
    products = [x * y for x in (a.min, a.max) for y in (b.min, b.max)]
    assert -half <= rows * min(products) <= rows * max(products) < half


def test_sums_are_no_wider_than_published() -> None:
    for pe in (MacSpec(), CarrySaveMacSpec()):
        assert SystolicWsSpec(pe=pe).chain.width == 20


@pytest.mark.parametrize(
    ("double_buffer", "tags", "weights"),
    # Two beats shift 4 PEs. Or: the first wave passes 4, the second 2, then 4 take over.
    [(PLAIN, 0, 8), (DOUBLE, 2, 10)],
)
def test_activity_counts_what_the_shape_implies(
    double_buffer: bool, tags: int, weights: int
) -> None:
    spec = SystolicWsSpec(pe=CarrySaveMacSpec(), rows=2, cols=2, double_buffer=double_buffer)
    result = simulate(spec, np.ones((3, 2), np.int8), np.ones((2, 2), np.int8))
    # Sums of two products and their inverted signs: 2 * (2**14 + 21760) takes 17 bits.
    assert result.cycles == 14
    assert result.activity.as_dict() == {
        "macs": 12,
        "digits": 12 * 4,
        "idle_slots": (14 * 4 - 12) * 4,
        "register_writes": 14 * 4 * (17 + 16 + 8 + tags) + weights * 8,
        "beats": {"a": 3, "b": 2, "c": 3},
        "correction_ops": 0,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows must be 1 to 256, not 0"),
        ({"cols": 257}, "cols must be 1 to 256, not 257"),
        ({"acc_depth": 0}, "Accumulator depth must be 1 to 65536 words, not 0"),
        ({"acc_depth": 65537}, "Accumulator depth must be 1 to 65536 words, not 65537"),
        ({"saturate_to": 33}, "saturate to 2 to 32 bits"),
    ],
)
def test_what_makes_no_array_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SystolicWsSpec(pe=MacSpec()), **change)

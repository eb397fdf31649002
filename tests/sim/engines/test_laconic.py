"""The Laconic engine: cycles from digit statistics against the model that walks the digits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle import wrapped_product
from strategies import matrices, varied_pe

from bitweight.sim import cycles, run, simulate
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.kernels.pair_clocks import pair_clocks
from bitweight.sim.pe.laconic import LaconicPeSpec
from bitweight.sim.recoding import EN_T, RECODINGS
from bitweight.verify import Work, check_engine
from bitweight.workloads.formats import INT4, UINT8


@st.composite
def runs(draw: st.DrawFn) -> Any:
    """Draw a small engine and a GEMM of a few tiles and groups, often ragged, often sparse."""
    pe = draw(varied_pe(LaconicPeSpec(lanes=draw(st.integers(1, 5))), max_width=8))
    rows, cols = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    spec = LaconicSpec(pe=pe, rows=rows, cols=cols)
    m, n, k = draw(st.tuples(st.integers(1, 7), st.integers(1, 5), st.integers(1, 11)))
    a, b = draw(matrices(pe.a, (m, k))), draw(matrices(pe.b, (k, n)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    kept = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return spec, a * (rng.random((m, k)) < kept), b * (rng.random((k, n)) < 0.8)


@given(runs())
def test_bits_and_cycles_equal_the_clocked_model_and_python(case: Any) -> None:
    spec, a, b = case
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width).tolist()
    assert acc.tolist() == expected
    assert result.acc.tolist() == expected
    assert result.cycles == edges


@given(runs())
def test_a_group_ends_with_the_slowest_lane_of_all_pes(case: Any) -> None:
    spec, a, b = case
    (m, k), n = a.shape, b.shape[1]
    recoding, lanes = RECODINGS[spec.pe.recoding], spec.pe.lanes
    clocks = 0
    for i in range(0, m, spec.rows):
        for j in range(0, n, spec.cols):
            for start in range(0, k, lanes):
                places = [
                    (row, column, at)
                    for row in range(i, min(i + spec.rows, m))
                    for column in range(j, min(j + spec.cols, n))
                    for at in range(start, min(start + lanes, k))
                ]
                pairs = [
                    int(np.count_nonzero(recoding.digits(int(a[row, at]), spec.pe.a)))
                    * int(np.count_nonzero(recoding.digits(int(b[at, column]), spec.pe.b)))
                    for row, column, at in places
                ]
                clocks += max(1, *pairs)
    overhead = spec.overhead_cycles(m=m, n=n, k=k)
    assert simulate(spec, a, b).cycles == clocks + overhead


def filled(rows: int, columns: int, value: int) -> NDArray[np.int64]:
    return np.full((rows, columns), value)


# Counted by hand: command and first beat, clocks of the groups, two of the PE, rows, output.
# 85 is 64 + 16 + 4 + 1: four digits. 127 is 128 - 1: two.
@pytest.mark.parametrize(
    ("a", "b", "total"),
    [
        # Nothing to do takes a clock: 2 + 1 + 2 + 2 + 1.
        (filled(2, 3, 0), filled(3, 2, 85), 8),
        (filled(2, 3, 127), filled(3, 2, 85), 2 + 2 * 4 + 2 + 2 + 1),
        (filled(1, 1, 85), filled(1, 1, 85), 2 + 16 + 2 + 1 + 1),
        # Two groups, of one digit by two and by one.
        (filled(1, 8, 64), np.repeat([[127], [1]], 4, axis=0), 2 + 2 + 1 + 2 + 1 + 1),
        # One lane of each row is slow: 1 x 4 and 4 x 1 are over together.
        (np.array([[1, 85]]), np.array([[85], [1]]), 2 + 4 + 2 + 1 + 1),
        # In one lane 4 of one row meet 4 of another's column: the PE of both decides.
        (np.array([[85], [1]]), np.array([[1, 85]]), 2 + 16 + 2 + 2 + 1),
        # Two tiles: the second's beat waits until both rows of the first have been read.
        (filled(2, 1, 1), filled(1, 4, 1), 2 + 1 + 2 + 2 + 1 + 2 + 2 + 1),
    ],
)
def test_cycles_are_as_counted_by_hand(
    a: NDArray[np.int64], b: NDArray[np.int64], total: int
) -> None:
    spec = LaconicSpec(pe=LaconicPeSpec(lanes=4), rows=2, cols=2)
    assert simulate(spec, a, b).cycles == total
    assert run(spec, a, b)[1] == total


def test_sizes_alone_give_no_cycles() -> None:
    with pytest.raises(ValueError, match="bit_slice/laconic depend on the operands' values"):
        cycles(LaconicSpec(), m=1, n=1, k=1)
    assert LaconicSpec().data_dependent
    assert LaconicSpec().nest is None


def test_activity_counts_pairs_of_digits() -> None:
    spec = LaconicSpec(rows=2, cols=2)
    a, b = np.array([[85, 0], [1, 127]]), np.array([[3], [1]])
    result = simulate(spec, a, b)
    # k 0: (4 + 1) by 2; k 1: (0 + 2) by 1. The group takes 4 by 2 clocks of 4 PEs with 16 lanes.
    assert result.cycles == 2 + 8 + 2 + 2 + 1
    assert result.activity.digits == 12
    assert result.activity.idle_slots == 15 * 64 - 12
    assert result.activity.register_writes == 15 * 4 * (20 + 32)


def test_the_kernel_adds_up_the_slowest_lanes() -> None:
    a_most = np.array([[1, 2, 0, 0], [3, 0, 1, 1]], np.uint8)
    b_most = np.array([[2, 1, 4, 4]], np.uint8)
    # Groups of 2: max(2, 2), 1 for nothing; max(6, 0), max(4, 4).
    assert pair_clocks(a_most, b_most, 2) == 2 + 1 + 6 + 4


@pytest.mark.parametrize("size", [0, 65])
def test_sizes_past_the_limits_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"Bit-slice array rows must be 1 to 64, not {size}"):
        replace(LaconicSpec(), rows=size)
    with pytest.raises(ValueError, match=f"Lanes of a PE must be 1 to 64, not {size}"):
        LaconicPeSpec(lanes=size)
    with pytest.raises(ValueError, match="Recoding must be one of"):
        LaconicPeSpec(recoding="csd")


@pytest.mark.slow
def test_few_lanes_and_a_single_row_are_the_same_in_verilog() -> None:
    # ``verify`` builds 16 lanes; here groups are short, sparse and often empty.
    spec = LaconicSpec(pe=LaconicPeSpec(a=UINT8, b=INT4, lanes=3, recoding=EN_T.name), rows=1)
    rng = np.random.default_rng(3)
    works = [
        Work(
            f"m {m}, k {k}",
            rng.integers(0, 256, (m, k)) * (rng.random((m, k)) < 0.4),
            rng.integers(-8, 8, (k, 5)),
        )
        for m in (1, 4)
        for k in (1, 3, 4, 17)
    ]
    assert [outcome.fault for outcome in check_engine(spec, works) if outcome.fault] == []

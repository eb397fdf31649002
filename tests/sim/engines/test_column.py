"""The column engines: digit statistics against the model that steps clock by clock, and by hand."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle import wrapped_product
from strategies import matrices, varied_pe

from bitweight.sim import beats, cycles, run, simulate
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.pe.digit import GroupedSpec, SharedEncoderSpec, SparseDigitSpec
from bitweight.sim.recoding import EN_T, MBE, RECODINGS
from bitweight.workloads.formats import INT4, INT8, INT16, IntFormat
from bitweight.workloads.operands import Distribution

KINDS: dict[str, Any] = {
    "sparse_digit": SparseDigitSpec(),
    "shared_encoder": SharedEncoderSpec(),
    "grouped": GroupedSpec(),
}
ONE = SharedEncoderSpec(recoding=MBE.name)


@st.composite
def column_runs(
    draw: st.DrawFn, kind: str
) -> tuple[ColumnSpec, NDArray[np.int64], NDArray[np.int64]]:
    """Draw an engine whose buffers are short, and operands with many zeros."""
    pe = draw(varied_pe(KINDS[kind]))
    columns = draw(st.integers(1, 3))
    step = 4 * pe.lanes
    spec = ColumnSpec(
        pe=pe,
        columns=columns,
        pes=draw(st.integers(1, 6)),
        k_depth=step * draw(st.integers(2, 4)),
        acc_depth=columns * draw(st.integers(1, 3)),
        c_depth=draw(st.integers(1, 3)),
        double_buffer=draw(st.booleans()),
    )
    m, n = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    k = draw(st.integers(1, 5) | st.integers(1, 3 * spec.k_depth))
    a, b = draw(matrices(pe.a, (m, k))), draw(matrices(pe.b, (k, n)))
    if draw(st.booleans()):
        a[:, draw(st.integers(0, k - 1)) :] = 0
    if draw(st.booleans()):
        a[draw(st.integers(0, m - 1))] = 0
    return spec, a, b


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=max(10, settings.default.max_examples // 3), deadline=None)
@given(data=st.data())
def test_bits_and_cycles_equal_the_clocked_model_and_python(kind: str, data: st.DataObject) -> None:
    spec, a, b = data.draw(column_runs(kind))
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(acc, expected)
    np.testing.assert_array_equal(result.acc, expected)
    assert result.cycles == edges


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_cycles_less_overhead_are_the_trips_of_the_nest(kind: str, data: st.DataObject) -> None:
    spec, a, b = data.draw(column_runs(kind))
    n, pe = b.shape[1], spec.pe
    trips = spec.nest.trips_for(a, n=n, recoding=RECODINGS[pe.recoding], a_format=pe.a)
    assert simulate(spec, a, b).cycles - spec.overhead_cycles(a, n=n) == trips


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10)
@given(data=st.data())
def test_the_nest_computes_what_the_engine_delivers(kind: str, data: st.DataObject) -> None:
    spec, a, b = data.draw(column_runs(kind))
    pe = replace(spec.pe, acc_width=60)
    spec = replace(spec, pe=pe)
    executed = spec.nest.run(a, b, recoding=RECODINGS[pe.recoding], a_format=pe.a)
    np.testing.assert_array_equal(simulate(spec, a, b).acc, executed.c)


def fixed(pe: Any, **sizes: int) -> ColumnSpec:
    return ColumnSpec(pe=pe, **{"columns": 1, "pes": 2, "k_depth": 32, "acc_depth": 2, **sizes})


# In MBE, 1, 4, 16 and 64 have one digit and 85 has four ones. A total is the edge of the first
# tile's start, the clocks of the tiles, pes + 7 to the first result of the last row, its results.
@pytest.mark.parametrize(
    ("spec", "a", "n", "total"),
    [
        # The module's picture: start at k + 2 = 6, two passes padded to 4 clocks.
        (fixed(replace(ONE, a=INT4)), [[1, 4, 0, 0]], 2, 6 + 8 + 9 + 2),
        # k = 1: start at groups + 3 = 4, four passes of 4.
        (fixed(ONE), [[85]], 1, 4 + 16 + 9 + 1),
        # Passes longer than the least: 8 digits of each weight, start at 10.
        (fixed(ONE), [[85] * 8], 2, 10 + 32 + 9 + 2),
        # An empty group is a clock: 4 + 1 at each weight, padded from 5 to none.
        (fixed(ONE), [[85] * 4 + [0] * 4], 2, 10 + 20 + 9 + 2),
        # Two rows in one column, back to back; two tiles of n, back to back.
        (fixed(ONE), [[85] * 8] * 2, 2, 10 + 64 + 9 + 2),
        (fixed(ONE), [[85] * 8], 3, 10 + 64 + 9 + 1),
        # Two columns end with the slower: the first, so the second's results follow the first's.
        (fixed(ONE, columns=2), [[85] * 8, [0] * 8], 2, 10 + 32 + 9 + 2 + 2),
        # The second fold starts with the first; 8 k more take 32 clocks more.
        (fixed(ONE, k_depth=8), [[85] * 16], 2, 10 + 64 + 9 + 2),
        # Without a second b tile it waits: 2 clocks for PE 1's last b, 8 beats, one more to see.
        (fixed(ONE, k_depth=8, double_buffer=False), [[85] * 16], 2, 10 + 64 + 2 + 8 + 1 + 9 + 2),
        # Four lanes: groups 0 and 4 in lane 0, the others shorter; b takes 20 + 2 edges.
        (fixed(GroupedSpec(recoding=MBE.name)), [[85] * 20], 2, 22 + 4 * 8 + 9 + 2),
        # Lanes meet at each weight: 4 clocks for each of the two with digits, 4 least for others.
        (fixed(GroupedSpec(recoding=MBE.name)), [[1] * 4 + [4] * 4], 2, 10 + 16 + 9 + 2),
    ],
)
def test_cycles_are_as_counted_by_hand(
    spec: ColumnSpec, a: list[list[int]], n: int, total: int
) -> None:
    codes = np.array(a)
    b = np.ones((codes.shape[1], n), np.int64)
    assert simulate(spec, codes, b).cycles == total
    assert run(spec, codes, b)[1] == total


def test_own_encoders_change_no_cycle() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (9, 50)), rng.integers(-128, 128, (50, 20))
    shared = simulate(ColumnSpec(pe=SharedEncoderSpec()), a, b)
    assert simulate(ColumnSpec(pe=SparseDigitSpec()), a, b).cycles == shared.cycles


# Source: issue clocks and non-zero digits of EN-T per operand, exact (computed over the whole
# distribution) for operands drawn from a normal distribution and rounded to int8.
@pytest.mark.parametrize(("std", "issue", "digits"), [(10, 2.077, 1.762), (20, 2.342, 2.115)])
def test_mean_issue_clocks_are_the_exact_ones_within_sampling_error(
    std: int, issue: float, digits: float
) -> None:
    rows, k = 64, 4096
    a = Distribution.parse(f"normal:{std}").draw(INT8, (rows, k), np.random.default_rng(0))
    b = np.ones((k, 1), np.int8)
    pe = SparseDigitSpec(pass_depth=k)
    spec = ColumnSpec(pe=pe, columns=1, pes=1, k_depth=k, acc_depth=rows)
    result = simulate(spec, a, b)
    clocks = result.cycles - spec.overhead_cycles(a, n=1)
    # A group's clocks spread by less than 2, so a mean over 65,536 groups by less than 0.008, and
    # a quarter of that for each of its operands; four times it, and the figure's own rounding.
    error = 4 * 2 / np.sqrt(rows * k / 4) / 4 + 0.0005
    assert clocks / a.size == pytest.approx(issue, abs=error)
    assert result.activity.digits / a.size == pytest.approx(digits, abs=4 / np.sqrt(a.size) + 5e-4)


def test_short_passes_and_waits_are_overhead() -> None:
    spec = fixed(ONE)
    a = np.zeros((1, 4), np.int8)
    # Start at 6, 3 empty slots in each of 4 passes that the nest does not know, pes + 7, 1 result.
    assert spec.overhead_cycles(a, n=1) == 6 + 4 * 3 + 9 + 1


def test_a_bare_column_takes_its_issue_clocks_and_the_way_of_the_last_digit() -> None:
    # Published for one column: sum of issue clocks and 3; one more for the address register, and
    # one for every PE behind the first.
    assert fixed(ONE, pes=1).tile_cycles(100) == 100 + 3 + 1
    assert fixed(ONE, pes=16).tile_cycles(100) == 100 + 3 + 1 + 15


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    spec = ColumnSpec(pe=ONE, columns=2, pes=2, k_depth=8, acc_depth=2)
    ports = beats(spec, m=3, n=3, k=9)
    a = np.arange(1, 28).reshape(3, 9)
    b = np.arange(1, 28).reshape(9, 3)
    c = np.arange(1, 10).reshape(3, 3)
    folds = [
        [[1, 2, 3, 4, 10, 11, 12, 13], [5, 6, 7, 8, 14, 15, 16, 17]],
        [[9, 0, 0, 0, 18, 0, 0, 0]],
    ]
    block = [*folds[0], *folds[1]]
    last = [[19, 20, 21, 22, 0, 0, 0, 0], [23, 24, 25, 26, 0, 0, 0, 0], [27, 0, 0, 0, 0, 0, 0, 0]]
    assert ports["a"].gather(a, 0, 99).tolist() == [*block, *block, *last, *last]
    tiles = [[[row[0], row[1]] for row in b.tolist()], [[row[2], 0] for row in b.tolist()]]
    assert ports["b"].gather(b, 0, 99).tolist() == [*tiles[0], *tiles[1]] * 2
    assert ports["c"].gather(c, 0, 99).ravel().tolist() == [1, 2, 4, 5, 3, 6, 7, 8, 9]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_beats_carry_every_element_as_often_as_its_tiles_need_it(
    kind: str, data: st.DataObject
) -> None:
    spec, a, b = data.draw(column_runs(kind))
    (m, k), n = a.shape, b.shape[1]
    ports = beats(spec, m=m, n=n, k=k)
    times = {"a": -(-n // spec.pes), "b": -(-m // spec.acc_depth), "c": 1}
    for port, (rows, columns) in {"a": (m, k), "b": (k, n), "c": (m, n)}.items():
        at = ports[port].locate(np.arange(ports[port].count))
        places = zip(at[0].ravel().tolist(), at[1].ravel().tolist(), strict=True)
        found = Counter((i, j) for i, j in places if i < rows and j < columns)
        assert found == {(i, j): times[port] for i in range(rows) for j in range(columns)}


def test_activity_counts_digits_and_slots() -> None:
    spec = fixed(ONE)
    result = simulate(spec, np.array([[85] * 8]), np.ones((8, 2), np.int8))
    # 10 + 32 + 9 + 2 cycles of 2 PEs; 8 bits of b, 3 lines, a tag, and a pair of 20 + 19 bits.
    assert result.activity.as_dict() == {
        "macs": 16,
        "digits": 64,
        "idle_slots": 53 * 2 - 64,
        "register_writes": 53 * 2 * (8 + 3 + 1 + 39),
        "beats": {"a": 2, "b": 8, "c": 2},
        "correction_ops": 0,
    }


def test_a_pair_is_as_wide_as_the_published_one_at_the_published_depth() -> None:
    # 61 flip-flops: 8 + 2 + 51. Here a third select line and the tag of a pass's end come on top.
    deep = SharedEncoderSpec(pass_depth=65_536)
    assert deep.sum_width == 26
    assert deep.register_bits == 8 + 3 + 1 + 51
    assert SharedEncoderSpec().register_bits == 8 + 3 + 1 + 39
    assert GroupedSpec().register_bits == 4 * (8 + 3) + 1 + 39
    # On top: four listed digits and their group, a digit and its address on their way, the group's
    # codes, weight and place on theirs to the next PE.
    listed, sent, passed = 4 * (1 + 3) + 9, 9 + 2 + 2 * 3, 4 * 8 + 2 + 9 + 2
    assert SparseDigitSpec().register_bits == 8 + 3 + 1 + 39 + listed + sent + passed


def test_extremes_of_both_formats_do_not_overflow_the_pair() -> None:
    for kind in KINDS.values():
        for recoding in RECODINGS:
            spec = fixed(replace(kind, recoding=recoding, pass_depth=32))
            for x in (-128, 127):
                a, b = np.full((1, 32), x), np.full((32, 1), -128)
                assert run(spec, a, b)[0].tolist() == [[32 * x * -128]]


@pytest.mark.parametrize("kind", KINDS)
def test_cycles_from_sizes_alone_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"column/{kind} depend on the operands' values"):
        cycles(ColumnSpec(pe=KINDS[kind]), m=1, n=1, k=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": 0}, "columns must be 1 to 64, not 0"),
        ({"pes": 257}, "pes must be 1 to 256, not 257"),
        ({"c_depth": 0}, "c_depth must be 1 to 256, not 0"),
        ({"acc_depth": 30}, "acc_depth must be a multiple of 4 columns.*not 30"),
        ({"k_depth": 10}, "k_depth must be a multiple of 4, 8 to pe.pass_depth .1024., not 10"),
        ({"k_depth": 2048}, "k_depth must .*not 2048"),
        ({"saturate_to": 33}, "saturate to 2 to 32 bits"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ColumnSpec(pe=SharedEncoderSpec()), **changes)  # type: ignore[arg-type]


def test_pes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="pass_depth must be 32 to 65536, not 16"):
        GroupedSpec(pass_depth=16)
    with pytest.raises(ValueError, match="Recoding must be one of"):
        SharedEncoderSpec(recoding="booth")
    with pytest.raises(ValueError, match=r"must be 24 .one product. to 63 bits, not 20"):
        SparseDigitSpec(a=INT16, b=IntFormat(width=8, signed=True), acc_width=20)
    assert SharedEncoderSpec().recoding == EN_T.name

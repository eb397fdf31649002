"""The multiplier-adder tree: closed forms against the model that steps clock by clock."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import codes, formats, matrices

from bitweight.sim import beats, cycles, run, simulate
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import INT8, UINT8

Run = tuple[AdderTreeSpec, NDArray[np.int64], NDArray[np.int64]]

MAC = AdderTreeSpec(pe=MacSpec())
SAME_WEIGHT = replace(MAC, pe=SameWeightTreeSpec(), registers=3)


@st.composite
def specs(draw: st.DrawFn) -> AdderTreeSpec:
    """Draw a small tree: its sides, depths, switches, formats and kind of column."""
    a, b = draw(formats(8)), draw(formats(8))
    acc_width = draw(st.integers(a.width + b.width, 24))
    is_pipelined = draw(st.booleans())
    pe: Any = draw(
        st.builds(
            MacSpec,
            a=st.just(a),
            b=st.just(b),
            acc_width=st.just(acc_width),
            structure=st.sampled_from(MacStructure),
            pipelined=st.just(is_pipelined),
        )
        | st.builds(
            SameWeightTreeSpec,
            a=st.just(a),
            b=st.just(b),
            acc_width=st.just(acc_width),
            recoding=st.sampled_from(sorted(RECODINGS)),
            pipelined=st.just(is_pipelined),
        )
    )
    spec = AdderTreeSpec(
        pe=pe,
        lanes=draw(st.integers(2, 5)),
        columns=draw(st.integers(2, 5)),
        registers=1,
        double_buffer=draw(st.booleans()),
        acc_depth=draw(st.sampled_from([1, 2, 3, 5, 30])),
    )
    return replace(spec, registers=draw(st.integers(1, spec.steps)))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Draw a tree and a GEMM for it; one fold, many folds and ragged ones are all common."""
    spec = draw(specs())
    m, n, k = (draw(st.integers(1, size)) for size in (12, 9, 16))
    return spec, draw(matrices(spec.pe.a, (m, k))), draw(matrices(spec.pe.b, (k, n)))


@given(runs())
def test_bits_and_cycles_equal_the_clocked_model_and_python(case: Run) -> None:
    spec, a, b = case
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    half = 2 ** (spec.pe.acc_width - 1)
    expected = [
        [
            (sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) + half) % (2 * half)
            - half
            for column in b.T
        ]
        for row in a
    ]
    assert acc.tolist() == expected
    assert result.acc.tolist() == expected
    (m, k), n = a.shape, b.shape[1]
    assert result.cycles == edges == cycles(spec, m=m, n=n, k=k)


@given(runs())
def test_trips_of_the_nest_are_the_cycles_less_overhead(case: Run) -> None:
    spec, a, b = case
    (m, k), n = a.shape, b.shape[1]
    trips = spec.nest.trips(m=m, n=n, k=k, digits=spec.pe.digits)
    assert trips == cycles(spec, m=m, n=n, k=k) - spec.overhead_cycles(m=m, n=n, k=k)


@pytest.mark.parametrize("spec", [MAC.small, SAME_WEIGHT.small], ids=lambda spec: spec.name)
def test_the_nest_computes_the_gemm(spec: AdderTreeSpec) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (4, 7)), rng.integers(-128, 128, (7, 5))
    recoding = RECODINGS[getattr(spec.pe, "recoding", "mbe")]
    result = spec.nest.run(a, b, recoding=recoding, a_format=INT8)
    np.testing.assert_array_equal(result.c, a @ b)


# Every total is counted by hand: 1 for the command, 2 columns of b, then the first row at edge 4.
@pytest.mark.parametrize(
    ("changes", "sizes", "total"),
    [
        # The module's picture: last row at 5, first read 2 + 3 later, the second row and c follow.
        ({}, (2, 2, 2), 12),
        # One row: accepted at 4, read at 4 + 5, delivered at 10.
        ({}, (1, 1, 1), 10),
        # One register level less: one edge less.
        ({"registers": 1}, (1, 1, 1), 9),
        # A registered product and an encoder ahead of column 0: one edge more each.
        ({"pe": MacSpec(pipelined=True)}, (1, 1, 1), 11),
        ({"pe": SameWeightTreeSpec()}, (1, 1, 1), 11),
        # Three folds along k of 5 rows follow each other: rows from 4 to 18, read from 23 to 27.
        ({}, (5, 2, 12), 28),
        # Two rows keep a fold of 2 columns busy; a single one waits for the columns to load.
        ({}, (1, 2, 12), 4 + 2 * 2 + 5 + 1),
        # One set of weights: 2 edges of loading between the folds.
        ({"double_buffer": False}, (5, 2, 12), 28 + 2 * 2),
        # Two chunks of 3 rows, one fold each: the second starts once the first has left: its
        # last row came at 6, was read first at 11, and left until 14. Rows 15..17, read at 22.
        ({"acc_depth": 3}, (6, 2, 4), 25),
        # Two folds each: rows 4..9; read 14..16. The next chunk's first fold follows at 15..17, its
        # second at 18..20, when the chunk has left (17). Read 25..27.
        ({"acc_depth": 3}, (6, 2, 8), 28),
    ],
)
def test_cycles_are_as_counted_by_hand(
    changes: dict[str, Any], sizes: tuple[int, int, int], total: int
) -> None:
    m, n, k = sizes
    spec = replace(MAC, lanes=4, columns=2, registers=2, acc_depth=8)
    assert cycles(replace(spec, **changes), m=m, n=n, k=k) == total


@given(runs())
def test_beats_carry_every_element_as_often_as_its_folds_need_it(case: Run) -> None:
    spec, a, b = case
    (m, k), n = a.shape, b.shape[1]
    ports = beats(spec, m=m, n=n, k=k)
    shapes = {"a": (m, k), "b": (k, n), "c": (m, n)}
    times = {"a": -(-n // spec.columns), "b": -(-m // spec.acc_depth), "c": 1}
    for port, (rows, columns) in shapes.items():
        at_rows, at_columns = ports[port].locate(np.arange(ports[port].count))
        assert at_rows.shape == at_columns.shape == (ports[port].count, ports[port].lanes)
        assert at_rows.min() >= 0
        places = zip(at_rows.ravel().tolist(), at_columns.ravel().tolist(), strict=True)
        found = Counter((i, j) for i, j in places if i < rows and j < columns)
        assert found == {(i, j): times[port] for i in range(rows) for j in range(columns)}


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    spec = AdderTreeSpec(pe=MacSpec(), lanes=2, columns=2, registers=1, acc_depth=2)
    ports = beats(spec, m=3, n=1, k=3)
    a = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    b = np.array([[10], [20], [30]])
    # Two chunks of rows, each with two folds along k, of which the second is padded.
    rows = [[1, 2], [4, 5], [3, 0], [6, 0], [7, 8], [9, 0]]
    assert ports["a"].gather(a, 0, 99).tolist() == rows
    assert ports["b"].gather(b, 0, 99).tolist() == [[10, 20], [0, 0], [30, 0], [0, 0]] * 2
    assert ports["c"].gather(a[:, :1], 0, 99).tolist() == [[1, 0], [4, 0], [7, 0]]


@pytest.mark.parametrize("columns", [2, 16])
@pytest.mark.parametrize("rows", [1, 7])
def test_a_bare_tile_takes_the_published_edges(columns: int, rows: int) -> None:
    # Source: arXiv 2503.06342, a tree takes m + n + depth - 2 clocks; with depth 8 it is m + n + 6.
    spec = AdderTreeSpec(pe=SameWeightTreeSpec(pipelined=True), columns=columns, registers=3)
    assert spec.depth == 6
    assert spec.tile_cycles(rows) == rows + columns + 4


def test_sixteen_lanes_of_least_codes_need_14_bits_per_weight() -> None:
    # 16 digits -2 times -128 are 4096: a bit more than the 13 bits of the published tree hold.
    pe = SameWeightTreeSpec()
    assert [pe.weight_width(16, digit) for digit in range(4)] == [14] * 4
    a, b = np.full((3, 16), -128), np.full((16, 2), -128)
    assert simulate(SAME_WEIGHT, a, b).acc.tolist() == [[16 * 2**14] * 2] * 3


@given(st.data())
def test_rows_of_a_weight_fit_its_width(data: st.DataObject) -> None:
    a, b = data.draw(formats(8)), data.draw(formats(8))
    recoding = data.draw(st.sampled_from(sorted(RECODINGS)))
    pe = SameWeightTreeSpec(a=a, b=b, recoding=recoding)
    lanes = data.draw(st.integers(2, 20))
    digits = RECODINGS[recoding].digits(data.draw(codes(a)), a)
    y = data.draw(codes(b))
    sign = 1 << (pe.products.row_width - 1)
    for number, digit in enumerate(digits):
        assert 0 <= lanes * (digit * y + sign) < 1 << pe.weight_width(lanes, number)


def test_sums_are_as_wide_as_their_extremes() -> None:
    # 16 x (-128 x -128) is 2**18: 20 bits with the sign. 16 x (255 x 255) needs 20 bits and a sign.
    assert MAC.sum_width == SAME_WEIGHT.sum_width == 20
    unsigned = MacSpec(a=UINT8, b=UINT8)
    assert replace(MAC, pe=unsigned).sum_width == 21
    assert replace(MAC, pe=replace(unsigned, acc_width=16)).sum_width == 16


def test_registers_are_spread_over_the_steps() -> None:
    four = {level: replace(MAC, registers=level).registered_steps for level in range(1, 5)}
    assert four == {1: {4}, 2: {2, 4}, 3: {2, 3, 4}, 4: {1, 2, 3, 4}}
    # Products are 16 bits; 4 sums of 18 bits and one of 20 behind them.
    assert MAC.step_widths(2) == [18] * 4
    assert MAC.column_register_bits == 16 * (8 + 2 * 8) + 4 * 18 + 20


def test_activity_counts_what_the_shape_implies() -> None:
    spec = AdderTreeSpec(pe=MacSpec(), lanes=4, columns=2, registers=2)
    result = simulate(spec, np.ones((2, 3), np.int8), np.ones((3, 2), np.int8))
    # A row of 4 lanes and two sets of weights, then two sums of 17 bits and one of 18.
    bits = 4 * (8 + 2 * 8) + 2 * 17 + 18
    assert result.cycles == 12
    assert result.activity.as_dict() == {
        "macs": 12,
        "digits": 12,
        "idle_slots": 12 * 8 - 12,
        "register_writes": 12 * 2 * bits,
        "beats": {"a": 2, "b": 2, "c": 2},
        "correction_ops": 0,
    }


@pytest.mark.parametrize("side", ["lanes", "columns"])
@pytest.mark.parametrize("size", [1, 257])
def test_sides_past_the_limits_are_refused(side: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"^Adder tree {side} must be 2 to 256, not {size}$"):
        replace(MAC, **{side: size})  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(("spec", "most"), [(MAC, 4), (SAME_WEIGHT, 3)])
def test_register_levels_past_the_steps_are_refused(spec: AdderTreeSpec, most: int) -> None:
    for levels in (0, most + 1):
        with pytest.raises(ValueError, match=rf"tree must be 1 to {most}, not {levels}$"):
            replace(spec, registers=levels)


@pytest.mark.parametrize("depth", [0, 65537])
def test_memories_past_the_limits_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"must have 1 to 65536 rows, not {depth}$"):
        replace(MAC, acc_depth=depth)


@given(
    m=st.integers(1, 900), n=st.integers(1, 90), k=st.integers(1, 90), double_buffer=st.booleans()
)
def test_cycles_are_as_the_page_says(m: int, n: int, k: int, double_buffer: bool) -> None:
    spec = replace(MAC, double_buffer=double_buffer, acc_depth=64)
    wait = 1 + 2 + 16
    chunks = [min(64, m - row) for _ in range(0, n, 16) for row in range(0, m, 64)]
    folds = -(-k // 16)

    def period(rows: int) -> int:
        return max(rows, 16) if double_buffer else rows + 16

    def step(q: int, r: int) -> int:
        return q + wait + (q if folds == 1 else max(period(r), q) + (folds - 2) * period(r))

    total = 16 + 2 + (folds - 1) * period(chunks[0]) + 2 * chunks[-1] + wait - 1
    total += sum(step(q, r) for q, r in pairwise(chunks))
    assert cycles(spec, m=m, n=n, k=k) == total

"""The output-stationary engine: closed forms against the model that steps clock by clock."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle import product, wrapped_product
from strategies import engine_runs

from bitweight.sim import DESIGNS, beats, cycles, run, simulate
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.pe import CarrySaveMacSpec, MacSpec
from bitweight.workloads.formats import INT16, UINT8

Run = tuple[SystolicOsSpec, NDArray[np.int64], NDArray[np.int64]]

NAMES = [name for name in DESIGNS if name.startswith("systolic_os/")]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(10, settings.default.max_examples // 2))
@given(data=st.data())
def test_bits_and_cycles_equal_the_clocked_model_and_python(name: str, data: st.DataObject) -> None:
    spec, a, b = data.draw(engine_runs(name))
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(acc, expected)
    np.testing.assert_array_equal(result.acc, expected)
    assert result.cycles == edges
    (m, k), n = a.shape, b.shape[1]
    assert cycles(spec, m=m, n=n, k=k) == edges


# Every total is counted by hand: 1 for the command, each tile's clocks, the last tile's drain.
@pytest.mark.parametrize(
    ("pe", "overlap", "sizes", "total"),
    [
        # 2 x 2 array of the module's picture: last beat at edge 4, rows read at 7 and 8.
        (MacSpec(), False, (2, 2, 3), 9),
        (CarrySaveMacSpec(), False, (2, 2, 3), 10),
        # One output, k = 1: command 1, beat 2, its row is read at 2 + cols + 1 = 5.
        (MacSpec(), False, (1, 1, 1), 6),
        (CarrySaveMacSpec(), False, (1, 1, 1), 7),
        # Two tiles side by side: the second starts once row 1 has been read, at edge 9.
        (MacSpec(), False, (2, 3, 3), 9 + 7),
        # Two tiles one above the other, the second of a single row: k + cols + rows for each.
        (MacSpec(), False, (3, 2, 3), 1 + (3 + 2 + 2) + (3 + 2 + 1) + 1),
        # Overlapped: the last beat at 4 is caught, resolved, written, read: c at 4 + 2 + 4 and + 5.
        (MacSpec(), True, (2, 2, 3), 4 + 2 + 4 + 1),
        (CarrySaveMacSpec(), True, (2, 2, 3), 4 + 2 + 4 + 1),
        # A long k hides the drain: two tiles of 20 beats, 1 + 20 + 20, then 7 to drain.
        (MacSpec(), True, (2, 4, 20), 1 + 20 + 20 + 7),
        # A short one does not: the second tile's last beat waits for the buffer, 8 after the first.
        (MacSpec(), True, (2, 4, 3), 1 + 3 + 8 + 7),
    ],
)
def test_cycles_are_as_counted_by_hand(
    pe: MacSpec | CarrySaveMacSpec, overlap: bool, sizes: tuple[int, int, int], total: int
) -> None:
    m, n, k = sizes
    spec = SystolicOsSpec(pe=pe, rows=2, cols=2, overlap_drain=overlap)
    assert cycles(spec, m=m, n=n, k=k) == total


def test_a_whole_array_of_256_beats_is_as_counted_by_hand() -> None:
    # 16 x 16: 1 + 256 beats, 16 + 1 to the first row read, 15 rows more, 1 or 2 to c.
    assert cycles(DESIGNS["systolic_os/mac"], m=16, n=16, k=256) == 1 + 256 + 17 + 15 + 1
    assert cycles(DESIGNS["systolic_os/carry_save"], m=16, n=16, k=256) == 1 + 256 + 17 + 15 + 2


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_beats_carry_every_element_as_often_as_its_tiles_need_it(
    name: str, data: st.DataObject
) -> None:
    spec, a, b = data.draw(engine_runs(name))
    (m, k), n = a.shape, b.shape[1]
    ports = beats(spec, m=m, n=n, k=k)
    row_tiles, col_tiles = -(-m // spec.rows), -(-n // spec.cols)
    shapes = {"a": (m, k, spec.rows), "b": (k, n, spec.cols), "c": (m, n, spec.cols)}
    times = {"a": col_tiles, "b": row_tiles, "c": 1}
    for port, (rows, columns, lanes) in shapes.items():
        assert ports[port].lanes == lanes
        found = count_elements(ports[port], rows, columns)
        wanted = {(row, column): times[port] for row in range(rows) for column in range(columns)}
        assert found == wanted
    assert ports["a"].count == ports["b"].count == row_tiles * col_tiles * k
    assert ports["c"].count == m * col_tiles


def count_elements(port: Any, rows: int, columns: int) -> Counter[tuple[int, int]]:
    """Count how often the lanes of all beats carry each element; padding is left out."""
    at_rows, at_columns = port.locate(np.arange(port.count))
    assert at_rows.shape == at_columns.shape == (port.count, port.lanes)
    places = zip(at_rows.ravel().tolist(), at_columns.ravel().tolist(), strict=True)
    return Counter((row, column) for row, column in places if row < rows and column < columns)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_operand_beats_alone_give_the_result_beats(name: str, data: st.DataObject) -> None:
    # Whoever adds up lane products of the beats, k at a time, and ignores indices, gets C.
    spec, a, b = data.draw(engine_runs(name))
    (m, k), n = a.shape, b.shape[1]
    ports = beats(spec, m=m, n=n, k=k)
    a_beats = ports["a"].gather(a, 0, ports["a"].count).reshape(-1, k, spec.rows)
    b_beats = ports["b"].gather(b, 0, ports["b"].count).reshape(-1, k, spec.cols)
    tiles = np.einsum("tki,tkj->tij", a_beats, b_beats)
    rows = [
        tile[row]
        for number, tile in enumerate(tiles)
        for row in range(min(spec.rows, m - number // -(-n // spec.cols) * spec.rows))
    ]
    exact = np.array(product(a, b))
    np.testing.assert_array_equal(ports["c"].gather(exact, 0, ports["c"].count), rows)


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    spec = SystolicOsSpec(pe=MacSpec(), rows=2, cols=2)
    ports = beats(spec, m=3, n=1, k=2)
    a = np.array([[1, 2], [3, 4], [5, 6]])
    b = np.array([[7], [8]])
    c = np.array([[10], [20], [30]])
    assert ports["a"].gather(a, 0, 99).tolist() == [[1, 3], [2, 4], [5, 0], [6, 0]]
    assert ports["b"].gather(b, 0, 99).tolist() == [[7, 0], [8, 0], [7, 0], [8, 0]]
    assert ports["c"].gather(c, 0, 99).tolist() == [[10, 0], [20, 0], [30, 0]]
    assert [ports[port].matrix for port in "abc"] == ["A", "B", "C"]


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("cols", [1, 3])
@pytest.mark.parametrize("k", [1, 7])
def test_a_bare_tile_takes_the_published_edges(rows: int, cols: int, k: int) -> None:
    # Source: arXiv 2503.06342, an output-stationary array of m x n takes m + n + k - 1 clocks.
    spec = SystolicOsSpec(pe=MacSpec(), rows=rows, cols=cols)
    assert spec.tile_cycles(k) == rows + cols + k - 1


@pytest.mark.parametrize("overlap", [False, True])
def test_overhead_is_what_no_operand_beat_fills(overlap: bool) -> None:
    spec = SystolicOsSpec(pe=CarrySaveMacSpec(), rows=4, cols=3, overlap_drain=overlap)
    for m, n, k in ((1, 1, 1), (9, 7, 5), (4, 3, 50)):
        operand_beats = beats(spec, m=m, n=n, k=k)["a"].count
        assert spec.overhead_cycles(m=m, n=n, k=k) == cycles(spec, m=m, n=n, k=k) - operand_beats


def test_overlap_never_costs_cycles_on_long_sums() -> None:
    for name in NAMES:
        spec = replace(DESIGNS[name], overlap_drain=False)
        overlapped = replace(spec, overlap_drain=True)
        for k in (64, 500):
            plain = cycles(spec, m=100, n=100, k=k)
            assert cycles(overlapped, m=100, n=100, k=k) < plain


def test_activity_counts_what_the_shape_implies() -> None:
    spec = SystolicOsSpec(pe=CarrySaveMacSpec(), rows=2, cols=2)
    a, b = np.ones((3, 3), np.int8), np.ones((3, 2), np.int8)
    result = simulate(spec, a, b)
    # 1 + 7 + 6 + 2 cycles of 4 PEs; 63 bits of sums and 17 of operands and tag in each.
    assert result.cycles == 16
    assert result.activity.as_dict() == {
        "macs": 18,
        "digits": 18 * 4,
        "idle_slots": (16 * 4 - 18) * 4,
        "register_writes": 16 * 4 * (63 + 8 + 8 + 1),
        "beats": {"a": 6, "b": 6, "c": 3},
        "correction_ops": 0,
    }


def test_the_name_is_the_catalog_entry_whatever_the_size() -> None:
    spec = SystolicOsSpec(pe=CarrySaveMacSpec(a=INT16, b=UINT8, acc_width=40), rows=3, cols=5)
    assert spec.name == "systolic_os/carry_save"
    assert spec.peak_macs == 15


@pytest.mark.parametrize("side", ["rows", "cols"])
@pytest.mark.parametrize("size", [0, 257, -1])
def test_sides_past_the_limits_are_refused(side: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"{side} .*1 to 256.*not .*{size}"):
        replace(DESIGNS["systolic_os/mac"], **{side: size})  # type: ignore[type-var]

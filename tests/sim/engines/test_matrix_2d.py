"""The broadcast matrix: closed forms against the model that steps clock by clock."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle import wrapped_product
from strategies import formats, matrices

from bitweight.sim import beats, cycles, run, simulate
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import INT8, UINT8

Run = tuple[Matrix2dSpec, NDArray[np.int64], NDArray[np.int64]]

MAC = Matrix2dSpec(pe=MacSpec())
TEMPORAL = Matrix2dSpec(pe=SameWeightMacSpec())
SPATIAL = Matrix2dSpec(pe=SameWeightMacSpec(temporal=False))


@st.composite
def specs(draw: st.DrawFn) -> Matrix2dSpec:
    """Draw a small matrix: its sides, switches, lanes, formats and kind of PE."""
    a, b = draw(formats(8)), draw(formats(8))
    acc_width = draw(st.integers(a.width + b.width, 24))
    form = {"a": st.just(a), "b": st.just(b), "acc_width": st.just(acc_width)}
    mac = st.builds(
        MacSpec, structure=st.sampled_from(MacStructure), pipelined=st.booleans(), **form
    )
    same_weight = st.builds(
        SameWeightMacSpec,
        recoding=st.sampled_from(sorted(RECODINGS)),
        k_lanes=st.integers(1, 5),
        temporal=st.booleans(),
        **form,
    )
    pe: MacSpec | SameWeightMacSpec = draw(mac | same_weight)
    return Matrix2dSpec(pe=pe, rows=draw(st.integers(1, 3)), cols=draw(st.integers(1, 3)))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Draw a matrix and a GEMM for it."""
    spec = draw(specs())
    m, n, k = (draw(st.integers(1, size)) for size in (7, 7, 9))
    return spec, draw(matrices(spec.pe.a, (m, k))), draw(matrices(spec.pe.b, (k, n)))


@given(runs())
def test_bits_and_cycles_equal_the_clocked_model_and_python(case: Run) -> None:
    spec, a, b = case
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(acc, expected)
    np.testing.assert_array_equal(result.acc, expected)
    (m, k), n = a.shape, b.shape[1]
    assert result.cycles == edges == cycles(spec, m=m, n=n, k=k)


@given(runs())
def test_trips_of_the_nest_are_the_cycles_less_overhead(case: Run) -> None:
    spec, a, b = case
    (m, k), n = a.shape, b.shape[1]
    trips = spec.nest.trips(m=m, n=n, k=k, digits=spec.pe.digits)
    assert trips == cycles(spec, m=m, n=n, k=k) - spec.overhead_cycles(m=m, n=n, k=k)


@pytest.mark.parametrize("spec", [MAC, TEMPORAL, SPATIAL])
def test_the_nest_computes_the_gemm(spec: Matrix2dSpec) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (4, 7)), rng.integers(-128, 128, (7, 5))
    recoding = RECODINGS[getattr(spec.pe, "recoding", "mbe")]
    executed = spec.small.nest.run(a, b, recoding=recoding, a_format=INT8)
    np.testing.assert_array_equal(executed.c, a @ b)


# Every total is counted by hand: 1 for the command, then the beats of the tile.
@pytest.mark.parametrize(
    ("spec", "sizes", "total"),
    [
        # The module's picture: last beat at 4, added at 5, rows read at 6 and 7, c at 7 and 8.
        (MAC, (2, 2, 3), 8),
        # A pipelined PE: one edge more.
        (replace(MAC, pe=MacSpec(pipelined=True)), (2, 2, 3), 9),
        # Behind the recoders, and resolved: two edges more. 12 k in 4 lanes are 3 beats.
        (SPATIAL, (2, 2, 12), 10),
        # One digit a pass: 4 passes of 3 beats, so the last one is at 13.
        (TEMPORAL, (2, 2, 12), 19),
        # A single k still takes a beat a pass: last at 5, row read at 8, c at 10.
        (TEMPORAL, (1, 1, 1), 10),
        # Two tiles: the second's first beat comes once row 1 has been read, at 7.
        (MAC, (2, 3, 3), 8 + 6),
        # Three rows: a full tile, 3 + 1 + 2 edges, then one of a single row, 3 + 1 + 1.
        (MAC, (3, 2, 3), 1 + 6 + 5 + 1),
    ],
)
def test_cycles_are_as_counted_by_hand(
    spec: Matrix2dSpec, sizes: tuple[int, int, int], total: int
) -> None:
    m, n, k = sizes
    assert cycles(replace(spec, rows=2, cols=2), m=m, n=n, k=k) == total


@pytest.mark.parametrize("m", [1, 16, 40])
@pytest.mark.parametrize("n", [1, 50])
@pytest.mark.parametrize("k", [1, 38])
def test_cycles_are_as_the_page_says(m: int, n: int, k: int) -> None:
    for spec, tile_beats, read_latency, resolve_latency in (
        (MAC, k, 1, 0),
        (TEMPORAL, 4 * -(-k // 4), 2, 1),
        (SPATIAL, -(-k // 4), 2, 1),
    ):
        tiles = [min(16, m - row) for row in range(0, m, 16) for _ in range(0, n, 16)]
        total = sum(tile_beats + read_latency + rows for rows in tiles)
        assert cycles(spec, m=m, n=n, k=k) == 1 + total + 1 + resolve_latency


@given(runs())
def test_beats_carry_every_element_as_often_as_its_tiles_and_passes_need_it(case: Run) -> None:
    spec, a, b = case
    (m, k), n = a.shape, b.shape[1]
    ports = beats(spec, m=m, n=n, k=k)
    passes = spec.pe.digits if isinstance(spec.pe, SameWeightMacSpec) and spec.pe.temporal else 1
    times = {"a": passes * -(-n // spec.cols), "b": passes * -(-m // spec.rows), "c": 1}
    for port, (rows, columns) in {"a": (m, k), "b": (k, n), "c": (m, n)}.items():
        at_rows, at_columns = ports[port].locate(np.arange(ports[port].count))
        assert at_rows.shape == at_columns.shape == (ports[port].count, ports[port].lanes)
        places = zip(at_rows.ravel().tolist(), at_columns.ravel().tolist(), strict=True)
        found = Counter((i, j) for i, j in places if i < rows and j < columns)
        assert found == {(i, j): times[port] for i in range(rows) for j in range(columns)}


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    pe = SameWeightMacSpec(a=UINT8, b=INT8, k_lanes=2, recoding="mbe")
    spec = Matrix2dSpec(pe=pe, rows=2, cols=1)
    ports = beats(spec, m=3, n=1, k=3)
    a = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    b = np.array([[10], [20], [30]])
    # Five digits, so five passes of two beats: row 0's lanes, then row 1's.
    first, second = [[1, 2, 4, 5], [3, 0, 6, 0]], [[7, 8, 0, 0], [9, 0, 0, 0]]
    assert ports["a"].gather(a, 0, 99).tolist() == first * 5 + second * 5
    assert ports["b"].gather(b, 0, 99).tolist() == [[10, 20], [30, 0]] * 10


@pytest.mark.parametrize("k", [1, 8, 30])
def test_a_bare_tile_takes_its_beats_and_the_pipeline(k: int) -> None:
    assert MAC.tile_cycles(k) == k + 1
    assert replace(MAC, pe=MacSpec(pipelined=True)).tile_cycles(k) == k + 2
    assert TEMPORAL.tile_cycles(k) == 4 * -(-k // 4) + 2
    assert SPATIAL.tile_cycles(k) == -(-k // 4) + 2


def test_four_lanes_make_up_for_four_passes() -> None:
    assert MAC.peak_macs == TEMPORAL.peak_macs == 256
    assert SPATIAL.peak_macs == 4 * 256
    # An unsigned operand has a fifth digit: 1,024 digit slots for it are 204.8 of its products.
    assert replace(TEMPORAL, pe=SameWeightMacSpec(a=UINT8)).peak_macs == 205


def test_activity_counts_what_the_shape_implies() -> None:
    spec = replace(TEMPORAL, rows=2, cols=2)
    result = simulate(spec, np.ones((2, 12), np.int8), np.ones((12, 2), np.int8))
    assert result.cycles == 19
    assert result.activity.as_dict() == {
        "macs": 48,
        "digits": 48 * 4,
        "idle_slots": 19 * 4 * 4 - 48 * 4,
        "register_writes": 19 * 4 * 63,
        "beats": {"a": 12, "b": 12, "c": 2},
        "correction_ops": 0,
    }


@pytest.mark.parametrize("side", ["rows", "cols"])
@pytest.mark.parametrize("size", [0, 257])
def test_sides_past_the_limits_are_refused(side: str, size: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^Broadcast matrix {side} must be 1 to 256, not {size}$"
    ):
        replace(MAC, **{side: size})  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize("lanes", [0, 17])
def test_lanes_past_the_limits_are_refused(lanes: int) -> None:
    with pytest.raises(ValueError, match=rf"^Lanes along k must be 1 to 16, not {lanes}$"):
        SameWeightMacSpec(k_lanes=lanes)

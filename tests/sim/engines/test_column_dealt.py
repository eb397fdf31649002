"""The engine of dealt digits: recurrences against the model that steps, and its claim."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle import wrapped_product
from strategies import matrices, switched, varied_pe

from bitweight.sim import beats, cycles, run, simulate
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.kernels.dealing import deal
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads import Layer, Trace

DEALT = DealtColumnSpec(pe=DealtPeSpec())
TINY = DealtColumnSpec(pe=DealtPeSpec(lanes=2), pes=2, beat=4, k_depth=8)
LAYERS = Trace.example().layers


@st.composite
def gemms(draw: st.DrawFn) -> tuple[DealtColumnSpec, NDArray[np.int64], NDArray[np.int64]]:
    """Draw a small engine and a GEMM; folds, empty rows and lanes without digits are common."""
    lanes, share = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    spec = draw(
        switched(
            DealtColumnSpec(
                pe=draw(varied_pe(DealtPeSpec(lanes=lanes), max_width=8)),
                pes=draw(st.integers(1, 4)),
                beat=lanes * share,
                k_depth=lanes * share * draw(st.integers(1, 3)),
            )
        )
    )
    m, n, k = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 20))
    kept = draw(matrices(replace(spec.pe.a, width=2, signed=False), (m, k)))
    a = np.where(kept <= draw(st.integers(0, 3)), draw(matrices(spec.pe.a, (m, k))), 0)
    return spec, a, draw(matrices(spec.pe.b, (k, n)))


@given(gemms())
def test_bits_and_cycles_equal_the_clocked_model_and_python(case: Any) -> None:
    spec, a, b = case
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    expected = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(result.acc, expected)
    np.testing.assert_array_equal(acc, expected)
    assert result.cycles == edges


@given(gemms())
def test_no_lane_takes_more_than_all_digits_nor_all_lanes_less(case: Any) -> None:
    spec, a, _ = case
    spec = replace(spec, k_depth=spec.beat * 20)
    digits = (spec.pe.code.digit_table(spec.pe.a)[a & spec.pe.a.mask] != 0).sum(axis=(1, 2))
    clocks = spec.issue_clocks(a)[:, 0]
    assert (clocks >= np.maximum(1, -(-digits // spec.pe.lanes))).all()
    assert (clocks <= np.maximum(1, digits)).all()
    assert spec.steady_cycles(a, n=1) >= clocks.sum()


def test_a_beat_is_dealt_in_the_layout_that_leaves_the_fullest_lane_emptier() -> None:
    # Two lanes, four places. By columns: places 0 and 2, 1 and 3; by rows: 0 and 1, 2 and 3.
    counts = np.array(
        [
            [1, 0, 1, 0, 0, 0, 0, 0],  # columns would give (2, 0): rows, (1, 1)
            [1, 1, 0, 0, 0, 0, 0, 0],  # columns give (1, 1)
            [3, 0, 0, 0, 2, 0, 0, 1],  # (3, 0); either (5, 1): lane 0 has place 0 in both
            [3, 0, 0, 0, 0, 2, 0, 1],  # (3, 0), then columns (3, 3)
            [3, 0, 0, 0, 1, 0, 2, 0],  # (3, 0), then rows (4, 2)
        ],
        np.uint8,
    )
    assert deal(counts, 2, 4, 8).tolist() == [[1], [1], [5], [3], [4]]
    # Every segment is dealt anew, a short last beat included.
    assert deal(counts[:, :7], 2, 4, 4).tolist() == [[1, 0], [1, 0], [3, 2], [3, 2], [3, 2]]


# Two lanes, two PEs, beats of four, segments of eight; every element is 1: one digit.
@pytest.mark.parametrize(
    ("sizes", "change", "total"),
    [
        # The module's picture: beats at 2 and 3, start at 5, four digits a lane, end at 9, two
        # outputs to 9 + 4 + 2.
        ((1, 2, 8), {}, 15),
        # One element: beat at 2, start at 4, end at 5, one output at 5 + 5.
        ((1, 1, 1), {}, 10),
        # Rows of eight clocks follow each other: four beats, start at 7, ends at 15 and 23.
        ((2, 2, 16), {"k_depth": 16}, 23 + 6),
        # Rows of four wait until the one before has left: ends at 9, 9 + 6 and 15 + 6.
        ((3, 2, 8), {}, 21 + 6),
        # Two tiles: the second's b came in meanwhile, but its row of four clocks waits likewise.
        ((1, 4, 8), {}, 15 + 6),
        # With one tile held, its beats come at 10 and 11: start at 12, end at 16.
        ((1, 4, 8), {"double_buffer": False}, 16 + 6),
        # A row of two segments leaves once: ends at 9 and 13.
        ((1, 2, 16), {}, 13 + 6),
        # The b of each fold comes again for the second row, but in time.
        ((2, 2, 16), {}, 21 + 6),
    ],
)
def test_cycles_are_as_counted_by_hand(
    sizes: tuple[int, int, int], change: dict[str, Any], total: int
) -> None:
    m, n, k = sizes
    spec = replace(TINY, **change)
    a, b = np.ones((m, k), np.int8), np.ones((k, n), np.int8)
    assert simulate(spec, a, b).cycles == total
    assert run(spec, a, b)[1] == total


def test_rows_of_zeros_take_a_clock_each_and_come_out_as_zeros() -> None:
    a, b = np.zeros((2, 8), np.int8), np.ones((8, 1), np.int8)
    result = simulate(TINY, a, b)
    # Start at 5, end at 6; the second row ends 1 + 4 later, and leaves 1 + 4 after that.
    assert result.cycles == 6 + 5 + 5
    assert result.acc.tolist() == [[0], [0]]
    assert result.activity.digits == 0


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("recoding", ["en_t", "mbe", "naf"])
def test_prefill_stays_within_two_percent_of_the_bound(layer: Layer, recoding: str) -> None:
    spec = replace(DEALT, pe=replace(DEALT.pe, recoding=recoding))
    for a, n in ((layer.x, layer.n), (layer.w.T, layer.m)):
        assert over_bound(spec, a, n) <= 1.02


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_decode_of_any_token_stays_within_five_percent_of_the_bound(layer: Layer) -> None:
    tiles = -(-layer.n // DEALT.pes)
    starved = []
    for row in range(layer.m):
        x = layer.x[row : row + 1]
        over = over_bound(DEALT, x, layer.n)
        if over > 1.05:
            starved.append(row)
            # Nothing but beats: a tile's 1,536 k come in 96 beats, for nine digits.
            assert DEALT.steady_cycles(x, n=layer.n) <= tiles * 96
    # The first token's input to ffn_down is all but zero.
    assert starved == ([0] if layer.name.startswith("blk.11.ffn_down") else [])


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_decode_with_weights_as_a_stays_within_five_percent_of_the_bound(layer: Layer) -> None:
    assert over_bound(DEALT, layer.w.T, 1) <= 1.05


def over_bound(spec: DealtColumnSpec, a: NDArray[Any], n: int) -> float:
    """Return the cycles of the engine less fill and drain, over non-zero digits per lane."""
    table = RECODINGS[spec.pe.recoding].digit_table(spec.pe.a)
    digits = int((table[a.astype(np.int64) & 255] != 0).sum())
    tiles = -(-n // spec.pes)
    result = simulate(spec, a, np.zeros((a.shape[1], n), np.int8))
    # First fill: until all beats of the first row and the first tile are in the queues. Last drain:
    # the last row's outputs, one a clock, behind the PEs and the adder.
    fill = 1 + -(-a.shape[1] // spec.beat) + 2
    drain = (n - 1) % spec.pes + 1 + 4
    steady = result.cycles - fill - drain
    assert steady == spec.steady_cycles(a, n=n)
    return steady / (digits / spec.pe.lanes * tiles)


def test_beats_of_a_ragged_gemm_are_as_written_out() -> None:
    spec = replace(TINY, k_depth=4)
    a = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
    b = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [13, 14, 15]])
    c = np.arange(6).reshape(2, 3)
    ports = beats(spec, m=2, n=3, k=5)
    once = [[1, 2, 3, 4], [5, 0, 0, 0], [6, 7, 8, 9], [10, 0, 0, 0]]
    assert ports["a"].gather(a, 0, 99).tolist() == once * 2
    first = [[1, 2, 4, 5, 7, 8, 10, 11], [13, 14, 0, 0, 0, 0, 0, 0]]
    second = [[3, 0, 6, 0, 9, 0, 12, 0], [15, 0, 0, 0, 0, 0, 0, 0]]
    # k is folded, so b comes again for the second row.
    assert ports["b"].gather(b, 0, 99).tolist() == first * 2 + second * 2
    assert ports["c"].gather(c, 0, 99).tolist() == [[0], [1], [3], [4], [2], [5]]
    unfolded = beats(replace(spec, k_depth=8), m=2, n=3, k=5)
    assert unfolded["b"].gather(b, 0, 99).tolist() == first + second


def test_activity_counts_digits_and_idle_slots() -> None:
    a, b = np.array([[3, 0, 1, 127]]), np.ones((4, 3), np.int8)
    result = simulate(TINY, a, b)
    # EN-T: 3 = 4 - 1, 127 = 128 - 1; three outputs in tiles of two.
    assert result.activity.digits == (2 + 1 + 2) * 3
    assert result.activity.idle_slots == result.cycles * 4 - 15
    assert dict(result.activity.beats) == {"a": 2, "b": 2, "c": 3}


def test_overhead_is_what_the_fullest_lane_does_not_fill() -> None:
    a, b = np.ones((3, 8), np.int8), np.ones((8, 2), np.int8)
    assert simulate(TINY, a, b).cycles == 27
    assert TINY.overhead_cycles(a, n=2) == 27 - 3 * 4


def test_sizes_alone_do_not_give_cycles() -> None:
    with pytest.raises(ValueError, match="column/dealt depend on the operands' values"):
        cycles(DEALT, m=1, n=1, k=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pes": 0}, "pes must be 1 to 256, not 0"),
        ({"beat": 6}, "beat must be a multiple of 4 lanes up to 64, not 6"),
        ({"beat": 68}, "beat must be a multiple of 4 lanes up to 64, not 68"),
        ({"k_depth": 24}, "k_depth must be a multiple of the beat, 16, up to 65536, not 24"),
    ],
)
def test_specs_past_their_limits_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(DEALT, **change)

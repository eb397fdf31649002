"""The bit-serial engine: closed forms against the model that steps clock by clock."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import wrapped_product
from strategies import matrices, varied_pe

from bitweight.sim import beats, cycles, run, simulate
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.pe.bit_serial import BitSerialPeSpec
from bitweight.sim.recoding import TWOS_COMPLEMENT
from bitweight.verify import Work, check_engine
from bitweight.workloads.formats import INT4, INT8, IntFormat


@st.composite
def runs(draw: st.DrawFn) -> Any:
    """Draw a small engine and a GEMM of a few tiles and groups, often ragged."""
    lanes = draw(st.integers(1, 5))
    pe = draw(varied_pe(BitSerialPeSpec(lanes=lanes), max_width=8))
    rows, cols = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    spec = BitSerialSpec(pe=pe, rows=rows, cols=cols)
    m, n, k = draw(st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 11)))
    return spec, draw(matrices(pe.a, (m, k))), draw(matrices(pe.b, (k, n)))


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
def test_the_nest_computes_it_in_the_clocks_that_take_bits(case: Any) -> None:
    spec, a, b = case
    (m, k), n = a.shape, b.shape[1]
    taken = cycles(spec, m=m, n=n, k=k) - spec.overhead_cycles(m=m, n=n, k=k)
    assert spec.nest.trips(m=m, n=n, k=k, digits=spec.pe.a.width) == taken
    c, trips = spec.nest.run(a, b, recoding=TWOS_COMPLEMENT, a_format=spec.pe.a)
    assert (c == a @ b).all()
    assert trips == taken


# Counted by hand: command, first beat, one clock per bit and group, accumulation, rows, output.
@pytest.mark.parametrize(
    ("rows", "a", "sizes", "total"),
    [
        # The module's picture: c delivers row 1 at edge 12.
        (2, IntFormat(width=3), (2, 2, 8), 12),
        # One output, one lane: bits at 3 to 10, acc at 11, read at 12, delivered at 13.
        (2, INT8, (1, 1, 1), 13),
        # Two tiles: rows of the first drain while the second runs.
        (2, INT8, (2, 3, 4), 13 + 8 + 1),
        # 4 rows are read after the second tile's bits 1 to 4, but it has 4: it starts one late.
        (4, INT4, (4, 3, 4), 2 + 4 + 1 + 4 + 1 + 4 + 1),
        # 4 rows and 2 bits: three late, before each tile but the first.
        (4, IntFormat(width=2), (4, 6, 4), 2 + 2 + (3 + 2) + (3 + 2) + 1 + 4 + 1),
    ],
)
def test_cycles_are_as_counted_by_hand(
    rows: int, a: IntFormat, sizes: tuple[int, int, int], total: int
) -> None:
    m, n, k = sizes
    spec = BitSerialSpec(pe=BitSerialPeSpec(a=a, lanes=4), rows=rows, cols=2)
    assert cycles(spec, m=m, n=n, k=k) == total


def test_a_default_tile_takes_a_clock_per_bit_and_group() -> None:
    spec = BitSerialSpec()
    assert spec.tile_cycles(64) == 4 * 8 + 1
    assert cycles(spec, m=8, n=8, k=64) == 2 + 4 * 32 + 1 + 4 + 1


def test_operand_beats_alone_give_the_result() -> None:
    spec = BitSerialSpec(pe=BitSerialPeSpec(lanes=2), rows=2, cols=2)
    a, b = np.arange(1, 10).reshape(3, 3), np.arange(1, 4).reshape(3, 1)
    ports = beats(spec, m=3, n=1, k=3)
    # Row after row, two k each; row 3 and k 3 are padding.
    assert ports["a"].gather(a, 0, 9).tolist() == [
        [1, 2, 4, 5],
        [3, 0, 6, 0],
        [7, 8, 0, 0],
        [9, 0, 0, 0],
    ]
    assert ports["b"].gather(b, 0, 9).tolist() == [[1, 2, 0, 0], [3, 0, 0, 0]] * 2
    assert ports["c"].gather(a @ b, 0, 9).tolist() == [[14, 0], [32, 0], [50, 0]]


def test_activity_counts_bits_as_digits() -> None:
    spec = BitSerialSpec(rows=2, cols=2)
    result = simulate(spec, np.zeros((2, 3), np.int8), np.zeros((3, 2), np.int8))
    # 2 + 8 + 1 + 2 + 1 cycles of 4 PEs with 16 lanes; 12 + 8 + 32 flip-flops in each.
    assert result.cycles == 14
    assert result.activity.as_dict() == {
        "macs": 12,
        "digits": 12 * 8,
        "idle_slots": 14 * 64 - 12 * 8,
        "register_writes": 14 * 4 * (12 + 8 + 32),
        "beats": {"a": 1, "b": 1, "c": 2},
        "correction_ops": 0,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "Bit-slice array rows must be 1 to 64, not 0"),
        ({"cols": 65}, "Bit-slice array cols must be 1 to 64, not 65"),
        ({"saturate_to": 33}, "must saturate to 2 to 32 bits"),
    ],
)
def test_sizes_past_the_limits_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(BitSerialSpec(), **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Lanes of a PE must be 1 to 64, not 0"):
        BitSerialPeSpec(lanes=0)


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 4])
def test_more_rows_than_bits_wait_and_are_computed_again_in_verilog_too(width: int) -> None:
    # ``verify`` builds arrays whose rows fit the bits of a group; here a tile has to wait, and with
    # stalls it is computed again until the one before has drained.
    pe = BitSerialPeSpec(a=IntFormat(width=width), b=INT4, lanes=3)
    spec = BitSerialSpec(pe=pe, rows=5, cols=2)
    rng = np.random.default_rng(width)
    works = [
        Work(str(k), rng.integers(pe.a.min, pe.a.max + 1, (9, k)), rng.integers(-8, 8, (k, 5)))
        for k in (1, 3, 4, 10)
    ]
    assert [outcome.fault for outcome in check_engine(spec, works) if outcome.fault] == []

"""The block engine: model against its clocked reference, and against diagrams drawn by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitweight.sim import DATAPATHS, beats, cycles, run, simulate
from bitweight.sim.datapath import draw
from bitweight.sim.datapaths.trit_planes import TritPlanesSpec
from bitweight.sim.engine import carried
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.packed_weights import PackedWeights

ONE_PLANE = BlockDotSpec(pe=TritPlanesSpec(format=TritNine(group=16)), columns=2)


@st.composite
def packed_runs(draw_from: st.DrawFn, name: str) -> tuple[Any, Any, PackedWeights]:
    """Draw a small engine of a catalog entry, activations and legal weights."""
    spec = replace(
        DATAPATHS[name], rows=draw_from(st.integers(1, 3)), columns=draw_from(st.integers(1, 3))
    )
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32)))
    m, n = draw_from(st.integers(1, 5)), draw_from(st.integers(1, 5))
    n = -(-n // spec.n_multiple) * spec.n_multiple
    # Enough for a whole group and part of another.
    most = 3 * (spec.pe.group or spec.pe.walk.chunk) // (2 * spec.k_multiple) + 1
    k = draw_from(st.integers(1, most)) * spec.k_multiple
    a = rng.integers(spec.pe.a.min, spec.pe.a.max + 1, (m, k))
    return spec, a, draw(spec.pe, rng, k=k, n=n)


@pytest.mark.parametrize("name", DATAPATHS)
@settings(max_examples=max(8, settings.default.max_examples // 10), deadline=None)
@given(data=st.data())
def test_every_datapath_has_a_model_whose_parts_agree(name: str, data: st.DataObject) -> None:
    spec, a, packed = data.draw(packed_runs(name))
    result = simulate(spec, a, packed)
    sums, edges = run(spec, a, packed)
    np.testing.assert_array_equal(result.partials, sums)
    assert (result.cycles, result.overflow) == (edges, 0)
    m, k = a.shape
    ports = beats(spec, m=m, n=packed.n, k=k)
    assert result.activity.beats == {port: each.count for port, each in ports.items()}
    values = carried(spec, a, packed, sums)
    assert values.keys() == ports.keys()
    for port, each in ports.items():
        matrix = values[port].values
        rows, columns = each.locate(np.arange(each.count))
        is_inside = (rows < matrix.shape[0]) & (columns < matrix.shape[1])
        times = np.zeros(matrix.shape, int)
        np.add.at(times, (rows[is_inside], columns[is_inside]), 1)
        assert times.min() >= 1, port
        assert port != "c" or times.max() == 1


@pytest.mark.parametrize("name", DATAPATHS)
@given(data=st.data())
@settings(max_examples=max(8, settings.default.max_examples // 10), deadline=None)
def test_scaled_sums_are_the_product_with_the_real_weights(name: str, data: st.DataObject) -> None:
    spec, a, packed = data.draw(packed_runs(name))
    partials = simulate(spec, a, packed).results
    exact = a.astype(float) @ packed.dequantise()
    magnitudes = np.abs(packed.dequantise())
    if isinstance(packed.format, ValueTable):
        # A table's values are fixed-point codes here: each is up to half a step of 8 bits off.
        magnitudes = np.full(magnitudes.shape, packed.scales["scale"].max() / 2 / 127)
    else:
        magnitudes *= 1e-6
    outputs = packed.format.apply_scales(partials, packed)
    assert (np.abs(outputs - exact) <= np.abs(a) @ magnitudes * 1.001 + 1e-12).all()


def test_the_timing_diagram_ends_where_the_engine_does() -> None:
    spec = replace(ONE_PLANE, columns=1)
    assert spec.latency == 3
    assert [cycles(spec, m=1, n=1, k=k) for k in (16, 32, 48)] == [8, 10, 14]
    assert spec.overhead_cycles(m=1, n=1, k=48) == 14 - 6


def test_groups_as_long_as_the_pipeline_follow_each_other_without_a_gap() -> None:
    spec = BlockDotSpec(pe=TritPlanesSpec(format=TritNine(group=24)), columns=1)
    assert cycles(spec, m=1, n=1, k=24 * 50) == 1 + 3 * 50 + spec.latency + 2


def test_groups_wait_for_results_that_leave_more_slowly() -> None:
    # Two planes of eight rows are 16 result beats per group of one beat: c sets the pace.
    spec = BlockDotSpec(pe=TritPlanesSpec(format=TritPlanes(group=8)), rows=8, columns=1)
    groups = 10
    first_result = 2 + spec.latency + 2
    assert cycles(spec, m=8, n=1, k=8 * groups) == first_result + 16 * groups - 1


def test_columns_past_n_and_rows_past_m_are_not_delivered() -> None:
    rng = np.random.default_rng(0)
    packed = draw(ONE_PLANE.pe, rng, k=20, n=3)
    result = simulate(ONE_PLANE, rng.integers(-128, 128, (3, 20)), packed)
    assert result.results.shape == (3, 3, 1, 2)
    assert result.activity.beats == {"a": 18, "b": 18, "c": 12}
    assert result.acc is None
    whole = replace(ONE_PLANE, pe=TritPlanesSpec(format=TritNine(group=24)))
    packed = draw(whole.pe, rng, k=20, n=3)
    one = simulate(whole, rng.integers(-128, 128, (3, 20)), packed)
    assert one.partials is not None
    np.testing.assert_array_equal(one.acc, one.partials[:, :, 0, 0])


@pytest.mark.parametrize(
    ("operand", "error", "message"),
    [
        (np.zeros((16, 2), int), TypeError, "b of addsub/trit_nine must be PackedWeights, not nda"),
        (
            draw(TritPlanesSpec(), np.random.default_rng(0), k=16, n=2),
            TypeError,
            "b of addsub/trit_nine must be TritNine.*, not TritPlanes",
        ),
        (
            draw(TritPlanesSpec(format=TritNine()), np.random.default_rng(0), k=16, n=2),
            TypeError,
            r"must be TritNine\(group=16\), not TritNine\(group=128\)",
        ),
        (
            draw(ONE_PLANE.pe, np.random.default_rng(0), k=24, n=2),
            ValueError,
            r"Operands must share k: a is \(3, 16\), b is \(24, 2\)",
        ),
    ],
)
def test_operands_that_do_not_fit_are_refused(
    operand: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        simulate(ONE_PLANE, np.zeros((3, 16), int), operand)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "Block engine rows must be 1 to 256, not 0"),
        ({"columns": 257}, "Block engine columns must be 1 to 256, not 257"),
        ({"rows": 17}, "Block engine rows times planes must be at most 16, not 17 x 1"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ONE_PLANE, **changes)  # type: ignore[arg-type]

"""The layer loop: bindings, scale groups, zero points, and the comparison with golden values."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.sim import ENGINES, cycles, layers
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.layers import Binding, Golden
from bitweight.sim.pe import CarrySaveMacSpec, MacSpec
from bitweight.sim.spec import EngineSpec
from bitweight.workloads import Gemm, Layer
from bitweight.workloads.formats import INT4, INT8, UINT8
from bitweight.workloads.operands import Distribution

EVERY = [pytest.param(spec.small, id=name) for name, spec in ENGINES.items()]

OS = SystolicOsSpec(pe=MacSpec(), rows=4, cols=2)


@st.composite
def quantised_layers(draw: st.DrawFn) -> Layer:
    """Draw a layer with any group length, also ragged ones, and zero points of any granularity."""
    m, n, k = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 11))
    group = draw(st.none() | st.integers(1, k))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = 1 if group is None else -(-k // group)
    points: dict[str, NDArray[np.int64] | None] = {}
    for side, size, whole in (("x", m, (m, groups)), ("w", n, (groups, n))):
        shapes = [None, (), (size,), *([whole] if group is not None else [])]
        shape = draw(st.sampled_from(shapes))
        points[f"{side}_zero_point"] = None if shape is None else rng.integers(-128, 128, shape)
    x, w = rng.integers(-128, 128, (m, k)), rng.integers(-128, 128, (k, n))
    return Layer.from_arrays("drawn", x, w, group=group, **points)


def python_acc(layer: Layer) -> list[Any]:
    """Sum with Python integers, per group if there is one; zero points broadcast by hand."""
    group = layer.group or layer.k
    starts = range(0, layer.k, group)

    def point(points: NDArray[np.int64] | None, at: int, g: int, *, is_x: bool) -> int:
        if points is None:
            return 0
        if points.ndim == 0:
            return int(points)
        if points.ndim == 1:
            return int(points[at])
        return int(points[at, g] if is_x else points[g, at])

    x, w = layer.x.tolist(), layer.w.tolist()
    xz, wz = layer.x_zero_point, layer.w_zero_point
    sums = [
        [
            [
                sum(
                    (x[i][at] - point(xz, i, g, is_x=True))
                    * (w[at][j] - point(wz, j, g, is_x=False))
                    for at in range(start, min(start + group, layer.k))
                )
                for g, start in enumerate(starts)
            ]
            for j in range(layer.n)
        ]
        for i in range(layer.m)
    ]
    return sums if layer.group is not None else [[parts[0] for parts in row] for row in sums]


@pytest.mark.parametrize("spec", EVERY)
@given(layer=quantised_layers())
def test_every_binding_gives_the_exact_sums(spec: EngineSpec, layer: Layer) -> None:
    expected = python_acc(layer)
    for binding in Binding:
        result = layers.run(spec, layer, binding)
        assert result.acc is not None
        assert result.acc.tolist() == expected
    assert layer.exact().tolist() == expected


@given(layer=quantised_layers())
def test_cycles_add_up_over_groups_and_auto_takes_the_fewer(layer: Layer) -> None:
    group = layer.group or layer.k
    parts = [min(group, layer.k - start) for start in range(0, layer.k, group)]
    x = sum(cycles(OS, m=layer.m, n=layer.n, k=k) for k in parts)
    w = sum(cycles(OS, m=layer.n, n=layer.m, k=k) for k in parts)
    found = {side: layers.run(OS, layer, side) for side in Binding}
    assert (found[Binding.X].cycles, found[Binding.W].cycles) == (x, w)
    assert found[Binding.AUTO].cycles == min(x, w)
    assert found[Binding.AUTO].saved_cycles == abs(x - w)
    assert found[Binding.AUTO].binding is (Binding.X if x <= w else Binding.W)
    assert found[Binding.X].saved_cycles == found[Binding.W].saved_cycles == 0


@pytest.mark.parametrize("spec", EVERY)
def test_golden_values_are_held_against_the_sums(spec: EngineSpec) -> None:
    x, w = np.arange(-6, 6).reshape(3, 4), np.arange(-10, 10).reshape(4, 5)
    plain = layers.run(spec, Layer.from_arrays("a", x, w))
    assert (plain.golden, plain.wrong) == (Golden.ABSENT, 0)
    right = layers.run(spec, Layer.from_arrays("a", x, w, golden=x @ w))
    assert (right.golden, right.wrong) == (Golden.EQUAL, 0)
    golden = x @ w
    golden[0, 0] += 1
    golden[2, 3] -= 2**20
    wrong = layers.run(spec, Layer.from_arrays("a", x, w, golden=golden))
    assert (wrong.golden, wrong.wrong) == (Golden.DIFFERS, 2)


def test_a_golden_value_that_differs_in_one_group_is_seen() -> None:
    x, w = np.arange(-6, 6).reshape(3, 4), np.arange(-10, 10).reshape(4, 5)
    parts = np.stack([x[:, :3] @ w[:3], x[:, 3:] @ w[3:]], axis=2)
    assert layers.run(OS, Layer.from_arrays("a", x, w, group=3, golden=parts)).wrong == 0
    parts[1, 1, 1] += 1
    assert layers.run(OS, Layer.from_arrays("a", x, w, group=3, golden=parts)).wrong == 1


def test_a_ragged_group_is_a_shorter_gemm() -> None:
    x, w = np.ones((3, 7), np.int8), np.ones((7, 2), np.int8)
    result = layers.run(OS, Layer.from_arrays("a", x, w, group=3))
    assert result.acc is not None
    assert result.acc.tolist() == [[[3, 3, 1]] * 2] * 3
    # By hand, 4 x 2 array: 1 + k + cols + rows + 1 for k = 3, 3, 1 and 3 rows.
    assert result.cycles == (1 + 3 + 2 + 3 + 1) * 2 + (1 + 1 + 2 + 3 + 1)
    assert result.activity.beats == {"a": 7, "b": 7, "c": 9}
    assert result.utilisation == pytest.approx(3 * 2 * 7 / (28 * 8))


def test_corrections_of_zero_points_are_counted_as_worked_out_by_hand() -> None:
    x, w = np.ones((3, 4), np.int8), np.ones((4, 5), np.int8)
    # sum x w - zx sum w: 20 additions for the sums of w, then a product and a subtraction each.
    only_x = layers.run(OS, Layer.from_arrays("a", x, w, x_zero_point=2))
    assert only_x.activity.correction_ops == 4 * 5 + 2 * 15
    both = layers.run(OS, Layer.from_arrays("a", x, w, x_zero_point=2, w_zero_point=1))
    assert both.activity.correction_ops == 4 * 5 + 2 * 15 + 3 * 4 + 2 * 15
    assert layers.run(OS, Layer.from_arrays("a", x, w)).activity.correction_ops == 0


def test_weights_that_stream_swap_the_formats() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (5, 6)), rng.integers(-8, 8, (6, 3))
    layer = Layer.from_arrays("a", x, w, x_format=UINT8, w_format=INT4)
    spec = replace(OS, pe=CarrySaveMacSpec(a=UINT8, b=INT4))
    for side in ("x", "w"):
        acc = layers.run(spec, layer, side).acc
        assert acc is not None
        np.testing.assert_array_equal(acc, x @ w)
    # uint8 takes five Booth digits, int4 two.
    assert layers.run(spec, layer, "x").activity.digits == 5 * 90
    assert layers.run(spec, layer, "w").activity.digits == 2 * 90


def test_zero_points_do_not_hide_an_overflow_of_the_engine() -> None:
    x, w = np.full((1, 8), 127), np.full((8, 1), 127)
    narrow = replace(OS, pe=MacSpec(acc_width=16))
    result = layers.run(narrow, Layer.from_arrays("a", x, w))
    assert result.overflow == 1
    assert result.acc is not None
    assert result.acc.tolist() == [[8 * 127 * 127 - 2 * 65536]]


@pytest.mark.parametrize("spec", EVERY)
def test_a_gemm_of_drawn_operands_repeats_with_its_seed(spec: EngineSpec) -> None:
    gemm = Gemm(name="g", m=5, n=6, k=7, calls=3)
    draw = Distribution.parse("normal:20")
    first, again, other = (
        layers.run_gemm(spec, gemm, operands=draw, seed=seed) for seed in (1, 1, 2)
    )
    assert first.acc is not None
    assert again.acc is not None
    assert other.acc is not None
    assert first.acc.tolist() == again.acc.tolist() != other.acc.tolist()
    assert (first.calls, first.name, first.golden) == (3, "g", Golden.ABSENT)


def test_a_gemm_without_operands_counts_cycles_only() -> None:
    gemm = Gemm(name="g", m=50, n=3, k=7)
    result = layers.run_gemm(OS, gemm, "auto")
    x, w = cycles(OS, m=50, n=3, k=7), cycles(OS, m=3, n=50, k=7)
    assert result.acc is None
    assert (result.cycles, result.saved_cycles) == (min(x, w), abs(x - w))
    assert result.utilisation == pytest.approx(50 * 3 * 7 / (min(x, w) * 8))
    drawn = layers.run_gemm(OS, gemm, "auto", operands=Distribution())
    assert drawn.cycles == result.cycles


def test_an_unknown_binding_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Binding must be x, w, auto, not 'y'$"):
        layers.run_gemm(OS, Gemm(name="g", m=1, n=1, k=1), "y")


def test_codes_that_do_not_fit_the_engine_are_refused() -> None:
    layer = Layer.from_arrays("a", [[100]], [[1]], x_format=INT8)
    with pytest.raises(ValueError, match=r"^Operand a must hold int4 codes .*, not 100 to 100$"):
        layers.run(replace(OS, pe=MacSpec(a=INT4)), layer)

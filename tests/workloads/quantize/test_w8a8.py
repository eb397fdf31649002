from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from bitweight.workloads import Granularity, Rounding
from bitweight.workloads.quantize import W8A8, quantise_w, quantise_x

TENSOR, TOKEN, CHANNEL, GROUP = Granularity
VALUES = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 9)),
    elements=st.floats(-1000, 1000, width=32),
)


def python_code(value: float, scale: float) -> int:
    """Round half to even with exact fractions (Python's own rounding)."""
    return max(-127, min(127, round(Fraction(float(value)) / Fraction(float(scale)))))


@given(values=VALUES, group=st.integers(1, 9), granularity=st.sampled_from([TENSOR, TOKEN, GROUP]))
def test_each_code_is_the_nearest_multiple_of_its_own_scale(
    values: NDArray[np.float32], group: int | None, granularity: Granularity
) -> None:
    rows, k = values.shape
    ours = quantise_x(values, granularity, group=group)
    assert (
        ours.scale.shape == {TENSOR: (), TOKEN: (rows,), GROUP: (rows, -(-k // group))}[granularity]
    )
    for i in range(rows):
        for j in range(k):
            index = {TENSOR: (), TOKEN: (i,), GROUP: (i, j // group)}[granularity]
            quotient = Fraction(float(values[i, j])) / Fraction(float(ours.scale[index]))
            # Where float64's quotient rounds onto a tie, both neighbours are as near.
            near_tie = abs(abs(quotient) % 1 - Fraction(1, 2)) < Fraction(1, 10**12)
            assert near_tie or ours.codes[i, j] == python_code(values[i, j], ours.scale[index])


@given(values=VALUES)
def test_the_greatest_value_of_a_scale_gets_the_greatest_code(values: NDArray[np.float32]) -> None:
    ours = quantise_x(values, TOKEN)
    greatest = np.abs(values).max(axis=1)
    visible = greatest > 1e-30
    assert (np.abs(ours.codes.astype(int)).max(axis=1)[visible] == 127).all()
    np.testing.assert_allclose(ours.scale[visible] * 127, greatest[visible], rtol=1e-6)


@given(values=VALUES, group=st.integers(1, 9))
def test_weights_are_quantised_as_activations_turned(
    values: NDArray[np.float32], group: int | None
) -> None:
    for w_kind, x_kind in ((TENSOR, TENSOR), (CHANNEL, TOKEN), (GROUP, GROUP)):
        ours, turned = (
            quantise_w(values.T, w_kind, group=group),
            quantise_x(values, x_kind, group=group),
        )
        np.testing.assert_array_equal(ours.codes, turned.codes.T)
        assert ours.scale.shape == turned.scale.T.shape
        np.testing.assert_array_equal(ours.scale, turned.scale.T)


def test_halves_round_to_even() -> None:
    codes = quantise_x(np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5]]), TENSOR).codes
    assert codes.tolist() == [[127, 0, 2, 2, 0, -2, 126]]


def test_zeros_have_codes_zero_and_a_usable_scale() -> None:
    ours = quantise_x(np.array([[0.0, 0.0], [1e-46, 0.0]]), TOKEN)
    assert ours.codes.tolist() == [[0, 0], [0, 0]]
    assert ours.scale.tolist() == [1.0, 1.0]


def test_codes_stay_symmetric_where_the_scale_itself_is_coarse() -> None:
    # 2e-43 / 127 is between float32's two least numbers: the quotient is 142, not 127.
    assert quantise_x(np.array([[-2e-43, 2e-43]]), TOKEN).codes.tolist() == [[-127, 127]]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="Values to quantise must be finite"):
        quantise_x(np.array([[1.0, bad]]), TOKEN)


@pytest.mark.parametrize("group", [None, 3])
def test_a_layer_has_golden_accumulators_and_says_its_granularity(group: int | None) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 7)), rng.normal(size=(7, 5))
    kind = CHANNEL if group is None else GROUP
    layer = W8A8(w=kind, group=group).layer("a", x, w)
    assert (layer.x_granularity, layer.w_granularity) == (TOKEN, kind)
    assert layer.w_operand.rounding is Rounding.HALF_EVEN
    assert layer.wrong_golden() == 0
    golden = layer.golden if group is None else layer.golden * layer.w_scale.T
    real = (golden if group is None else golden.sum(axis=2)) * layer.x_scale[:, None]
    real = real * layer.w_scale if group is None else real
    np.testing.assert_allclose(real, x @ w, atol=0.1)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"x": CHANNEL}, "Activation scales must be per tensor, token or group, not channel"),
        ({"w": TOKEN}, "Weight scales must be per tensor, channel or group, not token"),
        ({"w": GROUP}, "Group length must be given exactly if"),
        ({"group": 32}, "Group length must be given exactly if"),
        ({"x": GROUP, "group": 0}, "Group length must be at least 1, not 0"),
    ],
)
def test_granularities_that_no_integer_product_has_are_refused(
    choice: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        W8A8(**choice)

from typing import Any

import numpy as np
import pytest

from bitweight.workloads import Granularity, Layer
from bitweight.workloads.formats import INT4, UINT8, IntFormat

X = np.arange(-6, 6).reshape(3, 4)
W = np.arange(-10, 10).reshape(4, 5)


def test_a_layer_of_arrays_shows_sizes_formats_and_values() -> None:
    layer = Layer.from_arrays("a", X, W, x_scale=[1.0, 2.0, 3.0], w_scale=0.5)
    assert (layer.m, layer.n, layer.k, layer.groups) == (3, 5, 4, 1)
    assert layer.gemm.macs == 60
    np.testing.assert_array_equal(layer.x, X)
    np.testing.assert_array_equal(layer.w, W)
    np.testing.assert_array_equal(layer.x_slice(slice(1, 3), slice(2, 4)), X[1:3, 2:4])
    np.testing.assert_array_equal(layer.w_slice(slice(1, 3), slice(2, 5)), W[1:3, 2:5])
    assert layer.x.dtype == np.int8
    assert layer.x_granularity is Granularity.TOKEN
    assert layer.w_granularity is Granularity.TENSOR
    assert layer.golden is None
    assert layer.wrong_golden() is None


def test_golden_is_per_group_where_there_is_a_group() -> None:
    parts = np.stack([X[:, :3] @ W[:3], X[:, 3:] @ W[3:]], axis=2)
    layer = Layer.from_arrays("a", X, W, group=3, w_scale=np.ones((2, 5)), golden=parts)
    assert layer.w_granularity is Granularity.GROUP
    np.testing.assert_array_equal(layer.golden, parts)
    assert layer.golden.dtype == np.int64
    assert layer.wrong_golden() == 0


def test_zero_points_are_taken_off_golden() -> None:
    layer = Layer.from_arrays(
        "a",
        X + 100,
        W,
        x_format=UINT8,
        x_zero_point=100,
        golden=X @ W,
        w_zero_point=np.zeros(5, int),
    )
    assert layer.wrong_golden() == 0
    assert layer.x_zero_point.tolist() == 100
    assert layer.w_zero_point.shape == (5,)


def test_each_wrong_golden_value_is_counted() -> None:
    golden = X @ W
    golden[0, 0] += 1
    golden[2, 4] -= 7
    assert Layer.from_arrays("a", X, W, golden=golden).wrong_golden() == 2


def test_golden_wraps_to_the_accumulator() -> None:
    x, w = np.full((1, 9), 127), np.full((9, 1), 127)
    wrapped = 9 * 127 * 127 - 2 * 65536
    assert Layer.from_arrays("a", x, w, golden=[[wrapped]], acc_bits=16).wrong_golden() == 0


def test_wide_codes_are_stored_in_sixteen_bits() -> None:
    wide = IntFormat(width=9)
    assert Layer.from_arrays("a", X, W, x_format=wide).x.dtype == np.int16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": X * 30}, r"a\.x must be int8 codes, -128 to 127, not -180 to 150"),
        ({"w_format": INT4}, r"a\.w must be int4 codes, -8 to 7, not -10 to 9"),
        ({"x": X * 1.0}, r"a\.x must be integers, not float64"),
        ({"x": X[0]}, r"a\.x must have two axes, not shape \(4,\)"),
        ({"w": W[:3]}, r"a: w must have as many rows as x columns \(4\), not 3"),
        ({"w": W[:, :0]}, "size n must be 1 to .*, not 0"),
        ({"x_scale": np.ones(4)}, r"a\.x_scale must have shape \(\) or \(3,\), not \(4,\)"),
        ({"w_scale": np.ones((2, 5))}, r"a\.w_scale must have shape .* not \(2, 5\)"),
        ({"x_zero_point": [0] * 4}, r"a\.x_zp must have shape \(\) or \(3,\), not \(4,\)"),
        ({"w_zero_point": [[0]]}, r"a\.w_zp must have shape \(\) or \(5,\), not \(1, 1\)"),
        ({"group": 5}, r"a: group must be 1 to k \(4\), not 5"),
        ({"golden": np.zeros((5, 3), int)}, r"a\.acc must have shape \(3, 5\), not \(5, 3\)"),
        ({"golden": np.zeros((3, 5))}, r"a\.acc must be integers of 32 bits"),
        ({"golden": np.full((3, 5), 2**31)}, r"a\.acc must be integers of 32 bits"),
        ({"acc_bits": 65}, "accumulator must be 2 to 64 bits, not 65"),
        ({"x_zero_point": 0.5}, r"a\.x_zp must be integers, not float64"),
    ],
)
def test_what_makes_no_layer_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layer.from_arrays(**{"name": "a", "x": X, "w": W, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_scale": [1, np.inf, 1]}, r"a\.x_scale must be finite, not inf"),
        ({"w_scale": np.nan}, r"a\.w_scale must be finite, not nan"),
        ({"x_zero_point": 128}, r"a\.x_zp must be int8 codes, -128 to 127, not 128 to 128"),
    ],
)
def test_check_reads_every_scale_and_zero_point(changes: dict[str, Any], message: str) -> None:
    layer = Layer.from_arrays("a", X, W, **changes)
    with pytest.raises(ValueError, match=message):
        layer.check()

"""Real values against arithmetic on one element at a time."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.workloads import FORMATS, Layer, Operand, PackedLayer
from bitweight.workloads.exact import exact_product
from bitweight.workloads.formats import INT8
from bitweight.workloads.layer_operand import storage_dtype
from bitweight.workloads.quantize import encode
from bitweight.workloads.real_values import real_activations, real_outputs, real_weights
from bitweight.workloads.tensors import ArrayTensor

Part = NDArray[Any] | None


@st.composite
def operands(draw: st.DrawFn, name: str, rows: int, k: int, groups: int, *, w: bool) -> Operand:
    """Draw codes with any parts; ``w`` turns all of them round."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def part(values: Any) -> ArrayTensor | None:
        shapes: list[tuple[int, ...] | None] = [None, (), (rows,), (rows, groups)]
        shape = draw(st.sampled_from(shapes if groups > 1 else shapes[:3]))
        if shape is None:
            return None
        drawn = np.asarray(values(shape))
        return ArrayTensor(drawn.T if w else drawn)

    codes = rng.integers(-128, 128, (rows, k)).astype(storage_dtype(INT8))
    return Operand(
        name=name,
        codes=ArrayTensor(codes.T if w else codes),
        format=INT8,
        scale=part(lambda shape: rng.normal(size=shape).astype(np.float32)),
        zero_point=part(lambda shape: rng.integers(-9, 9, shape)),
        minimum=part(lambda shape: rng.normal(size=shape).astype(np.float32)),
    )


def one(part: Part, row: int, group: int, default: float) -> float:
    if part is None:
        return default
    return float(part if part.ndim == 0 else part[row] if part.ndim == 1 else part[row, group])


def by_hand(operand: Operand, group: int, *, w: bool) -> NDArray[np.float64]:
    """Return values, shape (rows, k), one Python float after another."""
    everything = slice(None)
    codes = operand.read_codes(everything, everything)
    parts = (operand.read_scale(), operand.read_zero_point(), operand.read_minimum())
    scale, zero, minimum = (part.T if w and part is not None else part for part in parts)
    turned = codes.T if w else codes
    return np.array(
        [
            [
                one(scale, i, j // group, 1) * (int(code) - one(zero, i, j // group, 0))
                + one(minimum, i, j // group, 0)
                for j, code in enumerate(row)
            ]
            for i, row in enumerate(turned)
        ]
    )


@given(data=st.data())
def test_values_are_scale_times_code_less_zero_point_plus_minimum(data: st.DataObject) -> None:
    m, n, k = (data.draw(st.integers(1, 5)) for _ in range(3))
    group = data.draw(st.none() | st.integers(1, k))
    groups = 1 if group is None else -(-k // group)
    x = data.draw(operands("a.x", m, k, groups, w=False))
    w = data.draw(operands("a.w", n, k, groups, w=True))
    layer = Layer(name="a", x_operand=x, w_operand=w, group=group)
    np.testing.assert_array_equal(real_activations(layer), by_hand(x, group or k, w=False))
    np.testing.assert_array_equal(real_weights(layer), by_hand(w, group or k, w=True).T)


@given(data=st.data())
def test_outputs_of_a_packed_layer_are_activations_times_weights(data: st.DataObject) -> None:
    m, n, k = (data.draw(st.integers(1, 5)) for _ in range(3))
    x = data.draw(operands("a.x", m, k, 1, w=False))
    form = FORMATS["int8"]
    weights = encode(form, np.random.default_rng(k).normal(0, 1, (k, n)))
    layer = PackedLayer.from_arrays("a", x, weights)
    sums = exact_product(layer.x, form.unpack(weights))[:, :, None, None]
    expected = real_activations(layer) @ weights.dequantise()
    np.testing.assert_allclose(real_outputs(layer, sums), expected, rtol=1e-9, atol=1e-9)

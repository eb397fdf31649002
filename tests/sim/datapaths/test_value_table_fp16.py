from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.datapaths.value_table_fp16 import (
    Fp16ValueTableSpec,
    fp16_outputs,
    fp16_weights,
)
from bitweight.workloads.formats.value_table import NF2, NF3, NF4, ValueTable
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize import encode

HALF, SINGLE = (10, -14), (23, -126)


def rounded(value: Fraction, kind: tuple[int, int]) -> Fraction:
    """Round to nearest even with so many fraction bits above a least exponent."""
    bits, least = kind
    if value == 0:
        return value
    exponent = 0
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    step = Fraction(2) ** (max(exponent, least) - bits)
    return round(value / step) * step


@st.composite
def layers(draw: st.DrawFn) -> tuple[ValueTable, PackedWeights, np.ndarray]:
    """Draw a format, weights and fp16 activations."""
    form = ValueTable(
        table=draw(st.sampled_from([NF2, NF3, NF4])), group=draw(st.sampled_from([4, 16]))
    )
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    k = draw(st.integers(1, 40))
    scale = draw(st.sampled_from([1e-6, 0.02, 50.0]))
    packed = encode(form, rng.normal(0, scale, (k, 2)))
    return form, packed, rng.normal(0, 3, (2, k)).astype(np.float16)


@given(layer=layers(), splits=st.integers(1, 5))
def test_every_rounding_happens_where_the_page_says(
    layer: tuple[ValueTable, PackedWeights, np.ndarray], splits: int
) -> None:
    form, packed, x = layer
    outputs = fp16_outputs(Fp16ValueTableSpec(format=form, splits=splits), x, packed)
    codes, k = form.unpack(packed), packed.k
    run = -(-k // splits)
    for (row, column), found in np.ndenumerate(outputs):
        total = Fraction(0)
        for start in range(0, k, run):
            acc = Fraction(0)
            for i in range(start, min(k, start + run)):
                value = Fraction(float(np.float16(form.table[codes[i, column]])))
                scale = Fraction(float(packed.scales["scale"][column, i // form.group]))
                weight = rounded(value * scale, HALF)
                acc = rounded(acc + Fraction(float(x[row, i])) * weight, SINGLE)
            total = rounded(total + rounded(acc, HALF), HALF)
        assert Fraction(float(found)) == total


def test_small_products_survive_only_ahead_of_great_ones() -> None:
    form = ValueTable(table=(-1.0, 0.0, 0.5, 1.0), group=6)
    packed = form.pack(np.array([[3]] * 5 + [[0]]), np.ones((1, 1), np.float16))
    # Beside 8192 a float32 has steps of 2**-10: one of these is lost, four first are one step.
    great_first = np.array([[8192, 2**-12, 2**-12, 2**-12, 2**-12, 8192]], np.float16)
    small_first = great_first[:, [1, 2, 3, 4, 0, 5]]
    spec = Fp16ValueTableSpec(format=form)
    assert fp16_outputs(spec, great_first, packed)[0, 0] == 0
    assert fp16_outputs(spec, small_first, packed)[0, 0] == 2**-10


def test_weights_are_rounded_once() -> None:
    form = ValueTable()
    packed = form.pack(np.array([[14]] * 4), np.array([[0.3]], np.float16))
    value, scale = Fraction(float(np.float16(NF4[14]))), Fraction(float(np.float16(0.3)))
    assert Fraction(float(fp16_weights(packed, form)[0, 0])) == rounded(value * scale, HALF)


def test_sums_beyond_fp16_become_infinite() -> None:
    form = ValueTable(group=4)
    packed = form.pack(np.full((4, 1), 15), np.full((1, 1), 100, np.float16))
    outputs = fp16_outputs(
        Fp16ValueTableSpec(format=form), np.full((1, 4), 60000, np.float16), packed
    )
    assert outputs[0, 0] == np.inf


def test_wrong_operands_are_refused() -> None:
    form = ValueTable(group=4)
    spec, packed = Fp16ValueTableSpec(format=form), encode(form, np.ones((4, 1)))
    with pytest.raises(TypeError, match="Activations must be float16, not float32"):
        fp16_outputs(spec, np.ones((1, 4), np.float32), packed)
    with pytest.raises(ValueError, match=r"Activations must have shape \(m, 4\), not \(1, 5\)"):
        fp16_outputs(spec, np.ones((1, 5), np.float16), packed)
    with pytest.raises(TypeError, match="Weights must be ValueTable"):
        fp16_outputs(Fp16ValueTableSpec(format=ValueTable()), np.ones((1, 4), np.float16), packed)
    with pytest.raises(ValueError, match="Splits must be at least 1, not 0"):
        Fp16ValueTableSpec(format=form, splits=0)

"""Oracle: one fp16 scalar at a time, in the order that the module states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.datapath import draw
from bitweight.sim.datapaths.exponent_add import ExponentForm
from bitweight.sim.datapaths.fp16_tables import fp16_tables
from bitweight.sim.datapaths.shift_add import ShiftAddSpec
from bitweight.sim.datapaths.shift_add_fp16 import (
    Fp16ShiftAddSpec,
    form_differences,
    fp16_shift_add_outputs,
)
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.formats.shift_add import NO_TERM, ShiftAdd
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize import encode
from bitweight.workloads.trace import Trace

half = np.float16


def shifted(form: ExponentForm, value: np.float16, power: int) -> np.float16:
    if power == NO_TERM:
        return half(0)
    if form is ExponentForm.AS_PUBLISHED:
        return np.array((int(value.view(np.uint16)) + power * 1024) % 65536, np.uint16).view(half)
    exact = float(value) * 2.0**power if np.isfinite(value) else float(value)
    return half(max(-65504.0, min(65504.0, exact))) if np.isfinite(value) else value


def one_output(
    spec: Fp16ShiftAddSpec, x: np.ndarray, packed: PackedWeights, row: int, column: int
) -> np.float16:
    tables = fp16_tables(x, spec.tile)[row]
    signs = spec.format.unpack(packed)[:, :, column]
    signs = np.pad(signs, ((0, 0), (0, -packed.k % 8)))
    keys = (signs.reshape(spec.format.bits, -1, 8) > 0) @ (1 << np.arange(8))
    out = half(0)
    for first in range(0, len(tables), spec.tile // 8):
        total = half(0)
        for plane in range(spec.format.bits):
            signed = half(0)
            for key in range(first, min(first + spec.tile // 8, keys.shape[1])):
                powers = packed.side["exponents"][key, plane, column * 8 // packed.n]
                entry = tables[key, keys[plane, key]]
                terms = [shifted(spec.form, entry, int(power)) for power in powers]
                added = terms[0]
                for term in terms[1:]:
                    added = half(added + term)
                signed = half(signed + added)
            total = half(total + signed)
        out = half(out + total)
    return out


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the published form makes infinities
@given(
    bits=st.integers(1, 3),
    terms=st.sampled_from([1, 3]),
    form=st.sampled_from(ExponentForm),
    k=st.integers(1, 70),
    seed=st.integers(0, 99),
)
def test_outputs_are_rounded_in_the_stated_order(
    bits: int, terms: int, form: ExponentForm, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spec = Fp16ShiftAddSpec(format=ShiftAdd(bits=bits, terms=terms), form=form)
    exponents = rng.integers(-14, 1, (-(-k // 8), bits, 8, terms))
    exponents[rng.random(exponents.shape) < 0.1] = NO_TERM
    packed = spec.format.pack(rng.choice([-1, 1], (bits, k, 16)), exponents.astype(np.int8))
    x = (rng.normal(0, 1, (2, k)) * 2.0 ** rng.integers(-8, 8, (2, k))).astype(half)
    outputs = fp16_shift_add_outputs(spec, x, packed)
    for column in (0, 9, 15):
        found, wanted = outputs[1, column], one_output(spec, x, packed, 1, column)
        assert found.tobytes() == wanted.tobytes() or (np.isnan(found) and np.isnan(wanted))


@pytest.mark.parametrize(("terms", "guarded_error"), [(1, 1e-3), (3, 2e-3)])
def test_the_unchecked_form_spoils_a_real_layer_and_the_guarded_one_does_not(
    terms: int, guarded_error: float
) -> None:
    layer = Trace.example().layers[0]
    assert layer.x_scale is not None
    assert layer.w_scale is not None
    x = (layer.x * layer.x_scale.reshape(-1, 1)).astype(half)
    packed = encode(ShiftAdd(terms=terms), layer.w * layer.w_scale.astype(np.float64))
    found = form_differences(x, packed)
    assert found.outputs == 27 * 320
    # One sign of 8 inputs, 3 planes, 576 / 8 keys; a few scales lack their last terms.
    assert 0.99 * terms <= found.shifts / (27 * 320 * 72 * 3) <= terms
    assert found.zeros > 0.02 * found.shifts
    assert min(found.subnormals, found.underflows) > 0
    assert found.overflows == 0
    assert found.wrong_outputs > 0.95 * found.outputs
    assert found.not_finite > 0.6 * found.outputs
    exact = x.astype(float) @ packed.dequantise()
    guarded = fp16_shift_add_outputs(Fp16ShiftAddSpec(format=packed.format), x, packed)
    assert np.linalg.norm(guarded - exact) < guarded_error * np.linalg.norm(exact)


def test_forms_agree_while_no_exponent_leaves_its_field() -> None:
    rng = np.random.default_rng(0)
    form = ShiftAdd(bits=2, terms=3)
    exponents = rng.integers(-2, 3, (4, 2, 8, 3)).astype(np.int8)
    packed = form.pack(rng.choice([-1, 1], (2, 32, 8)), exponents)
    # Odd multiples of 1/2: no signed sum of seven and an eighth of another size is 0.
    x = np.full((1, 32), 0.5, half)
    x[:, ::8] = 8.5
    found = form_differences(x, packed)
    assert found.shifts == 4 * 2 * 3 * 8
    assert (found.zeros, found.subnormals, found.underflows, found.overflows) == (0, 0, 0, 0)
    assert (found.wrong_outputs, found.not_finite) == (0, 0)


def test_every_cause_is_counted_apart() -> None:
    form = ShiftAdd(bits=1, terms=1, span=30)
    exponents = np.array([-20, 10], np.int8).repeat(4).reshape(1, 1, 8, 1)
    packed = form.pack(np.ones((1, 8, 8), int), exponents)
    for value, cause, outputs in (
        (0.0, "zeros", 8),
        (2.0**-20, "subnormals", 8),
        (1.0, "underflows", 4),
        (4096.0, "overflows", 4),
    ):
        x = np.zeros((1, 8), half)
        x[0, 0] = value
        found = form_differences(x, packed)
        counts = {name: getattr(found, name) for name in ("zeros", "subnormals", "underflows")}
        counts["overflows"] = found.overflows
        assert counts == dict.fromkeys(counts, 0) | {cause: outputs}, value
        assert found.wrong_outputs == outputs


def test_wrong_input_gives_one_clear_line() -> None:
    packed = draw(ShiftAddSpec(), np.random.default_rng(0), k=32, n=8)
    with pytest.raises(TypeError, match="Activations must be float16, not float64"):
        fp16_shift_add_outputs(Fp16ShiftAddSpec(), np.zeros((1, 32)), packed)  # type: ignore[arg-type]
    other = encode(Bcq(), np.ones((8, 1)))
    with pytest.raises(TypeError, match="Weights must be in a shift-add format, not Bcq"):
        form_differences(np.zeros((1, 8), half), other)
    with pytest.raises(ValueError, match="Tile must be 32, 64, 128 or 256 inputs, not 8"):
        Fp16ShiftAddSpec(tile=8)

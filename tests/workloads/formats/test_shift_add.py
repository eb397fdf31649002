import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.shift_add import NO_TERM, ShiftAdd, least_exponent
from bitweight.workloads.packed_weights import PackedWeights, apply_scales
from bitweight.workloads.weight_formats import FORMATS

forms = st.builds(
    ShiftAdd, bits=st.integers(1, 4), terms=st.sampled_from([1, 3]), span=st.integers(0, 30)
)


def drawn(form: ShiftAdd, k: int, n: int, seed: int = 0) -> PackedWeights:
    rng = np.random.default_rng(seed)
    least = int(rng.integers(-40, 20))
    shape = (-(-k // 8), form.bits, 8, form.terms)
    exponents = rng.integers(least, least + form.span + 1, shape)
    exponents[rng.random(shape) < 0.2] = NO_TERM
    return form.pack(rng.choice([-1, 1], (form.bits, k, n)), exponents.astype(np.int8))


@given(form=forms, k=st.integers(1, 70), blocks=st.integers(1, 3), seed=st.integers(0, 99))
def test_codes_survive_packing_and_their_bytes_are_the_formulas(
    form: ShiftAdd, k: int, blocks: int, seed: int
) -> None:
    packed = drawn(form, k, 8 * blocks, seed)
    again = form.pack(form.unpack(packed), packed.side["exponents"])
    assert np.array_equal(again.words, packed.words)
    stored = form.bits_per_weight(k=k, n=8 * blocks) * k * 8 * blocks
    assert packed.bytes * 8 == pytest.approx(stored, rel=1e-12)


@given(form=forms, k=st.integers(1, 40), seed=st.integers(0, 99))
def test_weights_are_integers_in_units_of_the_least_exponent(
    form: ShiftAdd, k: int, seed: int
) -> None:
    packed = drawn(form, k, 16, seed)
    x = np.random.default_rng(seed).integers(-128, 128, (2, k))
    whole = packed.dequantise() * 2.0 ** -least_exponent(packed)
    assert np.array_equal(whole, np.rint(whole))
    partials = (x @ whole.astype(np.int64))[:, :, None, None]
    assert np.array_equal(apply_scales(partials, packed), x @ packed.dequantise())


def test_a_key_of_inputs_and_an_eighth_of_the_outputs_share_a_scale() -> None:
    form = ShiftAdd(bits=2, terms=3)
    exponents = np.full((2, 2, 8, 3), NO_TERM, np.int8)
    exponents[1, 0, 3] = (0, -1, -3)
    exponents[1, 1, 3] = (-2, NO_TERM, NO_TERM)
    signs = np.ones((2, 10, 24), np.int64)
    signs[1, 9, 10] = -1
    wanted = np.zeros((10, 24))
    wanted[8:, 9:12] = 1 + 0.5 + 0.125 + 0.25
    wanted[9, 10] -= 0.5
    assert np.array_equal(form.pack(signs, exponents).dequantise(), wanted)


@pytest.mark.parametrize(
    ("bits", "terms", "n", "stored"), [(3, 3, 4096, 3 + 72 / 4096), (2, 1, 1024, 2 + 16 / 1024)]
)
def test_storage_is_the_published_formula(bits: int, terms: int, n: int, stored: float) -> None:
    assert ShiftAdd(bits=bits, terms=terms).bits_per_weight(k=512, n=n) == stored


def test_named_formats_have_two_to_four_bits_and_three_terms() -> None:
    assert [FORMATS[f"shift_add{bits}"] for bits in (2, 3, 4)] == [
        ShiftAdd(bits=bits, terms=3) for bits in (2, 3, 4)
    ]


def test_a_layer_without_terms_is_zero() -> None:
    form = ShiftAdd(bits=1, terms=1)
    packed = form.pack(np.ones((1, 8, 8), int), np.full((1, 1, 8, 1), NO_TERM, np.int8))
    assert least_exponent(packed) == 0
    assert not packed.dequantise().any()


def test_wrong_input_gives_one_clear_line() -> None:
    with pytest.raises(ValueError, match="Shift-add codes must have 1 to 4 bits, not 5"):
        ShiftAdd(bits=5)
    with pytest.raises(ValueError, match="Shift-add scales must have 1 or 3 terms, not 2"):
        ShiftAdd(terms=2)
    with pytest.raises(ValueError, match="Exponent span must be 0 to 30, not 31"):
        ShiftAdd(span=31)
    form = ShiftAdd(bits=1, terms=1)
    with pytest.raises(ValueError, match="must have a multiple of 8 outputs, not 12"):
        form.bits_per_weight(k=8, n=12)
    packed = drawn(form, 20, 8)
    with pytest.raises(ValueError, match="shift_add1 words must hold 0 in the bits past k = 20"):
        dataclasses.replace(packed, words=packed.words | np.uint32(1 << 20))
    wide = np.full((3, 1, 8, 1), -9, np.int8)
    wide[0, 0, 0] = 6
    with pytest.raises(ValueError, match=r"must span at most 14, not 15 \(-9 to 6\)"):
        dataclasses.replace(packed, side={"exponents": wide})

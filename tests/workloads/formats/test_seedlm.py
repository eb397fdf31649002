import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.lfsr import states
from bitweight.workloads.formats.seedlm import SEEDLM3, SEEDLM4, Seedlm, SeedlmCodes
from bitweight.workloads.packed_weights import PackedWeights, apply_scales
from bitweight.workloads.weight_formats import FORMATS


@st.composite
def packed_cases(draw: st.DrawFn) -> tuple[PackedWeights, SeedlmCodes]:
    """Draw a format, a matrix size and codes of all its blocks; return them packed too."""
    block = draw(st.integers(1, 13))
    form = Seedlm(
        block=block,
        latent=draw(st.integers(1, min(block, 5))),
        lfsr_length=draw(st.integers(2, 24)),
        row_aligned=draw(st.booleans()),
    )
    k, n = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    count = n * -(-k // block) if form.row_aligned else -(-k * n // block)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    codes = SeedlmCodes(
        rng.integers(1, 1 << form.lfsr_length, count),
        rng.integers(-8, 8, count),
        rng.integers(-8, 8, (count, form.latent)),
    )
    return form.pack(codes, k=k, n=n), codes


def form_of(packed: PackedWeights) -> Seedlm:
    assert isinstance(packed.format, Seedlm)
    return packed.format


@given(case=packed_cases())
def test_packing_keeps_every_code(case: tuple[PackedWeights, SeedlmCodes]) -> None:
    packed, codes = case
    for found, wanted in zip(form_of(packed).unpack(packed), codes, strict=True):
        np.testing.assert_array_equal(found, wanted)


@given(case=packed_cases())
def test_bits_by_formula_are_the_bytes_held(case: tuple[PackedWeights, SeedlmCodes]) -> None:
    packed, _ = case
    bits = packed.format.bits_per_weight(k=packed.k, n=packed.n)
    assert packed.bytes * 8 == round(bits * packed.k * packed.n, 6)


@given(case=packed_cases())
def test_a_weight_is_its_states_times_the_coefficients(
    case: tuple[PackedWeights, SeedlmCodes],
) -> None:
    packed, codes = case
    form, w = form_of(packed), packed.dequantise()
    half = 1 << (form.lfsr_length - 1)
    blocks_per_row = -(-packed.k // form.block)
    for row in range(packed.n):
        for col in range(packed.k):
            at = row * packed.k + col
            block, c = at // form.block, at % form.block
            if form.row_aligned:
                block, c = row * blocks_per_row + col // form.block, col % form.block
            sequence = states(
                codes.seeds[block], length=form.lfsr_length, count=form.block * form.latent
            ).tolist()
            used = sequence[c * form.latent : (c + 1) * form.latent]
            q = codes.coefficients[block].tolist()
            total = sum((v - half) * q_p for v, q_p in zip(used, q, strict=True))
            exact = Fraction(total, half - 1) * Fraction(2) ** int(codes.exponents[block])
            assert w[col, row] == float(exact)


@given(case=packed_cases(), seed=st.integers(0, 99))
def test_scaled_integer_sums_are_the_products_with_the_weights(
    case: tuple[PackedWeights, SeedlmCodes], seed: int
) -> None:
    packed, _ = case
    w = packed.dequantise()
    x = np.random.default_rng(seed).integers(-128, 128, (3, packed.k))
    integers = np.rint(w * form_of(packed).divisor * 256).astype(np.int64)
    found = apply_scales((x @ integers)[:, :, None, None], packed)
    np.testing.assert_allclose(found, x @ w, rtol=1e-12, atol=1e-9)


def test_a_word_holds_seed_exponent_and_coefficients_from_bit_0_up() -> None:
    codes = SeedlmCodes(np.array([0x1234]), np.array([-3]), np.array([[5, -3, 7]]))
    packed = SEEDLM4.pack(codes, k=8, n=1)
    assert packed.words.tobytes() == (0x7D551234).to_bytes(4, "little")


def test_words_of_36_bits_form_one_stream() -> None:
    codes = SeedlmCodes(
        np.array([0x1234, 0xBEEF]), np.array([7, -8]), np.array([[1, 2, 3, 4], [-1, -2, -3, -4]])
    )
    packed = SEEDLM3.pack(codes, k=12, n=2)
    assert packed.words.tobytes() == (0xCDEF0BEEF4321F1234).to_bytes(9, "little")


def test_a_row_aligned_stream_pads_each_output_to_bytes() -> None:
    codes = SeedlmCodes(
        np.array([0x1234, 0xBEEF]), np.array([7, -8]), np.array([[1, 2, 3, 4], [-1, -2, -3, -4]])
    )
    packed = Seedlm(block=12, latent=4, row_aligned=True).pack(codes, k=12, n=2)
    assert [row.tobytes().hex() for row in packed.words] == ["34121f3204", "efbef0de0c"]


def test_the_reference_vector_decodes_to_its_sums() -> None:
    codes = SeedlmCodes(np.array([0x1234]), np.array([0]), np.array([[5, -3, 7]]))
    sums = SEEDLM4.pack(codes, k=8, n=1).dequantise()[:, 0] * 32767
    wanted = [-110651, 145908, 46909, -22811, 181466, 239771, 42255, -80742]
    np.testing.assert_allclose(sums, wanted, rtol=1e-15)


def test_the_papers_example_of_a_matrix() -> None:
    form = Seedlm(block=4, latent=2, lfsr_length=3)
    columns = []
    for q in ([1, 0], [0, 1]):
        codes = SeedlmCodes(np.array([4]), np.array([0]), np.array([q]))
        columns.append(form.pack(codes, k=4, n=1).dequantise()[:, 0])
    v = np.array([[2, 5], [6, 7], [3, 1], [4, 2]])
    np.testing.assert_array_equal(np.stack(columns, axis=1), (v - 4) / 3)


def test_the_published_blocks_have_4_and_3_bits_per_weight() -> None:
    assert FORMATS["seedlm4"].bits_per_weight(k=576, n=576) == 4
    assert FORMATS["seedlm3"].bits_per_weight(k=576, n=576) == 3


def test_seed_zero_is_refused() -> None:
    codes = SeedlmCodes(np.array([1, 0]), np.zeros(2, int), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="seedlm4 words must hold seeds 1 to 65535, not 0"):
        SEEDLM4.pack(codes, k=8, n=2)


def test_words_must_fill_the_matrix() -> None:
    with pytest.raises(ValueError, match=re.escape("words must have shape (8,), not (7,)")):
        PackedWeights(format=SEEDLM4, k=16, n=1, words=np.ones(7, np.uint8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lfsr_length": 25}, "LFSR length must be 2 to 24 bits, not 25"),
        ({"latent": 9}, "Coefficients of a block must number 1 to 8 (its weights), not 9"),
        ({"latent": 0}, "Coefficients of a block must number 1 to 8 (its weights), not 0"),
        ({"block": 12, "latent": 12}, "SeedLM word must have at most 62 bits, not 68"),
    ],
)
def test_impossible_blocks_are_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Seedlm(**{"block": 8, "latent": 3, **fields})

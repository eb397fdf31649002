"""Oracles: every seed scored one after another with numpy's LAPACK, and the published errors."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from bitweight.workloads.formats.lfsr import states
from bitweight.workloads.formats.seedlm import SEEDLM3, SEEDLM4, ExponentRule, Seedlm
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize import encode
from bitweight.workloads.quantize.seedlm_search import factorise

HEADROOM = {ExponentRule.FULL_RANGE: 2, ExponentRule.LITERAL: 0}


def matrices_of(form: Seedlm) -> NDArray[np.int64]:
    seeds = np.arange(1, 1 << form.lfsr_length)
    sequence = states(seeds, length=form.lfsr_length, count=form.block * form.latent)
    return sequence.reshape(-1, form.block, form.latent) - (1 << (form.lfsr_length - 1))


def least_error(form: Seedlm, w: NDArray[np.float64]) -> float:
    """Return the least squared error of one block over all seeds, by definition."""
    u = matrices_of(form) / form.divisor
    t = np.linalg.pinv(u, rcond=1e-9) @ w
    greatest = np.abs(t).max(axis=1)
    floor = [math.floor(math.log2(value)) if value else -99 for value in greatest.tolist()]
    e = np.clip(np.array(floor) - HEADROOM[form.exponent_rule], -8, 7)[:, None]
    q = np.clip(np.rint(t * 2.0**-e), -8, 7)
    rest = w - (u @ (q * 2.0**e)[:, :, None])[:, :, 0]
    return float((rest * rest).sum(axis=1).min())


def errors_of(packed: PackedWeights, w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared error of every block."""
    assert isinstance(packed.format, Seedlm)
    rest = packed.format.to_blocks(w - packed.dequantise())
    return (rest * rest).sum(axis=1)


SCALES = [1e-4, 7e-4, 2e-3, 0.02, 0.3, 20.0, 500.0]


@pytest.mark.slow
@settings(max_examples=15)
@given(
    form=st.sampled_from([SEEDLM4, SEEDLM3]),
    rule=st.sampled_from(ExponentRule),
    seed=st.integers(0, 999),
    scale=st.sampled_from(SCALES),
)
def test_no_seed_has_a_lower_error_than_the_one_chosen(
    form: Seedlm, rule: ExponentRule, seed: int, scale: float
) -> None:
    form = dataclasses.replace(form, exponent_rule=rule)
    w = np.random.default_rng(seed).normal(0, scale, (form.block, 2)).clip(-3000, 3000)
    w[1::3, 1] = 0
    errors = errors_of(encode(form, w), w)
    np.testing.assert_allclose(errors, [least_error(form, block) for block in w.T], rtol=1e-9)


@settings(max_examples=20)
@given(
    length=st.integers(4, 9),
    block=st.integers(1, 6),
    seed=st.integers(0, 999),
    scale=st.sampled_from([0.003, 0.1, 4.0]),
)
def test_short_registers_are_searched_wholly_too(
    length: int, block: int, seed: int, scale: float
) -> None:
    form = Seedlm(block=block, latent=min(block, 3), lfsr_length=length, row_aligned=True)
    # Dependent columns have many least-squares solutions, which rounding makes differ.
    ranks = np.linalg.matrix_rank(matrices_of(form).astype(float), rtol=1e-9)
    assume((ranks == form.latent).all())
    w = np.random.default_rng(seed).normal(0, scale, (block, 3))
    wanted = [least_error(form, column) for column in w.T]
    np.testing.assert_allclose(errors_of(encode(form, w), w), wanted, rtol=1e-9, atol=1e-30)


def test_a_column_that_depends_on_the_ones_before_takes_no_coefficient() -> None:
    # Two bits have a period of three states: all rows of a matrix are the same.
    form = Seedlm(block=6, latent=3, lfsr_length=2)
    packed = encode(form, np.full((6, 1), -0.75))
    assert np.count_nonzero(form.unpack(packed).coefficients) == 1
    np.testing.assert_array_equal(packed.dequantise(), -0.75)


@settings(max_examples=5)
@given(form=st.sampled_from([SEEDLM4, SEEDLM3]), data=st.data())
def test_weights_that_a_word_holds_exactly_come_back(form: Seedlm, data: st.DataObject) -> None:
    seed = data.draw(st.integers(1, 65535))
    q = data.draw(
        npst.arrays(np.int64, form.latent, elements=st.integers(-7, 7)).filter(
            # Just below 4, t would take the exponent below.
            lambda codes: abs(codes).max() > 4
        )
    )
    e = data.draw(st.integers(-8, 7))
    w = (matrices_of(form)[seed - 1] @ q / form.divisor * 2.0**e)[:, None]
    assert errors_of(encode(form, w), w)[0] <= 1e-24 * (w * w).sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "rule", "published"),
    [
        (SEEDLM4, ExponentRule.FULL_RANGE, 0.123),
        (SEEDLM3, ExponentRule.FULL_RANGE, 0.225),
        (SEEDLM4, ExponentRule.LITERAL, 0.191),
        (SEEDLM3, ExponentRule.LITERAL, 0.303),
    ],
)
def test_normal_weights_have_the_known_error(
    form: Seedlm, rule: ExponentRule, published: float
) -> None:
    form = dataclasses.replace(form, exponent_rule=rule)
    w = np.random.default_rng(1).normal(0, 0.02, (form.block * 50, 52))  # 2,600 blocks
    rest = w - encode(form, w).dequantise()
    assert math.isclose(np.linalg.norm(rest) / np.linalg.norm(w), published, abs_tol=0.004)


@pytest.mark.parametrize("form", [SEEDLM4, SEEDLM3])
def test_inverses_are_those_of_the_singular_values_down_to_the_worst_matrix(form: Seedlm) -> None:
    centred = matrices_of(form)
    u = centred / form.divisor
    singular = np.linalg.svd(u, compute_uv=False)
    condition = singular[:, 0] / singular[:, -1]
    worst = np.argsort(condition)[-300:]
    assert condition.max() > 1e3
    inverses, reach, directions = factorise(centred[worst].astype(np.int32), form.divisor)
    wanted = np.linalg.pinv(u[worst])
    scale = np.linalg.norm(wanted, axis=(1, 2)) * condition[worst]
    assert (np.linalg.norm(inverses - wanted, axis=(1, 2)) / scale < 1e-14).all()
    np.testing.assert_allclose(reach, np.linalg.norm(wanted, axis=2).max(axis=1), rtol=1e-8)
    q = np.moveaxis(directions, 3, 1).reshape(-1, form.latent, form.block)[: len(worst)]
    np.testing.assert_allclose(np.moveaxis(q, 1, 2) @ q, u[worst] @ wanted, rtol=0, atol=1e-6)


def test_blocks_may_straddle_outputs_and_only_the_last_is_padded() -> None:
    w = np.random.default_rng(3).normal(0, 0.02, (5, 7))
    packed = encode(SEEDLM4, w)
    assert packed.words.shape == (-(-35 // 8) * 4,)
    assert np.linalg.norm(packed.dequantise() - w) < 0.25 * np.linalg.norm(w)
    flat = np.pad(w.T.reshape(-1), (0, 5))[:, None]
    np.testing.assert_array_equal(encode(SEEDLM4, flat).words, packed.words)


def test_row_aligned_outputs_are_encoded_apart() -> None:
    form = Seedlm(block=12, latent=4, row_aligned=True)
    w = np.random.default_rng(4).normal(0, 0.02, (30, 3))
    packed = encode(form, w)
    for j in range(3):
        alone = encode(form, w[:, j : j + 1])
        np.testing.assert_array_equal(alone.words[0], packed.words[j])


def test_zeros_take_the_least_exponent_and_seed_1() -> None:
    w = np.zeros((16, 2))
    w[8:, 1] = 1e-300  # too small for any step, and its square for a float
    seeds, exponents, coefficients = SEEDLM4.unpack(encode(SEEDLM4, w))
    assert seeds.tolist() == [1] * 4
    assert exponents.tolist() == [-8] * 4
    assert not coefficients.any()


def test_the_same_weights_give_the_same_bytes_in_any_company() -> None:
    w = np.random.default_rng(5).normal(0, 0.02, (8, 2060))
    whole = encode(SEEDLM4, w).words.reshape(-1, 4)
    assert np.array_equal(encode(SEEDLM4, w[:, 2040:]).words.reshape(-1, 4), whole[2040:])
    assert np.array_equal(encode(SEEDLM4, w).words.reshape(-1, 4), whole)


def test_progress_counts_every_step() -> None:
    seen: list[tuple[int, int]] = []
    encode(SEEDLM4, np.ones((8, 3)), on_done=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


def test_weights_beyond_every_word_are_refused() -> None:
    with pytest.raises(ValueError, match=r"seedlm4 weights must lie in -3072\.\.3072, not -4000"):
        encode(SEEDLM4, np.array([[1.0], [-4000.0]]))

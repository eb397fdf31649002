import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitweight.sim import DATAPATHS, cycles, run, simulate
from bitweight.sim.datapath import Operations, contribute, decode, draw, partials, prepare, units
from bitweight.sim.datapaths.seedlm import Generator, SeedlmSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8, IntFormat
from bitweight.workloads.formats.lfsr import states
from bitweight.workloads.formats.seedlm import SEEDLM3, SEEDLM4, Seedlm
from bitweight.workloads.packed_weights import apply_scales

WINDOW = SeedlmSpec()
REGISTER = SeedlmSpec(generator=Generator.REGISTER)


@st.composite
def specs(draw_from: st.DrawFn) -> SeedlmSpec:
    block = draw_from(st.integers(2, 13))
    latent = draw_from(st.integers(1, min(block, 5)))
    length = draw_from(st.integers(2, 24))
    return SeedlmSpec(
        a=draw_from(st.sampled_from([INT8, INT4, UINT8])),
        format=Seedlm(
            block=block,
            latent=latent,
            lfsr_length=length,
            row_aligned=draw_from(st.booleans()),
        ),
        generator=draw_from(st.sampled_from(Generator)),
        max_k=1 << 9,
    )


@settings(max_examples=30)
@given(spec=specs(), chunks=st.integers(1, 5), cut=st.integers(0, 12), seed=st.integers(0, 999))
def test_sums_are_dot_products_with_the_unpacked_codes(
    spec: SeedlmSpec, chunks: int, cut: int, seed: int
) -> None:
    block = spec.format.block
    k = chunks * block - (cut % block if spec.format.row_aligned else 0)
    rng = np.random.default_rng(seed)
    packed = draw(spec, rng, k=k, n=3)
    x = rng.integers(spec.a.min, spec.a.max + 1, (2, k))
    weights = integer_weights(spec.format, packed)
    found = partials(spec, x, packed)
    assert found.shape == (2, 3, 1, 1)
    for i in range(2):
        for j in range(3):
            wanted = sum(int(x[i, at]) * weights[j][at] for at in range(k))
            assert found[i, j, 0, 0] == wanted == by_parts(spec, x[i], packed, j)
    outputs = apply_scales(found, packed)
    np.testing.assert_allclose(outputs, x @ packed.dequantise(), rtol=1e-9, atol=1e-6)


def integer_weights(form: Seedlm, packed: Any) -> list[list[int]]:
    """Return S 2**(e + 8) of every output, from the codes as the format unpacks them."""
    codes = form.unpack(packed)
    half = 1 << (form.lfsr_length - 1)
    flat: list[int] = []
    for seed, e, q in zip(*codes, strict=True):
        count = form.block * form.latent
        sequence = states(seed, length=form.lfsr_length, count=count).tolist()
        for c in range(form.block):
            used = sequence[c * form.latent : (c + 1) * form.latent]
            flat.append(
                sum((v - half) * p for v, p in zip(used, q.tolist(), strict=True)) << int(e) + 8
            )
    step = len(flat) // packed.n if form.row_aligned else packed.k
    return [flat[j * step : j * step + packed.k] for j in range(packed.n)]


def by_parts(spec: Any, x: Any, packed: Any, output: int) -> int:
    """Add up what the parts make of the beats of one output."""
    words, total = units(spec, packed), 0
    for beat, places in enumerate(spec.walk.lane_k(packed.k)):
        row = prepare(spec, [int(x[at]) if at < packed.k else 0 for at in places])
        total += contribute(spec, row, decode(spec, words[beat, output].tolist(), []))[0]
    return total


@pytest.mark.parametrize("spec", [WINDOW, REGISTER], ids=["window", "register"])
def test_the_reference_word_decodes_to_its_sums(spec: SeedlmSpec) -> None:
    word = 0x1234 | (-3 + 8) << 16 | 5 << 20 | (-3 & 15) << 24 | 7 << 28
    wanted = (-110651, 145908, 46909, -22811, 181466, 239771, 42255, -80742)
    assert decode(spec, [word], []) == (*wanted, 5)


@pytest.mark.parametrize("row_aligned", [False, True])
def test_words_of_36_bits_are_read_from_the_middle_of_bytes(row_aligned: bool) -> None:
    form = Seedlm(block=12, latent=4, row_aligned=row_aligned)
    spec = SeedlmSpec(format=form)
    packed = draw(spec, np.random.default_rng(0), k=36, n=3)
    seeds, exponents, q = form.unpack(packed)
    fields = [seeds, exponents + 8 << 16, *((q[:, p] & 15) << 20 + 4 * p for p in range(4))]
    wanted = sum(fields).reshape(3, 3, 1).transpose(1, 0, 2)
    np.testing.assert_array_equal(units(spec, packed), wanted)


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_no_word_decodes_beyond_the_greatest_sum(length: int) -> None:
    form = Seedlm(block=2, latent=2, lfsr_length=length)
    spec, count, greatest = SeedlmSpec(format=form), 0, 0
    for seed in range(1, 1 << length):
        for q in range(256):
            *sums, _shift = decode(spec, [seed | q << length + 4], [])
            greatest = max(greatest, *map(abs, sums))
            count += 1
    assert count == ((1 << length) - 1) * 256
    assert greatest <= spec.weight_max
    assert spec.weight_max == 2 * 8 * ((1 << length - 1) - 1)


def test_the_published_blocks_have_sums_of_21_bits() -> None:
    assert [SeedlmSpec(format=form).weight_max for form in (SEEDLM4, SEEDLM3)] == [786408, 1048544]


@pytest.mark.parametrize("form", [SEEDLM4, SEEDLM3])
@pytest.mark.parametrize("a", [INT8, INT4, UINT8])
@pytest.mark.parametrize("max_k", [12, 28672, 1 << 17])
def test_the_accumulator_has_the_bits_of_the_worst_sum_and_no_more(
    max_k: int, a: IntFormat, form: Seedlm
) -> None:
    spec = SeedlmSpec(a=a, format=form, max_k=max_k)
    sums = []
    for sign in (-1, 1):
        for x in (a.min, a.max):
            worst = [sign * form.latent * 8 * 32767] * form.block
            (added,) = contribute(spec, [x] * form.block, [*worst, 15])
            sums.append(-(-added * max_k // form.block))
    half = 1 << (spec.acc_width - 1)
    assert all(-half <= total < half for total in sums)
    assert max(map(abs, sums)) >= half // 2


def test_the_longest_sums_fit_64_bits() -> None:
    assert [SeedlmSpec(format=form).acc_width for form in (SEEDLM4, SEEDLM3)] == [60, 60]
    assert SeedlmSpec(max_k=28672).acc_width == 58
    assert SeedlmSpec(max_k=1 << 21).acc_width == 64


@settings(max_examples=10)
@given(
    generator=st.sampled_from(Generator),
    pipelined=st.booleans(),
    m=st.integers(1, 4),
    n=st.integers(1, 5),
    seed=st.integers(0, 999),
)
def test_engines_agree_with_their_clocked_reference(
    generator: Generator, pipelined: bool, m: int, n: int, seed: int
) -> None:
    form = Seedlm(block=3, latent=2, lfsr_length=5, row_aligned=True)
    pe = SeedlmSpec(format=form, generator=generator, pipelined=pipelined)
    spec = BlockDotSpec(pe=pe, rows=2, columns=3)
    rng = np.random.default_rng(seed)
    packed = draw(pe, rng, k=10, n=n)
    x = rng.integers(-128, 128, (m, 10))
    result = simulate(spec, x, packed)
    sums, edges = run(spec, x, packed)
    np.testing.assert_array_equal(result.partials, sums)
    assert result.cycles == edges


@pytest.mark.parametrize(("form", "clocks"), [(SEEDLM4, 24), (SEEDLM3, 48)])
def test_a_register_takes_a_clock_per_state(form: Seedlm, clocks: int) -> None:
    spec = SeedlmSpec(format=form, generator=Generator.REGISTER)
    assert spec.walk.interval == spec.column_part.latency == clocks
    engine, k = BlockDotSpec(pe=spec), 100 * form.block
    steady = cycles(engine, m=1, n=16, k=2 * k) - cycles(engine, m=1, n=16, k=k)
    assert steady == 100 * clocks


def test_operations_are_a_product_per_state_and_one_per_weight() -> None:
    assert WINDOW.column_part.operations == Operations(adds=16, multiplies=24)
    assert WINDOW.cell.operations == Operations(adds=8, multiplies=8)


def test_straddling_blocks_are_refused() -> None:
    spec = DATAPATHS["decoder/seedlm4"]
    packed = draw(spec.pe, np.random.default_rng(0), k=12, n=2)
    with pytest.raises(ValueError, match="decoder/seedlm4 must have k a multiple of 8, not 12"):
        simulate(spec, np.zeros((1, 12), np.int8), packed)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_k": 0}, "Greatest k must be at least 1, not 0"),
        (
            {"max_k": 1 << 22},
            "Sums of seedlm4 must fit 64 bits, not 65 (greatest k 4194304, activations int8)",
        ),
        ({"a": INT16}, "Sums of seedlm4 must fit 64 bits, not 68"),
        (
            {"format": Seedlm(block=1, latent=1), "generator": Generator.REGISTER},
            "Generator of blocks of one state must be window, not register",
        ),
    ],
)
def test_impossible_decoders_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        SeedlmSpec(**fields)

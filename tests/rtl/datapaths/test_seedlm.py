"""SeedLM's serial parts in lockstep, and every part at the ends of its widths."""

import numpy as np
import pytest
from parts import layout_bits, packed_bits, play

from bitweight.rtl.datapath import cell, column_part, row_part
from bitweight.sim.datapath import contribute, decode, draw, units
from bitweight.sim.datapaths.seedlm import Generator, SeedlmSpec
from bitweight.workloads.formats import INT8, UINT8, IntFormat
from bitweight.workloads.formats.seedlm import SEEDLM3, SEEDLM4, Seedlm

FORMS = [
    SEEDLM4,
    SEEDLM3,
    Seedlm(block=5, latent=1, lfsr_length=7),
    Seedlm(block=2, latent=2, lfsr_length=2),
    Seedlm(block=6, latent=5, lfsr_length=24),
]


def words_of(spec: SeedlmSpec, count: int) -> list[int]:
    packed = draw(spec, np.random.default_rng(6), k=count * spec.format.block, n=1)
    words: list[int] = units(spec, packed)[:, 0, 0].tolist()
    return words


@pytest.mark.parametrize("idle", [0, 1, 5])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_register_answers_once_per_word_and_is_zero_otherwise(form: Seedlm, idle: int) -> None:
    spec = SeedlmSpec(format=form, generator=Generator.REGISTER, max_k=1000)
    part = column_part(spec)
    inputs, wanted = [], [0] * spec.column_part.latency
    for word in words_of(spec, 6):
        clocks = spec.walk.interval + idle
        inputs += [{"units": word, "start": int(clock == 0)} for clock in range(clocks)]
        answer = layout_bits(part.out, decode(spec, [word], []))
        wanted += [answer] + [0] * (clocks - 1)
    inputs += [{"units": 0, "start": 0}] * spec.column_part.latency
    # Clock t is seen one edge after the inputs of clock t - 1.
    assert play(part, inputs, "out", 1) == [*wanted[1:], 0]


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_window_decodes_a_word_per_clock(form: Seedlm, pipelined: bool) -> None:
    spec = SeedlmSpec(format=form, pipelined=pipelined, max_k=1000)
    part, words = column_part(spec), words_of(spec, 20)
    found = play(part, [{"units": word} for word in words], "out", spec.column_part.latency)
    assert found == [layout_bits(part.out, decode(spec, [word], [])) for word in words]


@pytest.mark.parametrize("generator", Generator)
def test_activations_wait_for_a_serial_column_part(generator: Generator) -> None:
    spec = SeedlmSpec(generator=generator)
    beats = [[-128, 127, 0, 1, -1, 5, 6, lane] for lane in range(5)]
    inputs = [{"x": packed_bits(beat, 8)} for beat in beats]
    found = play(row_part(spec), inputs, "out", spec.row_part.latency)
    assert found == [bits["x"] for bits in inputs]


@pytest.mark.parametrize("a", [INT8, UINT8, IntFormat(width=2)])
@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("form", [SEEDLM4, SEEDLM3])
def test_the_greatest_sums_of_a_gemm_fit(
    form: Seedlm, sign: int, pipelined: bool, a: IntFormat
) -> None:
    spec = SeedlmSpec(a=a, format=form, pipelined=pipelined, max_k=20 * form.block)
    worst = [*[sign * form.latent * 8 * 32767] * form.block, 15]
    for x in (a.min, a.max):
        check_running_sum(spec, [x] * form.block, worst, 20)


@pytest.mark.slow
@pytest.mark.parametrize("form", [SEEDLM4, SEEDLM3])
def test_the_greatest_sum_of_the_longest_k_fits(form: Seedlm) -> None:
    spec = SeedlmSpec(format=form)
    beats = spec.max_k // form.block
    worst = [*[-form.latent * 8 * 32767] * form.block, 15]
    check_running_sum(spec, [-128] * form.block, worst, beats)


def check_running_sum(spec: SeedlmSpec, row: list[int], column: list[int], beats: int) -> None:
    """Accumulate the same beat over and over."""
    part = cell(spec)
    bits = {"row": packed_bits(row, spec.a.width), "column": layout_bits(part.column, column)}
    inputs = [{**bits, "first": int(beat == 0)} for beat in range(beats)]
    found = play(part, inputs, "acc", spec.cell.latency)
    (added,) = contribute(spec, row, column)
    assert abs(added * beats) < 1 << (spec.acc_width - 1)
    assert found == [packed_bits([added * (beat + 1)], spec.acc_width) for beat in range(beats)]

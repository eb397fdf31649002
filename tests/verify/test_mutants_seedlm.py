"""Planted faults of the SeedLM decoders: each in the generator, then emitted and run."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Shape, Value
from planting import ANOTHER_BEAT

from bitweight.rtl import emit
from bitweight.rtl.datapaths import seedlm
from bitweight.sim import DATAPATHS
from bitweight.sim.datapath import draw
from bitweight.sim.datapaths.seedlm import Generator
from bitweight.verify import Work, check_engine
from bitweight.workloads.formats.lfsr import states
from bitweight.workloads.formats.seedlm import SEEDLM4, SeedlmCodes

pytestmark = pytest.mark.slow

Fields = tuple[Value, Value, list[Value]]


@dataclass(frozen=True)
class Fault:
    """A fault: one piece of the generator is replaced.

    Attributes:
        name: What is broken.
        piece: Name in the generator's module.
        broken: Makes the new piece of the old one.
        generator: Where it is planted.
    """

    name: str
    piece: str
    broken: Callable[[Any], Any]
    generator: Generator = Generator.WINDOW


def with_fields(change: Callable[[Fields], Fields]) -> Callable[[Any], Any]:
    return lambda old: lambda spec, word: change(old(spec, word))


FAULTS = [
    Fault("a wrong tap", "TAPS", lambda _old: {16: (0, 1, 3, 11)}),
    Fault(
        "a wrong tap of a register", "TAPS", lambda _old: {16: (0, 1, 3, 13)}, Generator.REGISTER
    ),
    Fault(
        "coefficients in reverse",
        "_fields",
        with_fields(lambda fields: (fields[0], fields[1], fields[2][::-1])),
    ),
    Fault(
        "coefficients without sign",
        "_fields",
        with_fields(lambda fields: (*fields[:2], [Cat(q, Const(0, 1)) for q in fields[2]])),
    ),
    Fault(
        "an exponent without its top bit",
        "_fields",
        with_fields(lambda fields: (fields[0], fields[1] & 7, fields[2])),
    ),
    Fault(
        "seed and exponent exchanged by a bit",
        "_fields",
        with_fields(lambda fields: (fields[0].rotate_left(1), fields[1], fields[2])),
    ),
    Fault("states not centred", "_centred", lambda _old: lambda state: state.as_signed()),
    Fault(
        "the state before the first",
        "_feedback",
        lambda old: lambda length, state: old(length, [state[0], *state[:-1]]),
        Generator.REGISTER,
    ),
    Fault(
        "sums of 20 bits", "_sum_shape", lambda old: lambda spec: Shape(old(spec).width - 1, True)
    ),
]


def works(pe: Any) -> Iterator[Work]:
    rng = np.random.default_rng(4)
    for m, n, k in ((3, 4, 40), (1, 2, 8)):
        a = rng.integers(-128, 128, (m, k))
        yield Work(f"drawn {m}x{k}x{n}", a, draw(pe, rng, k=k, n=n))
    # The greatest sum of a block: all coefficients -8, and the seed whose states add up to most.
    sums = states(np.arange(1, 1 << 16), length=16, count=24).reshape(-1, 8, 3).sum(axis=2)
    seed = 1 + np.abs(sums - 3 * 32768).max(axis=1).argmax()
    codes = SeedlmCodes(np.array([seed]), np.array([7]), np.array([[-8, -8, -8]]))
    yield Work("greatest sum", np.full((1, 8), 127), SEEDLM4.pack(codes, k=8, n=1))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_bench_catches(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    small: Any = DATAPATHS["decoder/seedlm4"].small
    spec = replace(small, pe=replace(small.pe, generator=fault.generator))
    whole = emit(spec)
    monkeypatch.setattr(seedlm, fault.piece, fault.broken(getattr(seedlm, fault.piece)))
    broken = emit(spec)
    assert broken != whole
    outcomes = check_engine(spec, list(works(spec.pe)), verilog=broken)
    first = next(outcome for outcome in outcomes if outcome.fault)
    assert re.fullmatch(ANOTHER_BEAT, first.fault), first.fault
    assert not first.stalls


@pytest.mark.parametrize("generator", Generator)
def test_the_bench_finds_nothing_without_a_fault(generator: Generator) -> None:
    small: Any = DATAPATHS["decoder/seedlm4"].small
    spec = replace(small, pe=replace(small.pe, generator=generator))
    assert [outcome.fault for outcome in check_engine(spec, list(works(spec.pe)))] == [""] * 6

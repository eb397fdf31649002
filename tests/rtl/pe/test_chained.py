"""RTL of the chained MAC in lockstep with its model: every register, every clock."""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import codes, pe_specs

from bitweight.rtl import component
from bitweight.sim.pe import CarrySaveMacSpec, ChainedMacSpec, MacSpec
from bitweight.sim.pe.chained import ChainedState, initial_chained, step_chained
from bitweight.sim.pe.mac import MacStructure

Step = tuple[int, int, tuple[int, ...]]


def check(spec: ChainedMacSpec, built: ChainedMacSpec, steps: list[Step]) -> int:
    """Clock RTL of ``built`` and the model of ``spec``; return how many clocks were compared."""
    rtl = component(built)
    fragment = Fragment.get(rtl, None)
    registers = {signal.name: signal for signal in fragment.statements["sync"]._lhs_signals()}
    products = [registers.pop(name) for name in PRODUCTS if name in registers]
    assert sorted(registers) == sorted(f"{word}_register" for word in spec.words)
    compared = 0

    async def bench(context: Any) -> None:
        nonlocal compared
        state = initial_chained(spec)
        for a, b, incoming in steps:
            context.set(rtl.a, a)
            context.set(rtl.b, b)
            for name, word in zip(spec.words, incoming, strict=True):
                context.set(getattr(rtl, f"{name}_in"), word)
            await context.tick()
            state = step_chained(spec, state, a, b, incoming)
            words = tuple(context.get(getattr(rtl, name)) for name in spec.words)
            found = ChainedState(words, tuple(context.get(product) for product in products))
            assert found == state, f"cycle {compared}, operands ({a}, {b}): RTL {found}"
            compared += 1

    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return compared


PRODUCTS = ("product_register", "product_carry_register")


@given(st.data())
@settings(max_examples=20)
def test_every_register_equals_the_model_in_every_clock(data: st.DataObject) -> None:
    pe: Any = data.draw(pe_specs(max_width=9))
    spec = ChainedMacSpec(pe=pe, depth=data.draw(st.integers(1, 9)))
    word = st.integers(0, 2**spec.width - 1)
    incoming = (
        st.tuples(word, word.map(lambda bits: bits & ~1)) if spec.is_pair else st.tuples(word)
    )
    step = st.tuples(codes(pe.a), codes(pe.b), incoming)
    steps = data.draw(st.lists(step, min_size=1, max_size=24))
    assert check(spec, spec, steps) == len(steps)


FUSED = MacSpec(structure=MacStructure.FUSED)


@pytest.mark.slow
@pytest.mark.parametrize("pe", [MacSpec(), FUSED, CarrySaveMacSpec()])
def test_all_operand_pairs_of_int8_equal_the_model(pe: MacSpec | CarrySaveMacSpec) -> None:
    spec = ChainedMacSpec(pe=pe, depth=8)
    words = np.random.default_rng(0).integers(0, 2**spec.width, (65_536, len(spec.words)))
    words &= [-1, ~1][: len(spec.words)]
    pairs = [(a, b) for a in range(-128, 128) for b in range(-128, 128)]
    steps = [(a, b, tuple(row)) for (a, b), row in zip(pairs, words.tolist(), strict=True)]
    assert check(spec, spec, steps) == 65_536


@pytest.mark.parametrize(
    ("spec", "built"),
    [
        pytest.param(MacSpec(), FUSED, id="no offset"),
        pytest.param(FUSED, MacSpec(), id="offset missing"),
        pytest.param(CarrySaveMacSpec(), CarrySaveMacSpec(recoding="en_t"), id="another recoding"),
    ],
)
def test_rtl_of_another_pe_is_caught(spec: Any, built: Any) -> None:
    rng = np.random.default_rng(0)
    steps = [(int(a), int(b), (0,) * len(spec.words)) for a, b in rng.integers(-128, 128, (50, 2))]
    with pytest.raises(AssertionError, match="cycle 0"):
        check(ChainedMacSpec(pe=spec, depth=8), ChainedMacSpec(pe=built, depth=8), steps)

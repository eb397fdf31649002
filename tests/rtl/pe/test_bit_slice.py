"""RTL of the PEs with lanes against their models: every register, every clock."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import wrapped
from strategies import varied_pe

from bitweight.rtl.build import component
from bitweight.sim.pe.bit_serial import BitSerialPeSpec, Control, step_bits
from bitweight.sim.pe.bit_serial import State as BitState
from bitweight.sim.pe.laconic import LaconicPeSpec, Term, step_terms, terms
from bitweight.sim.pe.laconic import State as TermState
from bitweight.sim.pe.step import resolve

FEWER = settings(max_examples=max(10, settings.default.max_examples // 3))
CLOCKS = 30


def registers(fragment: Any) -> dict[str, Any]:
    found = {
        signal.name.removesuffix("_register"): signal
        for domain, statements in fragment.statements.items()
        if domain != "comb"
        for statement in statements
        for signal in statement._lhs_signals()
    }
    assert not [inner for inner in fragment.subfragments if registers(inner[0])]
    return found


def check(pe: Any, idle: Any, clock: Callable[[Any, Any], Any]) -> None:
    """Clock RTL and model ``CLOCKS`` times; ``clock`` drives the ports and steps the model."""
    fragment = Fragment.get(pe, None)
    found = registers(fragment)
    assert set(found) == set(idle._fields)

    async def bench(context: Any) -> None:
        state = idle
        for edge in range(CLOCKS):
            state = clock(context, state)
            await context.tick()
            rtl = {name: context.get(signal) for name, signal in found.items()}
            masks = {name: (1 << len(signal)) - 1 for name, signal in found.items()}
            assert {name: rtl[name] & masks[name] for name in rtl} == state._asdict(), (
                f"edge {edge}"
            )

    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@FEWER
@given(data=st.data())
def test_bit_serial_registers_equal_the_model(data: st.DataObject) -> None:
    spec = data.draw(varied_pe(BitSerialPeSpec(lanes=data.draw(st.integers(1, 5))), max_width=8))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    pe = component(spec)

    def clock(context: Any, state: BitState) -> BitState:
        flags = [bool(flag) for flag in rng.integers(0, 2, 5)]
        control = Control(*flags)
        if not spec.a.signed:
            control = control._replace(before_sign=False, sign=False)
        bits = rng.integers(0, 2, spec.lanes).tolist()
        codes = rng.integers(spec.b.min, spec.b.max + 1, spec.lanes).tolist()
        context.set(pe.bits, sum(bit << lane for lane, bit in enumerate(bits)))
        context.set(pe.b, [code & spec.b.mask for code in codes])
        for name, flag in control._asdict().items():
            if hasattr(pe, name):
                context.set(getattr(pe, name), flag)
        # A restart comes with a commit only.
        if control.restart and not control.commit:
            context.set(pe.restart, 0)
        return step_bits(spec, state, bits, codes, control)

    check(pe, BitState(), clock)


@FEWER
@given(data=st.data())
def test_laconic_registers_equal_the_model(data: st.DataObject) -> None:
    spec = data.draw(varied_pe(LaconicPeSpec(lanes=data.draw(st.integers(1, 5))), max_width=8))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    pe = component(spec)

    def draw_terms(form: Any) -> list[Term | None]:
        codes = rng.integers(form.min, form.max + 1, spec.lanes).tolist()
        digits = [[None, *terms(code, form, spec.recoding)] for code in codes]
        return [lane[int(rng.integers(len(lane)))] for lane in digits]

    def ports(drawn: list[Term | None]) -> list[dict[str, int]]:
        nothing = {"exponent": 0, "negate": 0, "valid": 0}
        return [{**term._asdict(), "valid": 1} if term else nothing for term in drawn]

    def clock(context: Any, state: TermState) -> TermState:
        a, b = draw_terms(spec.a), draw_terms(spec.b)
        restart = bool(rng.integers(0, 4) == 0)
        context.set(pe.a, ports(a))
        context.set(pe.b, ports(b))
        context.set(pe.restart, restart)
        return step_terms(spec, state, a, b, restart=restart)

    check(pe, TermState(), clock)


@pytest.mark.parametrize("least", [-128, 127])
def test_a_group_of_extremes_is_exact(least: int) -> None:
    spec = BitSerialPeSpec()
    state = BitState()
    for bit in range(8):
        control = Control(first=bit == 0, before_sign=bit == 6, sign=bit == 7)
        state = step_bits(spec, state, [least >> bit & 1] * 16, [-128] * 16, control)
    state = step_bits(spec, state, [0] * 16, [0] * 16, Control(commit=True, restart=True))
    assert resolve(spec, state) == 16 * least * -128


def test_every_int8_product_is_the_sum_of_its_pairs() -> None:
    spec = LaconicPeSpec(lanes=1)
    total = {
        code: [
            (-1 if term.negate else 1) << term.exponent
            for term in terms(code, spec.a, spec.recoding)
        ]
        for code in range(-128, 128)
    }
    assert all(sum(weights) == code for code, weights in total.items())
    for a, b in ((-128, -128), (-128, 127), (85, -85), (0, 3)):
        state = TermState()
        pairs = [(x, y) for x in terms(a, spec.a, "naf") for y in terms(b, spec.b, "naf")]
        for number, (x, y) in enumerate([*pairs, (None, None)]):
            state = step_terms(spec, state, [x], [y], restart=number == 1)
        assert resolve(spec, state) == wrapped(a * b, 32)

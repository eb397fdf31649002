"""The shifting digit PE in lockstep with its model, and the model against Python integers."""

from typing import Any

import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import wrapped
from strategies import codes, varied_pe

from bitweight.rtl import component
from bitweight.sim.pe.dealt import DealtPeSpec, Digit, advance, idle, row_sum
from bitweight.workloads.formats import UINT8

Step = tuple[tuple[int, ...], tuple[Digit, ...], bool]


def digits_of(spec: DealtPeSpec, value: int) -> list[Digit]:
    digits = spec.code.digits(value, spec.a)
    return [
        Digit(place * spec.step + abs(digit) - 1, digit < 0)
        for place, digit in enumerate(digits)
        if digit
    ]


def lockstep(spec: DealtPeSpec, steps: list[Step], built: DealtPeSpec | None = None) -> int:
    """Clock a PE and its model; return how many clocks were compared."""
    pe = component(built or spec)
    compared = 0

    async def bench(context: Any) -> None:
        nonlocal compared
        state = idle(spec)
        for clock, (b, digits, clear) in enumerate(steps):
            for lane, (value, digit) in enumerate(zip(b, digits, strict=True)):
                context.set(pe.b[lane], value)
                context.set(pe.shift[lane], digit.shift)
            context.set(pe.negate, sum(digit.negate << at for at, digit in enumerate(digits)))
            context.set(pe.clear, clear)
            await context.tick()
            state = advance(spec, state, b, digits, clear=clear)
            found = (context.get(pe.sum), context.get(pe.carry))
            wanted = (state.sum, state.carry)
            assert found == wanted, f"cycle {clock}, b {b}, {digits}: RTL {found}, model {wanted}"
            compared += 1

    simulator = Simulator(Fragment.get(pe, None))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return compared


@st.composite
def digit_runs(draw: st.DrawFn) -> tuple[DealtPeSpec, list[Step]]:
    """Draw a PE and what its lanes get; the first clock clears."""
    spec = draw(varied_pe(DealtPeSpec(lanes=draw(st.integers(1, 5)))))
    digit = st.builds(Digit, shift=st.integers(0, spec.max_shift), negate=st.booleans())
    lanes = st.tuples(
        st.tuples(*[codes(spec.b)] * spec.lanes),
        st.tuples(*[digit] * spec.lanes),
        st.sampled_from([False, False, False, True]),
    )
    return spec, draw(st.lists(lanes, min_size=1, max_size=20))


@settings(max_examples=max(10, settings.default.max_examples // 3), deadline=None)
@given(digit_runs())
def test_registers_equal_the_model_in_every_clock(run: tuple[DealtPeSpec, list[Step]]) -> None:
    spec, steps = run
    assert lockstep(spec, steps) == len(steps)


def test_a_fault_is_told_with_its_clock_and_operands() -> None:
    steps: list[Step] = [((3,) * 4, (Digit(0, True),) * 4, True)] * 2
    with pytest.raises(AssertionError, match=r"cycle 0, b \(3, 3, 3, 3\)"):
        lockstep(DealtPeSpec(), steps, built=DealtPeSpec(b=UINT8))


@given(data=st.data())
def test_a_pair_holds_the_dot_product_however_its_digits_are_dealt(data: st.DataObject) -> None:
    spec = data.draw(varied_pe(DealtPeSpec(lanes=data.draw(st.integers(1, 5)))))
    pairs = data.draw(st.lists(st.tuples(codes(spec.a), codes(spec.b)), max_size=12))
    rng = data.draw(st.randoms(use_true_random=False))
    slots = [(b, digit) for a, b in pairs for digit in digits_of(spec, a)]
    slots += [(0, Digit())] * rng.randrange(2 * spec.lanes)
    slots += [(0, Digit())] * (-len(slots) % spec.lanes or spec.lanes)
    rng.shuffle(slots)
    state, digits, clocks = idle(spec), (Digit(),) * spec.lanes, 0
    for start in range(0, len(slots), spec.lanes):
        part = slots[start : start + spec.lanes]
        state = advance(spec, state, tuple(b for b, _ in part), digits, clear=start <= spec.lanes)
        digits = tuple(digit for _, digit in part)
        clocks += start > 0
    state = advance(spec, state, (0,) * spec.lanes, digits, clear=len(slots) <= spec.lanes)
    exact = sum(a * b for a, b in pairs)
    assert row_sum(spec, state, clocks + 1) == wrapped(exact, spec.acc_width)


@pytest.mark.slow
def test_all_products_of_two_int8_come_out_of_the_rtl() -> None:
    # One product a clock: its digits on the lanes, and a new sum for each.
    spec = DealtPeSpec()
    pairs = [(a, b) for a in range(-128, 128) for b in range(-128, 128)]
    pe = component(spec)
    wrong = []

    async def bench(context: Any) -> None:
        for number, (a, b) in enumerate([*pairs, (0, 0)]):
            digits = digits_of(spec, pairs[number - 1][0]) if number else []
            for lane in range(spec.lanes):
                digit = digits[lane] if lane < len(digits) else Digit()
                context.set(pe.shift[lane], digit.shift)
                context.set(pe.b[lane], b if lane < len(digits_of(spec, a)) else 0)
            context.set(pe.negate, sum(d.negate << lane for lane, d in enumerate(digits)))
            context.set(pe.clear, 1)
            await context.tick()
            if number:
                total = context.get(pe.sum) + context.get(pe.carry) - spec.offset
                expected = pairs[number - 1][0] * pairs[number - 1][1]
                if wrapped(total, 32) != expected:
                    wrong.append(pairs[number - 1])

    simulator = Simulator(Fragment.get(pe, None))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(pairs) == 65_536
    assert wrong == []


@pytest.mark.parametrize("lanes", [0, 17])
def test_lanes_past_the_limits_are_refused(lanes: int) -> None:
    with pytest.raises(ValueError, match=f"Lanes must be 1 to 16, not {lanes}"):
        DealtPeSpec(lanes=lanes)


def test_registers_are_counted() -> None:
    # Four b of 8 bits, 32 bits of sum and 31 of carry.
    assert DealtPeSpec().register_bits == 4 * 8 + 32 + 31
    assert DealtPeSpec().row_width == 15
    assert DealtPeSpec(recoding="naf").row_width == 15

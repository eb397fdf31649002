"""The digit PE in lockstep with its model: every register in every clock."""

from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import codes, varied_pe

from bitweight.rtl import component
from bitweight.sim.pe.digit import (
    GroupedSpec,
    Lane,
    SharedEncoderSpec,
    advance,
    idle,
    pass_sum,
)

Step = tuple[tuple[Lane, ...], bool]
KINDS: dict[str, Any] = {"shared_encoder": SharedEncoderSpec(), "grouped": GroupedSpec()}


def check(spec: Any, steps: list[Step], built: Any = None) -> int:
    """Clock a PE and its model; return how many clocks were compared."""
    pe = component(built or spec)
    compared = 0

    async def bench(context: Any) -> None:
        nonlocal compared
        state = idle(spec)
        for clock, (lanes, ended) in enumerate(steps):
            for number, lane in enumerate(lanes):
                context.set(pe.b[number], lane.b)
            lines = {
                "one": [abs(lane.digit) == 1 for lane in lanes],
                "two": [abs(lane.digit) == 2 for lane in lanes],
                "negate": [lane.digit < 0 for lane in lanes],
            }
            values = {line: sum(bit << i for i, bit in enumerate(lines[line])) for line in lines}
            for line in spec.lines:
                context.set(getattr(pe, line), values[line])
            context.set(pe.ended, ended)
            await context.tick()
            state = advance(spec, state, lanes, ended=ended)
            found = {name: context.get(getattr(pe, name)) for name in ("sum", "carry")}
            found |= {
                f"{line}_next": context.get(getattr(pe, f"{line}_next")) for line in spec.lines
            }
            wanted = {"sum": state.sum, "carry": state.carry}
            wanted |= {f"{line}_next": values[line] for line in spec.lines}
            assert found == wanted, f"cycle {clock}, lanes {lanes}: RTL {found}, model {wanted}"
            assert context.get(pe.ended_next) == state.ended
            compared += 1

    simulator = Simulator(Fragment.get(pe, None))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return compared


@st.composite
def digit_runs(draw: st.DrawFn, kind: str) -> tuple[Any, list[Step]]:
    """Draw a PE and digits for it, now and then a pass's end."""
    spec = draw(varied_pe(KINDS[kind]))
    table = spec.code.digit_table(spec.a)
    lane = st.builds(Lane, b=codes(spec.b), digit=st.integers(int(table.min()), int(table.max())))
    lanes = st.tuples(*[lane] * spec.lanes)
    steps = st.tuples(lanes, st.sampled_from([False, False, False, True]))
    return spec, draw(st.lists(steps, min_size=1, max_size=40))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=max(10, settings.default.max_examples // 3), deadline=None)
@given(data=st.data())
def test_registers_equal_the_model_in_every_clock(kind: str, data: st.DataObject) -> None:
    spec, steps = data.draw(digit_runs(kind))
    assert check(spec, steps) == len(steps)


@pytest.mark.parametrize("kind", KINDS)
def test_every_digit_times_every_int8_equals_the_model(kind: str) -> None:
    spec = KINDS[kind]
    pairs = [Lane(b, digit) for digit in range(-2, 3) for b in range(-128, 128)]
    steps: list[Step] = [((pair,) * spec.lanes, pair.b % 5 == 0) for pair in pairs]
    assert check(spec, steps) == 5 * 256


@given(st.lists(st.tuples(st.integers(-128, 127), st.integers(-2, 2)), min_size=1, max_size=30))
def test_a_pass_sums_its_products(terms: list[tuple[int, int]]) -> None:
    spec = SharedEncoderSpec()
    state = idle(spec)
    for number, (b, digit) in enumerate(terms):
        # The tag of the pass before comes with the first digit.
        state = advance(spec, state, (Lane(b, digit),), ended=number == 0)
    state = advance(spec, state, (Lane(),), ended=True)
    assert pass_sum(spec, state, len(terms)) == sum(b * digit for b, digit in terms)


def test_rtl_of_another_width_is_caught() -> None:
    spec = SharedEncoderSpec()
    steps: list[Step] = [((Lane(-128, -2),), clock == 0) for clock in range(50)]
    with pytest.raises(AssertionError, match=r"cycle \d+, lanes .*: RTL .*, model "):
        check(spec, steps, replace(spec, pass_depth=8))

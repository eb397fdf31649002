"""Every PE of the catalog, as a model: it is a running dot product, whatever it keeps inside."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from oracle import wrapped
from strategies import Triple, mac_runs

from bitweight.sim import PES
from bitweight.sim.pe import initial_state, resolve, step
from bitweight.sim.spec import PeSpec
from bitweight.workloads.formats import INT4, INT8

# Products of int4 that are extreme, or nothing.
EDGES = [(-8, -8), (-8, 7), (7, 7), (0, 0)]
ENTRIES = [pytest.param(spec, id=name) for name, spec in PES.items()]


def run(spec: PeSpec, steps: list[Triple], state: Any = None) -> list[Any]:
    """Return the state that shows each step's effect: ``latency`` edges after its operands."""
    state = initial_state(spec) if state is None else state
    states = []
    for a, b, clear in [*steps, *[(0, 0, False)] * (spec.latency - 1)]:
        state = step(spec, state, a, b, clear=clear)
        states.append(state)
    return states[spec.latency - 1 :]


@given(mac_runs())
def test_resolved_trace_is_the_running_dot_product(case: tuple[PeSpec, list[Triple]]) -> None:
    spec, steps = case
    total = 0
    for (a, b, clear), state in zip(steps, run(spec, steps), strict=True):
        total = a * b if clear else total + a * b
        assert resolve(spec, state) == wrapped(total, spec.acc_width)


@given(mac_runs())
def test_registers_stay_within_their_width(case: tuple[PeSpec, list[Triple]]) -> None:
    spec, steps = case
    for state in run(spec, steps):
        for word in spec.words:
            assert 0 <= getattr(state, word) < 2**spec.acc_width


@given(mac_runs())
def test_a_clear_forgets_every_bit_of_what_came_before(case: tuple[PeSpec, list[Triple]]) -> None:
    spec, steps = case
    used = initial_state(spec)
    for a, b, _ in steps:
        used = step(spec, used, a, b)
    a, b, _ = steps[-1]
    (fresh,), (reused,) = (run(spec, [(a, b, True)], state) for state in (None, used))
    assert [getattr(reused, word) for word in spec.words] == [
        getattr(fresh, word) for word in spec.words
    ]


@given(mac_runs())
def test_zeros_keep_the_value(case: tuple[PeSpec, list[Triple]]) -> None:
    spec, steps = case
    *_, before = run(spec, steps)
    *_, after = run(spec, [*steps, *[(0, 0, False)] * 5])
    assert resolve(spec, after) == resolve(spec, before)


@pytest.mark.parametrize("spec", ENTRIES)
def test_every_int4_product_adds_to_every_extreme_one(spec: Any) -> None:
    small = replace(spec, a=INT4, b=INT4, acc_width=9)
    pairs = [(a, b) for a in range(-8, 8) for b in range(-8, 8)]
    sums = 0
    for first in EDGES:
        a, b = first
        # The product of ``first`` and every other one, a sum each.
        steps = [one for pair in pairs for one in ((a, b, True), (*pair, False))]
        for (x, y), state in zip(pairs, run(small, steps)[1::2], strict=True):
            assert resolve(small, state) == wrapped(a * b + x * y, 9)
            sums += 1
    assert sums == len(EDGES) * 16**2


@pytest.mark.slow
@pytest.mark.parametrize("spec", ENTRIES)
def test_every_int8_product_is_exact(spec: PeSpec) -> None:
    assert spec.a == spec.b == INT8
    pairs = [(a, b) for a in range(-128, 128) for b in range(-128, 128)]
    states = run(spec, [(a, b, True) for a, b in pairs])
    for (a, b), state in zip(pairs, states, strict=True):
        assert resolve(spec, state) == a * b
    assert len(states) == 65_536


def test_extremes_fill_the_narrowest_accumulator() -> None:
    for spec in PES.values():
        narrow: Any = replace(spec, acc_width=16)  # type: ignore[type-var]
        *_, two = run(narrow, [(-128, -128, True), (-128, -128, False)])
        # 2 * 16384 is one more than an int16 holds.
        assert resolve(narrow, two) == -32768


@pytest.mark.parametrize("function", [initial_state, step, resolve])
def test_what_is_no_pe_is_refused_by_its_type(function: Any) -> None:
    arguments = {initial_state: (), step: (None, 0, 0), resolve: (None,)}[function]
    with pytest.raises(TypeError, match=r"^No PE model takes a int; see sim\.catalog\.PES$"):
        function(3, *arguments)

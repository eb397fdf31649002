"""RTL of every PE against its model, every register in every clock; and faults that it catches."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockstep import MismatchError, check_lockstep
from strategies import Triple, mac_runs

import bitweight.rtl.pe.carry_save_mac
from bitweight.rtl import component
from bitweight.sim import PES
from bitweight.sim.pe import CarrySaveMacSpec, MacSpec
from bitweight.sim.recoding import EN_T
from bitweight.sim.spec import PeSpec
from bitweight.workloads.formats import INT4, UINT8

# Elaborating a drawn PE takes longer than clocking it: fewer specs, longer runs.
FEWER = settings(max_examples=max(10, settings.default.max_examples // 3))

STEPS: list[Triple] = [(2, 5, True), (-7, 11, False), (127, -128, False), (-1, -1, True)]


@pytest.mark.parametrize("name", PES)
@FEWER
@given(data=st.data())
def test_registers_equal_the_model_in_every_clock(name: str, data: st.DataObject) -> None:
    spec, steps = data.draw(mac_runs(name, max_steps=60))
    assert check_lockstep(spec, component(spec), steps) == len(steps)


@pytest.mark.parametrize("name", PES)
def test_all_int4_pairs_equal_the_model(name: str) -> None:
    spec: Any = PES[name]
    small = replace(spec, a=INT4, b=INT4, acc_width=12)
    pairs = [(a, b) for a in range(-8, 8) for b in range(-8, 8)]
    # Each product from a cleared state, then once more onto a running sum.
    steps = [(a, b, clear) for clear in (True, False) for a, b in pairs]
    assert check_lockstep(small, component(small), steps) == 2 * 16**2


# RTL of another spec stands in for RTL with a fault. Another recoding delivers the right sums: only
# a check of registers sees it.
@pytest.mark.parametrize(
    ("spec", "built"),
    [
        pytest.param(MacSpec(), MacSpec(acc_width=20), id="accumulator too narrow"),
        pytest.param(MacSpec(), MacSpec(a=UINT8), id="sign of a lost"),
        pytest.param(MacSpec(), MacSpec(pipelined=True), id="one clock late"),
        pytest.param(CarrySaveMacSpec(), CarrySaveMacSpec(b=UINT8), id="sign of b lost"),
        pytest.param(
            CarrySaveMacSpec(), CarrySaveMacSpec(recoding=EN_T.name), id="another recoding"
        ),
        pytest.param(
            CarrySaveMacSpec(), CarrySaveMacSpec(acc_width=31), id="accumulator word too narrow"
        ),
    ],
)
def test_rtl_of_another_spec_is_caught(spec: PeSpec, built: PeSpec) -> None:
    with pytest.raises(MismatchError):
        check_lockstep(spec, component(built), STEPS)


def test_words_that_are_swapped_are_caught_though_their_sum_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = bitweight.rtl.pe.carry_save_mac
    compress = module.compress
    monkeypatch.setattr(
        module, "compress", lambda *arguments, **named: compress(*arguments, **named)[::-1]
    )
    spec = CarrySaveMacSpec()
    with pytest.raises(
        MismatchError, match=r"^cycle \d+, operands .*: RTL State\(.*\), model State\("
    ):
        check_lockstep(spec, component(spec), STEPS)


def test_a_mismatch_is_one_line_with_cycle_operands_and_both_states() -> None:
    spec = MacSpec()
    with pytest.raises(
        MismatchError,
        match=r"^cycle 1, operands \(-7, 11\): RTL State\(acc=\d+.*\), model State\(acc=",
    ) as caught:
        check_lockstep(spec, component(MacSpec(a=UINT8)), [(3, 5, True), (-7, 11, False)])
    assert "\n" not in str(caught.value)


def test_a_register_that_the_model_lacks_is_caught() -> None:
    with pytest.raises(MismatchError, match=r"registers \['sum'\] of the RTL are not in"):
        check_lockstep(MacSpec(), component(CarrySaveMacSpec()), STEPS)

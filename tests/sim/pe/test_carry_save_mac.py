"""The carry-save MAC. What every PE does is in ``test_step``; this is what only it does."""

import pytest
from hypothesis import given
from strategies import Triple, mac_runs

from bitweight.sim.pe import CarrySaveMacSpec, initial_state, step
from bitweight.workloads.formats import INT16, UINT8


@given(mac_runs("carry_save"))
def test_both_words_add_up_and_carry_bit_zero_is_zero(
    case: tuple[CarrySaveMacSpec, list[Triple]],
) -> None:
    spec, steps = case
    state, total = initial_state(spec), 0
    padding = [(0, 0, False)] * (spec.latency - 1)
    for a, b, clear in [*steps, *padding]:
        state = step(spec, state, a, b, clear=clear)
        total = a * b if clear else total + a * b
        assert state.carry % 2 == 0
    assert (state.sum + state.carry) % 2**spec.acc_width == total % 2**spec.acc_width


def test_the_pair_stays_redundant() -> None:
    spec = CarrySaveMacSpec()
    state = initial_state(spec)
    for _ in range(4):
        state = step(spec, state, 127, 127)
    assert state.carry != 0
    assert state.sum != 4 * 127 * 127


def test_a_step_is_no_deeper_than_a_row_and_seven_levels() -> None:
    # Column heights of int8 x int8 peak at 4 rows + 2 words + a one: three levels of 3:2 adders
    # would do for 7 bits; carries from below and the recoder's late rows cost the rest. Rows come
    # after 4 XORs, so 12 leaves 8 for the tree: no carry ripples along the 32 columns.
    assert CarrySaveMacSpec().tree.depth <= 12


def test_words_do_not_make_the_tree_deeper() -> None:
    depths = {CarrySaveMacSpec(acc_width=width).tree.depth for width in (24, 32, 48, 63)}
    assert len(depths) == 1


def test_both_words_are_clocked_but_for_one_bit() -> None:
    assert CarrySaveMacSpec().register_bits == 63
    assert CarrySaveMacSpec().words == ("sum", "carry")


def test_a_mac_takes_all_booth_digits_at_once() -> None:
    assert CarrySaveMacSpec().digits == 4
    assert CarrySaveMacSpec(a=UINT8).digits == 5


def test_the_accumulator_must_hold_one_product() -> None:
    with pytest.raises(
        ValueError, match=r"^Accumulator width must be 24 \(one product\) to 63 bits, not 20$"
    ):
        CarrySaveMacSpec(a=INT16, acc_width=20)

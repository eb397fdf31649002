"""The plain MAC. What every PE does is in ``test_step``; this is what only it does."""

from typing import Any

import pytest
from hypothesis import given
from strategies import Triple, mac_runs

from bitweight.sim.pe import MacSpec, initial_state, step
from bitweight.workloads.formats import INT4, INT16, UINT8, IntFormat


@given(mac_runs("mac"))
def test_the_accumulator_is_the_sum_as_twos_complement_bits(
    case: tuple[MacSpec, list[Triple]],
) -> None:
    spec, steps = case
    state, total = initial_state(spec), 0
    padding = [(0, 0, False)] * (spec.latency - 1)
    for a, b, clear in [*steps, *padding]:
        state = step(spec, state, a, b, clear=clear)
        total = a * b if clear else total + a * b
    assert state.acc == total % 2**spec.acc_width


def test_a_short_sum_is_as_worked_by_hand() -> None:
    spec = MacSpec(acc_width=16)
    state = initial_state(spec)
    # 12 - 35 = -23, then a new sum of -128 * 127 = -16256.
    for a, b, clear, acc in (
        (3, 4, True, 12),
        (-5, 7, False, 65536 - 23),
        (-128, 127, True, 65536 - 16256),
    ):
        state = step(spec, state, a, b, clear=clear)
        assert state.acc == acc


def test_the_accumulator_is_all_that_is_clocked() -> None:
    assert MacSpec().register_bits == 32
    assert MacSpec(acc_width=24).register_bits == 24
    assert MacSpec().words == ("acc",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"acc_width": 15}, r"must be 16 \(one product\) to 63 bits, not 15"),
        ({"acc_width": 64}, r"must be 16 \(one product\) to 63 bits, not 64"),
        ({"a": INT4, "acc_width": 11}, r"must be 12 \(one product\) to 63 bits, not 11"),
        ({"a": INT16, "b": IntFormat(width=16)}, None),
        ({"a": UINT8, "acc_width": 16}, None),
    ],
)
def test_the_accumulator_must_hold_one_product(fields: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert MacSpec(**fields).acc_width >= 16
        return
    with pytest.raises(ValueError, match=f"^Accumulator width {message}$"):
        MacSpec(**fields)

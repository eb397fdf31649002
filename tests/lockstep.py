"""RTL of a PE in lockstep with its model in Amaranth's simulator: every register, every clock."""

from collections.abc import Iterator, Sequence
from typing import Any

from amaranth.hdl import Fragment, Signal
from amaranth.sim import Simulator

from bitweight.sim.pe import initial_state, step
from bitweight.sim.spec import PeSpec


class MismatchError(AssertionError):
    """The first difference, in one line."""


def check_lockstep(
    spec: PeSpec, component: Any, steps: Sequence[tuple[int, int, bool]], start: Any = None
) -> int:
    """Clock a PE and its model with the same operands.

    Registers of the RTL are found in the elaborated design, so none can be forgotten; those that
    a variant lacks must never move in the model.

    Args:
        spec: The PE.
        component: Its RTL.
        steps: Operands and clear, one clock each.
        start: Model state after power-up, if not all zeros.

    Returns:
        How many clocks were compared.

    Raises:
        MismatchError: On the first clock after which a register differs.
    """
    fragment = Fragment.get(component, None)
    idle = initial_state(spec) if start is None else start
    registers = {signal.name.removesuffix("_register"): signal for signal in _registers(fragment)}
    if unknown := registers.keys() - set(idle._fields):
        raise MismatchError(f"registers {sorted(unknown)} of the RTL are not in the model's state")
    # A word may be stored without the bits that are always zero: its port shows it whole.
    shown = {**registers, **{word: getattr(component, word) for word in spec.words}}
    compared = 0

    async def bench(context: Any) -> None:
        nonlocal compared
        state = idle
        for clock, (a, b, clear) in enumerate(steps):
            context.set(component.a, a)
            context.set(component.b, b)
            context.set(component.clear, clear)
            await context.tick()
            state = step(spec, state, a, b, clear=clear)
            found = {
                name: context.get(shown[name]) if name in shown else getattr(idle, name)
                for name in state._fields
            }
            rtl = state._replace(**found)
            if rtl != state:
                raise MismatchError(f"cycle {clock}, operands ({a}, {b}): RTL {rtl}, model {state}")
            compared += 1

    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return compared


def _registers(fragment: Fragment) -> Iterator[Signal]:
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            for statement in statements:
                yield from statement._lhs_signals()
    for inner, *_ in fragment.subfragments:
        yield from _registers(inner)

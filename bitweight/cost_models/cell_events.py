"""What a cell does and spends on every change of state, as tables for the gate-level kernel.

States are bits: input ``i`` of a cell is bit ``i``, and a flip-flop's state comes above its inputs.
A *mix* says how much of which internal-energy group a change takes; the same mixes come again and
again, so that tables hold their numbers.

Rules, where Liberty leaves a choice:

- A pin's conditioned groups hold in their states; if several do, their mean counts. Its
  unconditional group is the default of the states that no conditioned one covers, not an addition.
- Conditions are read in the new, settled state: conditions of a clock's rise before it, those of
  data and of the clock's fall after it.
- An output that moves takes the mean over those inputs that moved and that have a group for it.
- Data move while the clock is high: right after the edge, as in any run without delays.

Source of the second half of the first rule: 91 pins of the IHP library, where adding both makes
clock power of flip-flops 2.15 times too high.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.liberty import Cell, PowerGroup
from bitweight.cost_models.liberty_function import States, evaluate

FORBIDDEN = 2
"""Next state where a clear or preset is active."""

# Tables of a change have 4**inputs entries.
_MOST_INPUTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Mixes:
    """Weights of energy groups, shape (mixes, 2 x groups): rise and fall of each group."""

    rows: NDArray[np.float64]


class _MixList:
    """Mixes met so far, by their bytes; number 0 takes nothing."""

    def __init__(self, groups: int) -> None:
        self.rows: list[NDArray[np.float64]] = []
        self.numbers: dict[bytes, int] = {}
        self.number(np.zeros((2 * groups, 1)))

    def number(self, weights: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the number of each column's mix."""
        columns = np.ascontiguousarray(weights.T)
        return np.array([self._one(column) for column in columns], np.int32)

    def _one(self, column: NDArray[np.float64]) -> int:
        key = column.tobytes()
        if key not in self.numbers:
            self.numbers[key] = len(self.rows)
            self.rows.append(column)
        return self.numbers[key]

    def mixes(self) -> Mixes:
        return Mixes(np.array(self.rows))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateEvents:
    """A combinational cell.

    Attributes:
        outputs: By state of the inputs, its outputs as bits.
        changes: By old state times states plus new state, the number of a mix.
        mixes: The mixes.
    """

    outputs: NDArray[np.uint8]
    changes: NDArray[np.int32]
    mixes: Mixes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlopEvents:
    """A flip-flop; a state is its inputs, then ``state`` above them.

    Attributes:
        outputs: By ``state``, 0 or 1, its outputs as bits.
        next_states: By state, what the clock's edge makes of it.
        clock_rises: By state before the edge, the mix of the clock pin.
        clock_falls: By state after the edge, likewise.
        arcs: By state before the edge, the mix of outputs that the edge moves.
        data: By old inputs times states plus new state, the mix of inputs that move.
        mixes: The mixes.
    """

    outputs: NDArray[np.uint8]
    next_states: NDArray[np.uint8]
    clock_rises: NDArray[np.int32]
    clock_falls: NDArray[np.int32]
    arcs: NDArray[np.int32]
    data: NDArray[np.int32]
    mixes: Mixes


@cache
def gate_events(cell: Cell) -> GateEvents:
    """Return the tables of a combinational cell."""
    count = 1 << _checked(cell)
    states = _bits(cell.inputs, count)
    outputs = {pin: evaluate(text, states) for pin, text in cell.outputs.items()}
    holds = _holds(cell.powers, {**states, **outputs})
    mixes = _MixList(len(cell.powers))
    changes = [
        mixes.number(_gate_weights(cell, old, states, outputs, holds)) for old in range(count)
    ]
    return GateEvents(
        outputs=_packed(outputs.values(), count),
        changes=np.concatenate(changes),
        mixes=mixes.mixes(),
    )


@cache
def flop_events(cell: Cell) -> FlopEvents:
    """Return the tables of a flip-flop."""
    flop = cell.flip_flop
    if flop is None:
        raise AssertionError("a combinational cell has no clock")
    inputs = 1 << _checked(cell)
    states = _bits((*cell.inputs, flop.state), 2 * inputs)
    states[flop.inverse] = ~states[flop.state]
    outputs = {pin: evaluate(text, states) for pin, text in cell.outputs.items()}
    following = evaluate(flop.next_state, states).astype(np.uint8)
    for text in flop.asynchronous:
        following[evaluate(text, states)] = FORBIDDEN
    low = np.zeros(2 * inputs, np.bool_)
    is_low = {**states, **outputs, flop.clock: low}
    is_high = {**states, **outputs, flop.clock: ~low}
    holds, holds_high = _holds(cell.powers, is_low), _holds(cell.powers, is_high)
    mixes = _MixList(len(cell.powers))
    clock = _shares(cell.powers, holds, [flop.clock])
    data = [mixes.number(_data_weights(cell, old, states, holds_high)) for old in range(inputs)]
    return FlopEvents(
        outputs=_packed(outputs.values(), 2 * inputs)[[0, inputs]],
        next_states=following,
        clock_rises=mixes.number(_edges(clock, rises=~low)),
        clock_falls=mixes.number(_edges(_shares(cell.powers, holds_high, [flop.clock]), rises=low)),
        arcs=mixes.number(_flop_arcs(cell, following, inputs, outputs, holds)),
        data=np.concatenate(data),
        mixes=mixes.mixes(),
    )


def _checked(cell: Cell) -> int:
    if len(cell.inputs) > _MOST_INPUTS:
        raise ValueError(f"Cell {cell.name} must have at most {_MOST_INPUTS} inputs")
    return len(cell.inputs)


def _bits(pins: Sequence[str], count: int) -> dict[str, NDArray[np.bool_]]:
    numbers = np.arange(count)
    return {pin: (numbers >> place & 1).astype(np.bool_) for place, pin in enumerate(pins)}


def _packed(outputs: Iterable[NDArray[np.bool_]], count: int) -> NDArray[np.uint8]:
    packed = np.zeros(count, np.uint8)
    for place, values in enumerate(outputs):
        packed |= values.astype(np.uint8) << place
    return packed


def _holds(powers: Sequence[PowerGroup], states: States) -> NDArray[np.bool_]:
    """Return which groups' conditions hold, shape (groups, states)."""
    count = len(next(iter(states.values()))) if states else 1
    rows = [
        np.ones(count, np.bool_) if power.when is None else evaluate(power.when, states)
        for power in powers
    ]
    return np.array(rows, np.bool_).reshape(len(powers), count)


def _shares(
    powers: Sequence[PowerGroup], holds: NDArray[np.bool_], pins: Sequence[str], related: str = ""
) -> NDArray[np.float64]:
    """Return each group's share of a transition of ``pins``, shape (groups, states).

    Groups of one pin share what several conditions claim; a default has what none claims.
    """
    shares = np.zeros(holds.shape)
    for pin in pins:
        of_pin = [
            number
            for number, power in enumerate(powers)
            if power.pin == pin and (not related or related in power.related)
        ]
        conditioned = [number for number in of_pin if powers[number].when is not None]
        claims = holds[conditioned].sum(axis=0)
        shares[conditioned] = holds[conditioned] / np.maximum(claims, 1)
        for number in set(of_pin) - set(conditioned):
            shares[number] = claims == 0
    return shares


def _edges(shares: NDArray[np.float64], rises: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return shares as weights of rises and falls, shape (2 x groups, states)."""
    weights = np.zeros((2 * len(shares), shares.shape[1]))
    weights[0::2] = shares * rises
    weights[1::2] = shares * ~rises
    return weights


def _gate_weights(
    cell: Cell,
    old: int,
    states: States,
    outputs: States,
    holds: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return what the change from one state to each other takes."""
    weights = np.zeros((2 * len(cell.powers), holds.shape[1]))
    moved = {pin: states[pin] != states[pin][old] for pin in cell.inputs}
    for pin in cell.inputs:
        weights += _edges(_shares(cell.powers, holds, [pin]), states[pin]) * moved[pin]
    before = np.repeat(holds[:, old : old + 1], holds.shape[1], axis=1)
    for pin, values in outputs.items():
        shares = _caused(cell, pin, moved, holds, before)
        weights += _edges(shares, values) * (values != values[old])
    return weights


def _caused(
    cell: Cell, pin: str, moved: States, holds: NDArray[np.bool_], before: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return shares of an output's groups: the mean over the inputs that moved.

    Where no condition holds for any of them after the change, those count that held before it; at
    last, where the file names neither, all groups of these inputs.
    """
    total = np.zeros(holds.shape)
    is_open = np.ones(holds.shape[1], np.bool_)
    for seen in (holds, before, np.ones_like(holds)):
        causes = np.zeros(holds.shape[1])
        found = np.zeros(holds.shape)
        for related in cell.inputs:
            shares = _shares(cell.powers, seen, [pin], related) * moved[related]
            found += shares
            causes += shares.any(axis=0)
        total += found / np.maximum(causes, 1) * is_open
        is_open &= causes == 0
    return total


def _data_weights(
    cell: Cell, old: int, states: States, holds: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return what a change of a flip-flop's inputs takes, for each new state."""
    weights = np.zeros((2 * len(cell.powers), holds.shape[1]))
    for pin in cell.inputs:
        moved = states[pin] != states[pin][old]
        weights += _edges(_shares(cell.powers, holds, [pin]), states[pin]) * moved
    return weights


def _flop_arcs(
    cell: Cell,
    following: NDArray[np.uint8],
    inputs: int,
    outputs: States,
    holds: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return what outputs take that the clock's edge moves, for each state before it."""
    if cell.flip_flop is None:
        raise AssertionError("a combinational cell has no clock")
    weights = np.zeros((2 * len(cell.powers), holds.shape[1]))
    data = np.arange(holds.shape[1]) % inputs
    after = data + inputs * (following % FORBIDDEN)
    for pin, values in outputs.items():
        shares = _shares(cell.powers, holds, [pin], cell.flip_flop.clock)
        weights += _edges(shares, values[after]) * (values[after] != values)
    return weights

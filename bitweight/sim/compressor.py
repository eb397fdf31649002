"""Compressor trees: many bits of known weight down to two words, with no carry chain.

A tree is planned once per design and then only carried out: on integers by the models, on signals
by the RTL. So both add the same bits in the same order, and lockstep can compare them bit for bit.

The planner walks the columns from the least weight up and always compresses the bits that arrive
first, so late partial products meet a nearly finished column. A column of odd height starts with
a half adder, or its last full adder would wait for the carry of the column below and ripple.

Source: Stelling, Martel, Oklobdzija, Ravi, "Optimal Circuits for Parallel Multipliers", IEEE
Trans. Computers 47(3), 1998 (the three-greedy order; delays here are in XOR gates, our estimate).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

# Delay through a full adder, in XOR gates: two for the early inputs, one for the latest.
_EARLY_INPUT_DELAY = 2
_LATE_INPUT_DELAY = 1


class InputBit(NamedTuple):
    """A bit that enters a tree: its weight is ``2**column``, ``arrival`` is in XOR delays."""

    column: int
    arrival: int


class Adder(NamedTuple):
    """A full adder (three inputs) or half adder (two), by node number.

    Nodes are numbered: the tree's inputs in order, then the sum and carry of each adder in order.
    """

    inputs: tuple[int, ...]
    sum: int
    carry: int


@dataclass(frozen=True, slots=True)
class CompressorTree:
    """A planned tree.

    Attributes:
        width: Columns; carries out of the last are dropped (arithmetic modulo ``2**width``).
        adders: In an order in which every input is known before it is used.
        outputs: Per column the nodes that remain: at most two, sum word first.
        depth: Latest arrival of an output, in XOR delays.
    """

    width: int
    adders: tuple[Adder, ...]
    outputs: tuple[tuple[int, ...], ...]
    depth: int


class _Node(NamedTuple):
    arrival: int
    number: int


def plan_tree(inputs: Iterable[InputBit], width: int) -> CompressorTree:
    """Plan the tree that compresses ``inputs`` to at most two bits per column.

    Args:
        inputs: Bits in the order of their node numbers; those at columns past ``width`` are lost.
        width: Number of columns.
    """
    columns: list[list[_Node]] = [[] for _ in range(width + 1)]
    count = 0
    for number, bit in enumerate(inputs):
        columns[min(bit.column, width)].append(_Node(bit.arrival, number))
        count += 1
    adders: list[Adder] = []
    has_carry_in = False
    for column in range(width):
        before = len(adders)
        _compress(columns[column], columns[column + 1], adders, count, odd_needs_half=has_carry_in)
        has_carry_in = len(adders) > before
    kept = columns[:width]
    return CompressorTree(
        width=width,
        adders=tuple(adders),
        outputs=tuple(tuple(node.number for node in column) for column in kept),
        depth=max((node.arrival for column in kept for node in column), default=0),
    )


def _compress(
    column: list[_Node],
    above: list[_Node],
    adders: list[Adder],
    input_count: int,
    *,
    odd_needs_half: bool,
) -> None:
    """Reduce one column in place to at most two bits, adding its carries to the one above."""
    size = 2 if odd_needs_half and len(column) > 2 and len(column) % 2 else 3
    while len(column) > 2:
        column.sort()
        taken, column[:] = column[:size], column[size:]
        first = input_count + 2 * len(adders)
        arrival = max(taken[-1].arrival + _LATE_INPUT_DELAY, taken[-2].arrival + _EARLY_INPUT_DELAY)
        adders.append(Adder(tuple(node.number for node in taken), sum=first, carry=first + 1))
        column.append(_Node(arrival, first))
        above.append(_Node(arrival, first + 1))
        size = 3
    column.sort(key=lambda node: node.number)


def compress(tree: CompressorTree, bits: Iterable[int]) -> tuple[int, int]:
    """Carry out ``tree`` on the values of its inputs.

    Returns:
        The sum word and the carry word; modulo ``2**tree.width`` they add up to the inputs.
    """
    nodes = list(bits)
    for adder in tree.adders:
        total = sum(nodes[number] for number in adder.inputs)
        nodes += [total & 1, total >> 1]
    words = [0, 0]
    for column, outputs in enumerate(tree.outputs):
        for word, number in enumerate(outputs):
            words[word] |= nodes[number] << column
    return words[0], words[1]

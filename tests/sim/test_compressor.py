"""Compressor trees: they add, they leave two words, and late bits enter late."""

import itertools

import pytest
from hypothesis import given
from strategies import bit_heaps

from bitweight.sim.compressor import Adder, CompressorTree, InputBit, compress, plan_tree

Heap = tuple[int, list[InputBit], list[int]]


@given(bit_heaps())
def test_both_words_add_up_to_the_inputs(heap: Heap) -> None:
    width, inputs, values = heap
    words = compress(plan_tree(inputs, width), values)
    total = sum(value << bit.column for bit, value in zip(inputs, values, strict=True))
    assert sum(words) % 2**width == total % 2**width
    assert all(0 <= word < 2**width for word in words)


@given(bit_heaps())
def test_a_column_keeps_at_most_two_bits_and_no_bit_is_used_twice(heap: Heap) -> None:
    width, inputs, _ = heap
    tree = plan_tree(inputs, width)
    assert len(tree.outputs) == tree.width == width
    assert all(len(column) <= 2 for column in tree.outputs)
    used = [node for adder in tree.adders for node in adder.inputs]
    used += [node for column in tree.outputs for node in column]
    assert len(used) == len(set(used))
    # What neither an adder nor a word takes stands past the last column.
    inside = sum(bit.column < width for bit in inputs)
    assert len([node for node in used if node < len(inputs)]) == inside


@given(bit_heaps())
def test_adders_come_after_what_they_add_and_take_its_weight(heap: Heap) -> None:
    width, inputs, _ = heap
    tree = plan_tree(inputs, width)
    columns = [bit.column for bit in inputs]
    for number, adder in enumerate(tree.adders):
        first = len(inputs) + 2 * number
        assert (adder.sum, adder.carry) == (first, first + 1)
        assert all(node < first for node in adder.inputs)
        (column,) = {columns[node] for node in adder.inputs}
        columns += [column, column + 1]
    for column, nodes in enumerate(tree.outputs):
        assert all(columns[node] == column for node in nodes)


@given(bit_heaps())
def test_a_column_has_at_most_one_half_adder_and_it_is_the_first(heap: Heap) -> None:
    width, inputs, _ = heap
    tree = plan_tree(inputs, width)
    columns = [bit.column for bit in inputs]
    sizes: dict[int, list[int]] = {}
    for adder in tree.adders:
        column = columns[adder.inputs[0]]
        columns += [column, column + 1]
        sizes.setdefault(column, []).append(len(adder.inputs))
    for column_sizes in sizes.values():
        assert column_sizes[0] in {2, 3}
        assert set(column_sizes[1:]) <= {3}


@given(bit_heaps())
def test_depth_is_the_longest_path_through_the_adders(heap: Heap) -> None:
    width, inputs, _ = heap
    tree = plan_tree(inputs, width)
    arrivals = [bit.arrival for bit in inputs]
    for adder in tree.adders:
        *_, early, late = sorted(arrivals[node] for node in adder.inputs)
        # An adder's latest input is one XOR from its outputs, the others two.
        arrivals += [max(late + 1, early + 2)] * 2
    kept = [arrivals[node] for column in tree.outputs for node in column]
    assert tree.depth == max(kept, default=0)


@pytest.mark.parametrize("height", range(1, 7))
def test_small_heaps_add_up_for_every_value_of_their_bits(height: int) -> None:
    inputs = [InputBit(column, 0) for column in (0, 1) for _ in range(height)]
    tree = plan_tree(inputs, 4)
    cases = list(itertools.product((0, 1), repeat=2 * height))
    for values in cases:
        expected = sum(values[:height]) + 2 * sum(values[height:])
        assert sum(compress(tree, values)) % 16 == expected % 16
    assert len(cases) == 4**height


def test_three_bits_of_one_weight_are_one_full_adder() -> None:
    tree = plan_tree([InputBit(0, 0)] * 3, 2)
    assert tree == CompressorTree(
        width=2, adders=(Adder((0, 1, 2), sum=3, carry=4),), outputs=((3,), (4,)), depth=2
    )
    assert compress(tree, (1, 1, 1)) == (3, 0)


def test_the_bit_that_arrives_last_enters_last() -> None:
    tree = plan_tree([InputBit(0, 5), InputBit(0, 0), InputBit(0, 0), InputBit(0, 0)], 1)
    # The late bit is left to the output, which is ready when it is; no adder waits for it.
    assert [adder.inputs for adder in tree.adders] == [(1, 2, 3)]
    assert tree.outputs == ((0, 4),)
    assert tree.depth == 5


def test_a_late_bit_is_the_late_input_of_its_adder() -> None:
    tree = plan_tree([InputBit(0, 3), InputBit(0, 1), InputBit(0, 0)], 1)
    assert tree.adders[0].inputs == (2, 1, 0)
    assert tree.depth == 4


def test_an_odd_column_above_a_carry_starts_with_a_half_adder() -> None:
    # Column 1: three bits and one carry from column 0 is even, four and one is odd.
    even = plan_tree([InputBit(0, 0)] * 3 + [InputBit(1, 0)] * 3, 2)
    assert [len(adder.inputs) for adder in even.adders] == [3, 3]
    odd = plan_tree([InputBit(0, 0)] * 3 + [InputBit(1, 0)] * 4, 2)
    assert [len(adder.inputs) for adder in odd.adders] == [3, 2, 3]


def test_carries_out_of_the_last_column_are_lost() -> None:
    tree = plan_tree([InputBit(0, 0)] * 3 + [InputBit(1, 0)], 1)
    assert compress(tree, (1, 1, 1, 1)) == (1, 0)


def test_an_empty_heap_is_zero() -> None:
    assert compress(plan_tree([], 3), []) == (0, 0)

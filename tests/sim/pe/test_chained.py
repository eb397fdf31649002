"""Chained MACs: the words at a chain's end, against Python integers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import codes, pe_specs

from bitweight.sim.pe import CarrySaveMacSpec, ChainedMacSpec, MacSpec
from bitweight.sim.pe.chained import initial_chained, step_chained
from bitweight.sim.pe.mac import MacStructure
from bitweight.workloads.formats import INT4, UINT8

PES = [
    MacSpec(),
    MacSpec(structure=MacStructure.FUSED),
    MacSpec(structure=MacStructure.FUSED, pipelined=True),
    CarrySaveMacSpec(),
]


def end_of_chain(spec: ChainedMacSpec, pairs: list[tuple[int, int]]) -> tuple[int, ...]:
    """Return the words after one PE per operand pair."""
    words = spec.start
    for a, b in pairs:
        state = initial_chained(spec)
        for _ in range(spec.latency - 1):
            state = step_chained(spec, state, a, b, spec.start)
        words = step_chained(spec, state, a, b, words).words
    return words


@given(st.data())
def test_the_end_of_a_chain_is_the_sum_of_its_products(data: st.DataObject) -> None:
    pe: Any = data.draw(pe_specs())
    spec = ChainedMacSpec(pe=pe, depth=data.draw(st.integers(1, 9)))
    pair = st.tuples(codes(pe.a), codes(pe.b))
    pairs = data.draw(st.lists(pair, min_size=spec.depth, max_size=spec.depth))
    total = sum(a * b for a, b in pairs)
    words = end_of_chain(spec, pairs)
    assert all(0 <= word < 2**spec.width for word in words)
    if spec.width == pe.acc_width:
        # As wide as the accumulator: both wrap.
        assert (sum(words) - spec.bias - total) % 2**spec.width == 0
    elif spec.is_pair:
        assert sum(words) - spec.bias == total
        assert words[1] % 2 == 0
    else:
        half = 2 ** (spec.width - 1)
        assert (words[0] + half) % (2 * half) - half == total


@pytest.mark.parametrize("pe", PES)
def test_words_of_int8_are_as_wide_as_published(pe: MacSpec | CarrySaveMacSpec) -> None:
    # Source: arXiv 2503.06342, 16 + log2(depth) bits: 19 in the 8-deep cube, 20 in 16 rows.
    assert [ChainedMacSpec(pe=pe, depth=depth).width for depth in (8, 16)] == [19, 20]


def test_words_are_no_wider_than_the_accumulator() -> None:
    assert ChainedMacSpec(pe=CarrySaveMacSpec(acc_width=17), depth=64).width == 17


def test_registers_are_the_words_and_a_pipelined_product() -> None:
    bits = [ChainedMacSpec(pe=pe, depth=8).register_bits for pe in PES]
    # A pair of 17-bit words holds 128 * 128 + 21760, the product and its offset: 16 bits each.
    assert bits == [19, 19, 19 + 2 * 16, 19 + 18]
    narrow = MacSpec(a=UINT8, b=INT4, pipelined=True)
    assert ChainedMacSpec(pe=narrow, depth=2).register_bits == 13 + 12

"""Registers against their definition bit by bit, published vectors, and polynomials over GF(2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.lfsr import TAPS, states

# Distinct primes of 2**K - 1.
PRIMES = {
    17: (131071,),
    18: (3, 7, 19, 73),
    19: (524287,),
    20: (3, 5, 11, 31, 41),
    21: (7, 127, 337),
    22: (3, 23, 89, 683),
    23: (47, 178481),
    24: (3, 5, 7, 13, 17, 241),
}


@given(length=st.sampled_from(sorted(TAPS)), data=st.data())
def test_the_tapped_bits_enter_at_the_top(length: int, data: st.DataObject) -> None:
    seed = data.draw(st.integers(1, (1 << length) - 1))
    bits = [seed >> i & 1 for i in range(length)]
    for state in states(np.array([seed]), length=length, count=30)[0].tolist():
        bits = [*bits[1:], sum(bits[tap] for tap in TAPS[length]) % 2]
        assert state == sum(bit << i for i, bit in enumerate(bits))


@pytest.mark.parametrize("length", range(2, 17))
def test_every_state_but_zero_comes_once_in_a_period(length: int) -> None:
    period = (1 << length) - 1
    visited = states(np.array(1), length=length, count=period)
    assert visited[-1] == 1
    assert np.array_equal(np.sort(visited), np.arange(1, period + 1))


@pytest.mark.parametrize("length", range(17, 25))
def test_longer_registers_have_primitive_polynomials(length: int) -> None:
    # The new top bit is b[i+K] = sum of b[i+tap]: x has order 2**K - 1 modulo x**K + sum x**tap.
    polynomial = 1 << length | sum(1 << tap for tap in TAPS[length])
    order = (1 << length) - 1
    rest = order
    for prime in PRIMES[length]:
        assert power_of_x(order // prime, polynomial, length) != 1
        while rest % prime == 0:
            rest //= prime
    assert rest == 1
    assert power_of_x(order, polynomial, length) == 1


def power_of_x(exponent: int, polynomial: int, length: int) -> int:
    """Return x**exponent modulo a polynomial over GF(2), bits as coefficients."""
    result = 1
    for bit in f"{exponent:b}":
        square = 0
        for i in range(length):
            square ^= (result >> i & 1) << 2 * i
        result = square << int(bit)
        for i in range(2 * length, length - 1, -1):
            if result >> i & 1:
                result ^= polynomial << (i - length)
    return result


def test_states_after_1234_are_the_reference_vector() -> None:
    wanted = (
        "891a 448d 2246 9123 c891 e448 f224 f912 7c89 be44 df22 6f91 "
        "b7c8 5be4 adf2 d6f9 eb7c f5be fadf 7d6f 3eb7 9f5b 4fad 27d6"
    )
    found = states(np.array(0x1234), length=16, count=24)
    assert [f"{state:04x}" for state in found] == wanted.split()


def test_the_papers_example_of_three_bits_from_seed_4() -> None:
    assert states(np.array(4), length=3, count=8).tolist() == [2, 5, 6, 7, 3, 1, 4, 2]


def test_each_length_from_2_to_24_has_taps() -> None:
    assert sorted(TAPS) == list(range(2, 25))
    assert all(taps[0] == 0 and max(taps) < length for length, taps in TAPS.items())

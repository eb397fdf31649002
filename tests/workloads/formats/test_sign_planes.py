import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.workloads.formats.sign_planes import check_padding, pack_signs, unpack_signs


@given(k=st.integers(1, 70), n=st.integers(1, 5), planes=st.integers(1, 4), seed=st.integers(0, 99))
def test_packed_signs_unpack_to_themselves(k: int, n: int, planes: int, seed: int) -> None:
    signs = np.random.default_rng(seed).choice([-1, 1], (planes, k, n))
    words = pack_signs(signs)
    assert words.shape == (-(-k // 32), planes, n)
    assert words.dtype == np.uint32
    assert np.array_equal(unpack_signs(words, k), signs)
    check_padding("bcq", words, k)


def test_bit_j_of_word_i_is_the_sign_of_input_32_i_plus_j() -> None:
    signs = np.full((2, 64, 3), -1)
    signs[1, 32 + 5, 2] = 1
    signs[0, 31, 0] = 1
    wanted = np.zeros((2, 2, 3), np.uint32)
    wanted[1, 1, 2] = 1 << 5
    wanted[0, 0, 0] = 1 << 31
    assert np.array_equal(pack_signs(signs), wanted)


def test_signs_must_be_minus_or_plus_one() -> None:
    with pytest.raises(ValueError, match=r"Signs must be -1 or \+1, not 0"):
        pack_signs(np.zeros((1, 4, 4), np.int64))


def test_bits_past_k_must_be_zero() -> None:
    words = np.full((1, 1, 1), 1 << 20, np.uint32)
    check_padding("bcq1", words, 21)
    with pytest.raises(ValueError, match=re.escape("bcq1 words must hold 0 in the bits past k")):
        check_padding("bcq1", words, 20)

"""Shift-add codes: fits sign planes and power-of-two scales to each block, in turns.

A block is 8 inputs of an eighth of the outputs. It starts greedily, then repeats 50 times: scales
by least squares for the signs, sorted by magnitude and rounded to terms, signs by the nearest of
the 2**q levels. Terms that would stretch the layer's exponents beyond the format's span are then
dropped, and the signs chosen once more.

Of a scale's terms all but the last are the greatest powers of two not above what is left, and the
last is the nearest in the logarithm; so every term adds. The published rounding takes the nearest
each time and may subtract: with three terms its error is smaller by 0.1 % (2 bits, normal weights)
to 10 % (4 bits, SmolLM2's blk.5.attn_q); with one term both are the same.

Source: ShiftAddLLM, arXiv 2406.05981 (Lat; 50 rounds, three terms as in parsers.py). The published
method also feeds rounding errors forward by the activations' second moments; this one needs no
activations and does not.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.shift_add import (
    KEY,
    NO_TERM,
    ROW_BLOCKS,
    ShiftAdd,
    keys_along,
    scales_of,
)
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import Progress, check_weights, encode, no_progress
from bitweight.workloads.quantize.sign_planes import (
    by_magnitude,
    greedy,
    least_squares,
    nearest_codes,
    signs_of,
)

_ROUNDS = 50
_LEAST_EXPONENT = -127


@encode.register
def _(
    form: ShiftAdd, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    exponents = np.full(form.layout(k=k, n=n).side["exponents"].shape, NO_TERM, np.int8)
    keys = keys_along(k)
    for key in range(keys):
        exponents[key] = _fit(form, _blocks(values, key)).transpose(1, 0, 2)
        on_done(key + 1, keys)
    exponents[exponents < int(exponents.max()) - form.span] = NO_TERM
    codes = np.zeros((k, n), np.uint8)
    for key in range(keys):
        blocks = _blocks(values, key)
        nearest = nearest_codes(blocks, scales_of(exponents[key].transpose(1, 0, 2)))
        codes[key * KEY : (key + 1) * KEY] = nearest.reshape(n, -1).T
    return form.pack(signs_of(codes, form.bits), exponents)


def _blocks(values: NDArray[np.float64], key: int) -> NDArray[np.float64]:
    """Return the weights of one key, shape (row blocks, outputs of a block times inputs)."""
    part = values[key * KEY : (key + 1) * KEY]
    return np.ascontiguousarray(part.T).reshape(ROW_BLOCKS, -1)


def _fit(form: ShiftAdd, w: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the exponents of each block's scales, shape (blocks, q, terms)."""
    codes, alpha = greedy(w, form.bits)
    exponents = _terms(alpha, form.terms)
    for _round in range(_ROUNDS):
        fitted, _ = least_squares(w, codes, form.bits, offset=False)
        exponents = _terms(by_magnitude(fitted), form.terms)
        before, codes = codes, nearest_codes(w, scales_of(exponents))
        if np.array_equal(before, codes):  # further rounds would repeat this one
            break
    return exponents


def _terms(scales: NDArray[np.float64], terms: int) -> NDArray[np.int8]:
    """Return the exponents of scales that are not negative, shape (*scales.shape, terms)."""
    exponents = np.full((*scales.shape, terms), NO_TERM, np.int8)
    rest = scales.copy()
    for term in range(terms):
        # rest = mantissa * 2**exponent, mantissa in [0.5, 1): its logarithm needs no log.
        mantissa, exponent = np.frexp(rest)
        is_up = (mantissa >= math.sqrt(0.5)) & (term == terms - 1)
        chosen = np.where(is_up, exponent, exponent - 1)
        is_term = (rest > 0) & (chosen >= _LEAST_EXPONENT)
        if (is_term & (chosen > np.iinfo(np.int8).max)).any():
            raise ValueError(f"Scales must be below 2**127.5, not {rest.max():g}")
        exponents[..., term] = np.where(is_term, chosen, NO_TERM)
        rest -= np.where(is_term, np.ldexp(1.0, np.where(is_term, chosen, 0)), 0.0)
    return exponents

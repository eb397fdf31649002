"""Shift-add weights: binary codes whose scales are sums of powers of two.

A scale is 2**a, or 2**a + 2**b + 2**c: a weight times it is one shift, or three and two additions.
The layout is ShiftAddLLM's for latency: one scale per plane for 8 inputs (one look-up key) and an
eighth of the outputs, so a key's table entry is shifted after it is looked up. Exponents are int8;
-128 stands for no term, which a scale of 0, or one met before its last term, needs.

All terms add. The published quantiser also subtracts residual terms, but the published packing
stores exponents alone and the published kernel adds them: weights packed by it are not those that
were quantised. Here no sign is lost, since the encoder takes only terms that add.

A layer's exponents span at most ``span``, so that a fixed-point accumulator holds every sum.

Source: ShiftAddLLM, arXiv 2406.05981; arrays as in GATECH-EIC/ShiftAddLLM (Lat): exponents
(k/8, q, 8, terms), words as in ``sign_planes``. Reserved code, span and padding of k are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.sign_planes import (
    WORD_BITS,
    check_padding,
    pack_signs,
    unpack_signs,
    words_along,
)
from bitweight.workloads.packed_weights import ArrayLayout, PackedLayout, PackedWeights

KEY = 8
ROW_BLOCKS = 8
NO_TERM = -128
_EXPONENT_BITS = 8
_MAX_SPAN = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftAdd:
    """Binary codes under power-of-two scales per 8 inputs and eighth of the outputs.

    Attributes:
        bits: Sign planes of a weight, 1 to 4.
        terms: Powers of two in a scale, 1 or 3.
        span: Greatest exponent less the smallest of a layer, at most 30.
    """

    bits: int = 3
    terms: int = 3
    span: int = 14

    def __post_init__(self) -> None:
        """Refuse what no published form has and spans beyond a 64-bit sum."""
        if not 1 <= self.bits <= 4:
            raise ValueError(f"Shift-add codes must have 1 to 4 bits, not {self.bits!r}")
        if self.terms not in (1, 3):
            raise ValueError(f"Shift-add scales must have 1 or 3 terms, not {self.terms!r}")
        if not 0 <= self.span <= _MAX_SPAN:
            raise ValueError(f"Exponent span must be 0 to {_MAX_SPAN}, not {self.span!r}")

    @property
    def name(self) -> str:
        """Name of the format."""
        return f"shift_add{self.bits}"

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return q + 8 terms q / n, and what words and keys past k add."""
        _check_outputs(n)
        words = WORD_BITS * words_along(k) * self.bits * n
        exponents = _EXPONENT_BITS * keys_along(k) * self.bits * ROW_BLOCKS * self.terms
        return (words + exponents) / (k * n)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (ceil(k/32), q, n) and exponents (ceil(k/8), q, 8, terms)."""
        _check_outputs(n)
        exponents = (keys_along(k), self.bits, ROW_BLOCKS, self.terms)
        return PackedLayout(
            words=ArrayLayout((words_along(k), self.bits, n), np.uint32),
            side={"exponents": ArrayLayout(exponents, np.int8)},
        )

    def check(self, packed: PackedWeights) -> None:
        """Refuse set bits past k and exponents further apart than ``span``."""
        check_padding(self.name, packed.words, packed.k)
        used = _used(packed)
        if used.size and int(used.max()) - int(used.min()) > self.span:
            raise ValueError(
                f"{self.name} exponents of a layer must span at most {self.span}, not "
                f"{int(used.max()) - int(used.min())} ({used.min()} to {used.max()})"
            )

    def pack(self, signs: NDArray[np.integer], exponents: NDArray[np.int8]) -> PackedWeights:
        """Pack signs (q, k, n) and exponents (ceil(k/8), q, 8, terms)."""
        _, k, n = signs.shape
        return PackedWeights(
            format=self, k=k, n=n, words=pack_signs(signs), side={"exponents": exponents}
        )

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the signs -1 and +1, shape (q, k, n)."""
        return unpack_signs(packed.words, packed.k)

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n): exact in float64."""
        scales = scales_of(packed.side["exponents"])
        key_of = np.arange(packed.k) // KEY
        block_of = np.arange(packed.n) // (packed.n // ROW_BLOCKS)
        total = np.zeros((packed.k, packed.n))
        for plane, signs in enumerate(self.unpack(packed)):
            total += signs * scales[key_of[:, None], plane, block_of]
        return total

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Shift the one sum, in units of the layer's smallest term, to its place."""
        outputs: NDArray[np.float64] = np.ldexp(
            partials[:, :, 0, 0].astype(np.float64), least_exponent(packed)
        )
        return outputs


def keys_along(k: int) -> int:
    """Return how many keys of 8 inputs cover ``k``."""
    return -(-k // KEY)


def least_exponent(packed: PackedWeights) -> int:
    """Return the smallest exponent of a layer: the unit of its sums; 0 if it has no terms."""
    used = _used(packed)
    return int(used.min()) if used.size else 0


def scales_of(exponents: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the scales, the terms along the last axis added."""
    terms = np.where(exponents == NO_TERM, 0.0, np.ldexp(1.0, exponents.astype(np.int32)))
    scales: NDArray[np.float64] = terms.sum(axis=-1)
    return scales


def _used(packed: PackedWeights) -> NDArray[np.int8]:
    exponents = packed.side["exponents"]
    used: NDArray[np.int8] = exponents[exponents != NO_TERM]
    return used


def _check_outputs(n: int) -> None:
    if n % ROW_BLOCKS:
        raise ValueError(f"Shift-add weights must have a multiple of {ROW_BLOCKS} outputs, not {n}")

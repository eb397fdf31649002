"""SeedLM: a block of weights is a pseudo-random matrix times a few small coefficients.

A shift register started from the block's seed gives C x P states, row by row. Centred, they are the
integers ``a = state - 2**(K-1)``, and weight c of the block is

    w_c = 2**e / (2**(K-1) - 1) * sum_p a[c, p] * q_p        with e and all q_p in -8..7.

Only the seed, e and the q_p are stored, in one word: from bit 0 up the seed in K bits (the state
before the first one used), e + 8 in 4, then q_0, q_1, ... in 4 each, two's complement. Words follow
one another bit by bit, so 36-bit words straddle bytes. There is no other scale: at e = -8 weights
below about 0.005 lose accuracy.

Source: SeedLM, arXiv 2410.10714, section 3 and Table 1 (blocks), appendix A (registers). The order
of fields in a word, blocks that straddle rows and the seed as a state label are our reading.
"""

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.lfsr import TAPS, states
from bitweight.workloads.packed_weights import (
    ArrayLayout,
    PackedLayout,
    PackedWeights,
    pack_bits,
    unpack_bits,
)

_EXPONENT_BITS = 4
_COEFFICIENT_BITS = 4
_LEAST = -8  # of an exponent and of a coefficient
_MOST_WORD_BITS = 62  # of one unit in a beat of an engine


class ExponentRule(enum.StrEnum):
    """How an encoder picks e for real coefficients t; decoders need not know.

    Relative Frobenius error on N(0, 0.02**2) weights, 4-bit and 3-bit: FULL_RANGE 0.123 and 0.225,
    LITERAL 0.191 and 0.303.
    """

    FULL_RANGE = "full_range"
    """``floor(log2 max|t|) - 2``: the greatest coefficient becomes 4 to 7 in magnitude."""
    LITERAL = "literal"
    """``max floor(log2 |t|)``, as printed in the paper: coefficients stay within -2..2."""


class SeedlmCodes(NamedTuple):
    """The fields of every word, in the order of the stream.

    Attributes:
        seeds: Shape (blocks,).
        exponents: e, shape (blocks,).
        coefficients: q, shape (blocks, latent).
    """

    seeds: NDArray[np.int64]
    exponents: NDArray[np.int64]
    coefficients: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seedlm:
    """Blocks of weights as seeds and coefficients.

    Attributes:
        block: Weights of a block, the paper's C.
        latent: Coefficients of a block, its P.
        lfsr_length: Bits of a seed, its K.
        row_aligned: Whether each output's weights start a block and a byte of their own. Otherwise
            blocks run on from one output to the next and only the last is padded with zeros.
        exponent_rule: How the encoder picks e. Words decode the same, so formats are equal without.
    """

    block: int
    latent: int
    lfsr_length: int = 16
    row_aligned: bool = False
    exponent_rule: ExponentRule = field(default=ExponentRule.FULL_RANGE, compare=False)

    def __post_init__(self) -> None:
        """Refuse registers without taps, too many coefficients and words beyond an engine's."""
        if self.lfsr_length not in TAPS:
            raise ValueError(
                f"LFSR length must be {min(TAPS)} to {max(TAPS)} bits, not {self.lfsr_length!r}"
            )
        if not 1 <= self.latent <= self.block:
            raise ValueError(
                f"Coefficients of a block must number 1 to {self.block} (its weights), "
                f"not {self.latent!r}"
            )
        if self.word_bits > _MOST_WORD_BITS:
            raise ValueError(
                f"SeedLM word must have at most {_MOST_WORD_BITS} bits, not {self.word_bits}"
            )

    @property
    def name(self) -> str:
        """``seedlm`` and the bits of a weight."""
        return f"seedlm{self.word_bits / self.block:g}"

    @property
    def word_bits(self) -> int:
        """Bits of a block: K + 4 + 4 P."""
        return self.lfsr_length + _EXPONENT_BITS + _COEFFICIENT_BITS * self.latent

    @property
    def divisor(self) -> int:
        """What a centred state is divided by to lie in -1..1: 2**(K-1) - 1."""
        return (1 << (self.lfsr_length - 1)) - 1

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return (K + 4 + 4 P) / C, and what padding adds."""
        if self.row_aligned:
            return 8 * -(-(-(-k // self.block) * self.word_bits) // 8) / k
        return 8 * -(-(-(-k * n // self.block) * self.word_bits) // 8) / (k * n)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words, (n, bytes) if row-aligned and (bytes,) otherwise."""
        streams, blocks = self._streams(k=k, n=n)
        stream_bytes = -(-blocks * self.word_bits // 8)
        shape = (streams, stream_bytes) if self.row_aligned else (stream_bytes,)
        return PackedLayout(words=ArrayLayout(shape, np.uint8))

    def check(self, packed: PackedWeights) -> None:
        """Refuse seed 0, from which a register never moves."""
        if not self.unpack(packed).seeds.all():
            raise ValueError(
                f"{self.name} words must hold seeds 1 to {(1 << self.lfsr_length) - 1}, not 0"
            )

    def pack(self, codes: SeedlmCodes, *, k: int, n: int) -> PackedWeights:
        """Pack the fields of all blocks of a (k, n) matrix."""
        words = codes.seeds | (codes.exponents - _LEAST) << self.lfsr_length
        for p in range(self.latent):
            nibble = codes.coefficients[:, p] & 15
            words = words | nibble << self.lfsr_length + _EXPONENT_BITS + _COEFFICIENT_BITS * p
        streams = pack_bits(words.reshape(self._streams(k=k, n=n)), self.word_bits)
        return PackedWeights(
            format=self, k=k, n=n, words=streams if self.row_aligned else streams[0]
        )

    def unpack(self, packed: PackedWeights) -> SeedlmCodes:
        """Return the fields of all blocks."""
        _streams, blocks = self._streams(k=packed.k, n=packed.n)
        words = unpack_bits(packed.words, self.word_bits, blocks).reshape(-1)
        coefficients = words >> self.lfsr_length + _EXPONENT_BITS
        nibbles = coefficients[:, None] >> _COEFFICIENT_BITS * np.arange(self.latent) & 15
        return SeedlmCodes(
            seeds=words & (1 << self.lfsr_length) - 1,
            exponents=(words >> self.lfsr_length & 15) + _LEAST,
            coefficients=(nibbles ^ 8) - 8,
        )

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        codes = self.unpack(packed)
        sequence = states(
            codes.seeds, length=self.lfsr_length, count=self.block * self.latent
        ).reshape(-1, self.block, self.latent)
        centred = sequence - (1 << (self.lfsr_length - 1))
        sums = (centred * codes.coefficients[:, None, :]).sum(axis=2)
        values = np.ldexp(sums / self.divisor, codes.exponents[:, None])
        return self.from_blocks(values, k=packed.k, n=packed.n)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Scale sums of ``x * sum_p a q_p * 2**(e + 8)``: one constant for all."""
        return np.ldexp(partials[:, :, 0, 0] / self.divisor, _LEAST)

    def to_blocks(self, w: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cut weights, shape (k, n), into blocks along k of each output, shape (blocks, block)."""
        k, n = w.shape
        if self.row_aligned:
            rows = np.pad(w.T, ((0, 0), (0, -k % self.block)))
        else:
            rows = np.pad(w.T.reshape(-1), (0, -(k * n) % self.block))
        return rows.reshape(-1, self.block)

    def from_blocks(self, blocks: NDArray[np.float64], *, k: int, n: int) -> NDArray[np.float64]:
        """Join blocks, shape (blocks, block), to weights, shape (k, n), without the padding."""
        if self.row_aligned:
            return blocks.reshape(n, -1)[:, :k].T
        return blocks.reshape(-1)[: n * k].reshape(n, k).T

    def _streams(self, *, k: int, n: int) -> tuple[int, int]:
        """Return how many bit streams there are and the blocks of each."""
        if self.row_aligned:
            return n, -(-k // self.block)
        return 1, -(-k * n // self.block)


SEEDLM4 = Seedlm(block=8, latent=3)
SEEDLM3 = Seedlm(block=12, latent=4)

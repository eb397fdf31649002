"""SeedLM decoder: a word's seed becomes C x P states, and they its C weights in integers.

A block decodes to ``S_c = sum_p a[c, p] q_p`` with ``a = state - 2**(K-1)``, and the cell adds
``sum_c S_c x_c * 2**(e + 8)``: exact, a fixed point 8 bits below the unit. The one constant
2**(K-1) - 1 below all weights is left to the float side. ``WINDOW`` extends the K seed bits by
N = C P feedback bits and has every state as a slice of them, a block per clock. ``REGISTER`` shifts
the register itself, a state per clock, through one multiplier: a block per N clocks, each S_c
entering a shift register as its last product is added.

RTL twin: ``rtl.datapaths.seedlm``.
Source: SeedLM, arXiv 2410.10714, section 3 and appendix A; the look-ahead window, the widths and
the fixed point are our reading: the paper multiplies in fp16.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import (
    Operations,
    Part,
    Walk,
    contribute,
    decode,
    draw,
    partials,
    prepare,
    units,
)
from bitweight.sim.datapaths.drawn import often_extreme
from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.lfsr import TAPS
from bitweight.workloads.formats.seedlm import SEEDLM4, Seedlm, SeedlmCodes
from bitweight.workloads.packed_weights import PackedWeights

_MOST_SHIFT = 15  # e + 8
_GREATEST_COEFFICIENT = 8  # in magnitude
_MAX_K = 1 << 17
_MOST_ACC_BITS = 64
# Weights with their exponent are multiplied in two parts of at most 26 bits.
_LOW_BITS = 24


class Generator(enum.StrEnum):
    """How a column part makes the states of a block."""

    WINDOW = "window"
    REGISTER = "register"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedlmSpec:
    """Parameters of the SeedLM decoder.

    Attributes:
        a: Format of the activations.
        format: The weights.
        generator: All states of a block in one clock, or one per clock.
        pipelined: Register products before they are added: in cells, and in a column part that has
            one multiplier per state.
        max_k: Greatest k of a GEMM: what the accumulator holds.
    """

    a: IntFormat = INT8
    format: Seedlm = SEEDLM4
    generator: Generator = Generator.WINDOW
    pipelined: bool = False
    max_k: int = _MAX_K

    def __post_init__(self) -> None:
        """Refuse no k at all, a register of one state, and sums beyond 64 bits."""
        if self.max_k < 1:
            raise ValueError(f"Greatest k must be at least 1, not {self.max_k!r}")
        if self.is_serial and self.states == 1:
            raise ValueError("Generator of blocks of one state must be window, not register")
        if self.acc_width > _MOST_ACC_BITS:
            raise ValueError(
                f"Sums of {self.name} must fit {_MOST_ACC_BITS} bits, not {self.acc_width} "
                f"(greatest k {self.max_k}, activations {self.a})"
            )

    @property
    def is_serial(self) -> bool:
        """Whether a block takes a clock per state."""
        return self.generator is Generator.REGISTER

    @property
    def states(self) -> int:
        """States of a block: C P."""
        return self.format.block * self.format.latent

    @property
    def name(self) -> str:
        """Name of the datapath: the format's."""
        return self.format.name

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "decoder"

    @property
    def walk(self) -> Walk:
        """A block a beat; a serial column part takes a clock per state.

        K is whole blocks, unless every output starts one.
        """
        return Walk.straight(
            self.format.block,
            k_multiple=1 if self.format.row_aligned else self.format.block,
            interval=self.states if self.is_serial else 1,
        )

    @property
    def unit_bits(self) -> int:
        """A word."""
        return self.format.word_bits

    @property
    def units(self) -> int:
        """A word a beat."""
        return 1

    @property
    def side(self) -> None:
        """No side integers."""
        return

    @property
    def group(self) -> None:
        """One sum over the whole k: there are no scales along it."""
        return

    @property
    def planes(self) -> int:
        """One sum."""
        return 1

    @property
    def weight_max(self) -> int:
        """Greatest magnitude of S_c: all states at one end, all coefficients -8."""
        return self.format.latent * _GREATEST_COEFFICIENT * self.format.divisor

    @property
    def acc_width(self) -> int:
        """Bits that hold the sum of ``max_k`` products of greatest magnitude and exponent."""
        greatest = self.max_k * self.a.max_magnitude * self.weight_max << _MOST_SHIFT
        return greatest.bit_length() + 1

    @property
    def row_part(self) -> Part:
        """Wires, or a register that holds x until a serial column part answers."""
        return Part(latency=1 if self.is_serial else 0)

    @property
    def column_part(self) -> Part:
        """Window, products if registered, sums; or an edge per state.

        A product per state, added up to one S per weight; XORs do not count.
        """
        adds = self.format.block * (self.format.latent - 1)
        return Part(
            latency=self.states if self.is_serial else 2 + self.pipelined,
            operations=Operations(adds=adds, multiplies=self.states),
        )

    @property
    def cell(self) -> Part:
        """Products if registered, sum of the block, shift, add.

        A multiply-add per weight; shifts do not count.
        """
        work = Operations(adds=self.format.block, multiplies=self.format.block)
        return Part(latency=3 + self.pipelined, operations=work)


@units.register
def _(spec: SeedlmSpec, packed: PackedWeights) -> NDArray[np.int64]:
    streams = packed.words.reshape(packed.n if spec.format.row_aligned else 1, -1)
    blocks = spec.walk.beats(packed.k) * packed.n // len(streams)
    first_bits = np.arange(blocks) * spec.unit_bits
    at, shift = first_bits // 8, (first_bits % 8).astype(np.uint64)
    stored = np.pad(streams, ((0, 0), (0, 8))).astype(np.uint64)
    words = np.zeros((len(streams), blocks), np.uint64)
    for byte in range(8):
        words |= stored[:, at + byte] << np.uint64(8 * byte)
    words >>= shift
    # A word may end in a ninth byte, with the bits that the shift has made room for.
    words |= np.where(shift > 0, stored[:, at + 8] << (64 - shift) % np.uint64(64), 0)
    words &= np.uint64((1 << spec.unit_bits) - 1)
    return words.astype(np.int64).reshape(packed.n, -1, 1).transpose(1, 0, 2)


@prepare.register
def _(spec: SeedlmSpec, x: Sequence[int]) -> tuple[int, ...]:
    return tuple(x)


@decode.register
def _(
    spec: SeedlmSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return S of every weight, then e + 8."""
    length, latent = spec.format.lfsr_length, spec.format.latent
    (word,) = units
    bits = [word >> i & 1 for i in range(length)]
    while len(bits) < length + spec.states:
        bits.append(sum(bits[len(bits) - length + tap] for tap in TAPS[length]) % 2)
    shift = word >> length & 15
    nibbles = [word >> length + 4 + 4 * p & 15 for p in range(latent)]
    coefficients = [nibble - 16 if nibble > 7 else nibble for nibble in nibbles]
    sums = []
    for c in range(spec.format.block):
        total = 0
        for p, q in enumerate(coefficients):
            first = 1 + c * latent + p
            state = sum(bit << i for i, bit in enumerate(bits[first : first + length]))
            total += (state - (1 << length - 1)) * q
        sums.append(total)
    return (*sums, shift)


@contribute.register
def _(spec: SeedlmSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    *sums, shift = column
    return (sum(x * s for x, s in zip(row, sums, strict=True)) << shift,)


@partials.register
def _(spec: SeedlmSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    weights = _decode_all(spec, units(spec, packed)[:, :, 0])[: packed.k]
    sums = matmul(x, weights >> _LOW_BITS) << _LOW_BITS
    sums += matmul(x, weights & (1 << _LOW_BITS) - 1)
    return sums[:, :, None, None]


def _decode_all(spec: SeedlmSpec, words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return S times 2**(e + 8) of words, shape (beats, n), as (k, n)."""
    length, block, latent = spec.format.lfsr_length, spec.format.block, spec.format.latent
    state = words & (1 << length) - 1
    weights = np.zeros((len(words), block, words.shape[1]), np.int64)
    for at in range(spec.states):
        entering = np.bitwise_xor.reduce([state >> tap & 1 for tap in TAPS[length]])
        state = state >> 1 | entering << length - 1
        c, p = divmod(at, latent)
        # Its four bits at the top, and arithmetically down again.
        q = words << 60 - (length + 4 + 4 * p) >> 60
        weights[:, c] += (state - (1 << length - 1)) * q
    weights <<= (words >> length & 15)[:, None]
    return weights.reshape(-1, words.shape[1])


@draw.register
def _(spec: SeedlmSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    form = spec.format
    blocks = n * spec.walk.beats(k) if form.row_aligned else -(-k * n // form.block)
    top = 1 << form.lfsr_length
    codes = SeedlmCodes(
        seeds=often_extreme(rng, (1, top >> 1, top - 1), rng.integers(1, top, blocks)),
        exponents=often_extreme(rng, (-8, 7), rng.integers(-8, 8, blocks)),
        coefficients=often_extreme(rng, (-8, 7), rng.integers(-8, 8, (blocks, form.latent))),
    )
    return form.pack(codes, k=k, n=n)

"""Block formats of GGUF files: packed bytes to integer codes, scales and minima.

A matrix is stored as (N, K), one row per output; K runs along a row and is cut into blocks that
share a scale. Every block format here is ``value = scale * code + minimum`` per group along K:

    format      elements, bytes   group   code        scale        minimum
    Q8_0              32, 34      32      int8        d            -
    Q4_0, Q5_0    32, 18 or 22    32      int4, int5  d            -       (code - 8, code - 16)
    Q4_1, Q5_1    32, 20 or 24    32      uint4, 5    d            m
    Q4_K             256, 144     32      uint4       d * s6       -dmin * m6
    Q6_K             256, 210     16      int6        d * s8       -       (code - 32)

Source: block structures of ggml (ggml-common.h) and its reference dequantisation; products are
rounded to float32 in the same order, so values agree bit for bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats import INT4, INT8, UINT4, IntFormat

_INT5 = IntFormat(width=5)
_UINT5 = IntFormat(width=5, signed=False)
_INT6 = IntFormat(width=6)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockCodes:
    """Integer codes of a matrix, as stored: (N, K), one row per output.

    Attributes:
        format: Integers that the codes are.
        group: Neighbours along K that share a scale; divides K.
        codes: int8 or uint8, shape (N, K).
        scale: float32, shape (N, K / group); may be negative.
        minimum: float32, shape (N, K / group), added to scale * code; None for zero.
    """

    format: IntFormat
    group: int
    codes: NDArray[Any]
    scale: Floats
    minimum: Floats | None = None

    def dequantise(self) -> Floats:
        """Return the values, float32, shape (N, K): scale * code + minimum, each step rounded."""
        rows, k = self.codes.shape
        grouped = self.codes.reshape(rows, -1, self.group).astype(np.float32)
        values = grouped * self.scale[:, :, None]
        if self.minimum is not None:
            values += self.minimum[:, :, None]
        return values.reshape(rows, k)


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """How one GGUF type packs its blocks.

    Attributes:
        elements: Elements of a block along K.
        size_bytes: Bytes of a block.
        unpack: Blocks, uint8 of shape (N, blocks, size_bytes), to codes.
    """

    elements: int
    size_bytes: int
    unpack: Callable[[Bytes], BlockCodes]

    def decode(self, data: Bytes) -> BlockCodes:
        """Unpack rows of bytes, uint8 of shape (N, K / elements * size_bytes)."""
        return self.unpack(data.reshape(data.shape[0], -1, self.size_bytes))


def float_values(type_name: str, data: NDArray[Any]) -> Floats:
    """Return the values of an F32, F16 or BF16 matrix as float32, shape (N, K)."""
    if type_name == "BF16":
        halves = np.ascontiguousarray(data).view("<u2")
        return (halves.astype(np.uint32) << 16).view(np.float32)
    return data.astype(np.float32)


def _half(blocks: Bytes, at: int) -> Floats:
    """Read the float16 at byte ``at`` of each block, shape (N, blocks)."""
    return np.ascontiguousarray(blocks[..., at : at + 2]).view("<f2")[..., 0].astype(np.float32)


def _nibbles(packed: Bytes) -> NDArray[Any]:
    """Return all low nibbles of the last axis, then all high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fifth_bits(blocks: Bytes, at: int) -> NDArray[Any]:
    """Return bit 4 of 32 codes, in place: bit i of the 32-bit word belongs to code i."""
    bits: NDArray[Any] = np.unpackbits(blocks[..., at : at + 4], axis=-1, bitorder="little")
    return bits << 4


def _rows(codes: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    return codes.astype(dtype).reshape(codes.shape[0], -1)


def _centred(codes: NDArray[Any], centre: int) -> NDArray[Any]:
    return _rows(codes.astype(np.int16) - centre, np.int8)


def _q8_0(blocks: Bytes) -> BlockCodes:
    codes = np.ascontiguousarray(blocks[..., 2:]).view(np.int8)
    return BlockCodes(format=INT8, group=32, codes=_rows(codes, np.int8), scale=_half(blocks, 0))


def _q4_0(blocks: Bytes) -> BlockCodes:
    codes = _centred(_nibbles(blocks[..., 2:]), 8)
    return BlockCodes(format=INT4, group=32, codes=codes, scale=_half(blocks, 0))


def _q4_1(blocks: Bytes) -> BlockCodes:
    return BlockCodes(
        format=UINT4,
        group=32,
        codes=_rows(_nibbles(blocks[..., 4:]), np.uint8),
        scale=_half(blocks, 0),
        minimum=_half(blocks, 2),
    )


def _q5_0(blocks: Bytes) -> BlockCodes:
    codes = _nibbles(blocks[..., 6:]) | _fifth_bits(blocks, 2)
    return BlockCodes(format=_INT5, group=32, codes=_centred(codes, 16), scale=_half(blocks, 0))


def _q5_1(blocks: Bytes) -> BlockCodes:
    codes = _nibbles(blocks[..., 8:]) | _fifth_bits(blocks, 4)
    return BlockCodes(
        format=_UINT5,
        group=32,
        codes=_rows(codes, np.uint8),
        scale=_half(blocks, 0),
        minimum=_half(blocks, 2),
    )


def _q4_k(blocks: Bytes) -> BlockCodes:
    # Bytes 4-15 hold eight 6-bit scales and minima; the last four of each have their two high
    # bits in the high bits of the first four.
    low, middle, high = (blocks[..., at : at + 4] for at in (4, 8, 12))
    scales = np.concatenate([low & 63, (high & 15) | (low >> 6 << 4)], axis=-1)
    minima = np.concatenate([middle & 63, (high >> 4) | (middle >> 6 << 4)], axis=-1)
    packed = blocks[..., 16:].reshape(*blocks.shape[:2], 4, 32)
    return BlockCodes(
        format=UINT4,
        group=32,
        codes=_rows(_nibbles(packed), np.uint8),
        scale=_rows(_half(blocks, 0)[..., None] * scales.astype(np.float32), np.float32),
        minimum=_rows(-(_half(blocks, 2)[..., None] * minima.astype(np.float32)), np.float32),
    )


def _q6_k(blocks: Bytes) -> BlockCodes:
    # Halves of 128 codes: 64 bytes of low nibbles, 32 bytes of four 2-bit high parts.
    low = _nibbles(blocks[..., :128].reshape(*blocks.shape[:2], 2, 64))
    packed = blocks[..., 128:192].reshape(*blocks.shape[:2], 2, 32)
    high = np.concatenate([packed >> shift & 3 for shift in (0, 2, 4, 6)], axis=-1)
    scales = np.ascontiguousarray(blocks[..., 192:208]).view(np.int8)
    return BlockCodes(
        format=_INT6,
        group=16,
        codes=_centred(low | high << 4, 32),
        scale=_rows(_half(blocks, 208)[..., None] * scales.astype(np.float32), np.float32),
    )


BLOCK_FORMATS: Mapping[str, BlockFormat] = {
    "Q8_0": BlockFormat(32, 34, _q8_0),
    "Q4_0": BlockFormat(32, 18, _q4_0),
    "Q4_1": BlockFormat(32, 20, _q4_1),
    "Q5_0": BlockFormat(32, 22, _q5_0),
    "Q5_1": BlockFormat(32, 24, _q5_1),
    "Q4_K": BlockFormat(256, 144, _q4_k),
    "Q6_K": BlockFormat(256, 210, _q6_k),
}
FLOAT_FORMATS = ("F32", "F16", "BF16")

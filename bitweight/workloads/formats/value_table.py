"""Codes into a table of values, with a scale per group: w = table[code] * scale.

A code has 2, 3 or 4 bits and the table any rising values, by default NormalFloat's: quantiles of a
normal distribution. Two consecutive codes of an output make a pair index, the first in its high
half, so that one look-up in a table of pairs gives both weights. With 2 and 4 bits pair indices
fill 16-bit words from bit 0 up. With 3 bits, 16 of them fill three 32-bit words: word w holds pairs
w, w + 3, ... w + 12 from bit 0 up, and in bits 31:30 the bits 2w + 1:2w of pair 15. Rows are padded
to whole words (3 bits: to three) with the code of weight 0.

Memory holds table and scales in fp16. An integer datapath holds the table as ``entries`` instead:
multiples of ``unit``, which reaches the greatest magnitude with the greatest code. A power of two
would lose up to one bit of them; the unit costs nothing, since it joins the scales.

Source: FLUTE, arXiv 2407.10960, and its public code (nf_utils.py, utils.py): tables, pair indices,
words. FLUTE then permutes words for its GPU tiles, and keeps word 0 of three apart from the others;
here they stay row by row, as DRAM would stream them to one output.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along, per_weight
from bitweight.workloads.formats.integer import INT8, IntFormat
from bitweight.workloads.packed_weights import ArrayLayout, PackedLayout, PackedWeights

NF2 = (-1.0, 0.0, 0.3379151, 1.0)
NF3 = (-1.0, -0.4786291, -0.2171418, 0.0, 0.1609301, 0.3379151, 0.5626169, 1.0)
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
_NORMAL_FLOAT = {NF2: "nf2", NF3: "nf3", NF4: "nf4"}
# Codes of the least run that fills whole storage words.
_BLOCK = {2: 8, 3: 32, 4: 4}
_SCALE_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTable:
    """Table look-up with a scale per group.

    Attributes:
        table: 4, 8 or 16 values, rising also once rounded to fp16.
        group: Weights along k that share a scale; the last group may be shorter.
        entry: Signed format of the table's entries in an integer datapath.
    """

    table: tuple[float, ...] = NF4
    group: int = 128
    entry: IntFormat = INT8

    def __post_init__(self) -> None:
        """Refuse tables that codes cannot index or midpoints cannot part."""
        if len(self.table) not in (4, 8, 16):
            raise ValueError(f"Table must have 4, 8 or 16 values, not {len(self.table)}")
        with np.errstate(over="ignore"):
            halves = np.asarray(self.table, np.float64).astype(np.float16)
        if not np.isfinite(halves).all() or not (halves[1:] > halves[:-1]).all():
            shown = ", ".join(map(str, halves))
            raise ValueError(f"Table must rise from value to value, in fp16 too, not {shown}")
        if self.group < 1:
            raise ValueError(f"Group must be at least 1 weight, not {self.group!r}")
        if not self.entry.signed:
            raise ValueError(f"Table entries must be signed, not {self.entry}")

    @property
    def name(self) -> str:
        """``nf2``, ``nf3`` or ``nf4``, or for another table ``table4`` and so on."""
        return _NORMAL_FLOAT.get(self.table, f"table{self.bits}")

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return len(self.table).bit_length() - 1

    @property
    def block(self) -> int:
        """Codes that fill whole storage words: what rows are padded to."""
        return _BLOCK[self.bits]

    @property
    def values(self) -> NDArray[np.float16]:
        """The table as memory holds it."""
        return np.array(self.table, np.float16)

    @property
    def unit(self) -> float:
        """Value of entry 1 in an integer datapath."""
        return float(np.abs(self.values).max()) / self.entry.max

    @property
    def entries(self) -> tuple[int, ...]:
        """The table in an integer datapath, in units of ``unit``, rounded half to even."""
        return tuple(int(value) for value in np.rint(self.values.astype(np.float64) / self.unit))

    @property
    def zero_code(self) -> int:
        """Code whose value is nearest to 0; of two as near, the lower."""
        return int(np.abs(self.values).argmin())

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return b + 16/g, and what padding adds."""
        padded = -(-k // self.block) * self.block
        return (self.bits * padded + _SCALE_BITS * groups_along(k, self.group)) / k

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words, (n, words of a row), and the scale, (n, groups)."""
        blocks = -(-k // self.block)
        words = (
            ArrayLayout((n, 3 * blocks), np.uint32)
            if self.bits == 3
            else ArrayLayout((n, blocks), np.uint16)
        )
        scale = ArrayLayout((n, groups_along(k, self.group)), np.float16)
        return PackedLayout(words=words, scales={"scale": scale})

    def check(self, packed: PackedWeights) -> None:
        """Refuse scales below 0: a scale is a greatest magnitude."""
        least = packed.scales["scale"].min()
        if least < 0:
            raise ValueError(f"{self.name} scale must be at least 0, not {least}")

    def pack(self, codes: NDArray[np.integer], scale: NDArray[np.float16]) -> PackedWeights:
        """Pack codes of shape (k, n) and scales of shape (n, groups)."""
        k, n = codes.shape
        padding = ((0, 0), (0, -k % self.block))
        padded = np.pad(codes.T.astype(np.int64), padding, constant_values=self.zero_code)
        pairs = (padded[:, 0::2] << self.bits | padded[:, 1::2]).reshape(n, -1, self.block // 2)
        if self.bits == 3:
            words = _three_words(pairs).reshape(n, -1)
        else:
            shifts = 2 * self.bits * np.arange(self.block // 2)
            words = (pairs << shifts).sum(axis=2).astype(np.uint16)
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"scale": scale})

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the codes, shape (k, n)."""
        n = packed.n
        words = packed.words.astype(np.int64)
        if self.bits == 3:
            pairs = _pairs_of_three_words(words.reshape(n, -1, 3))
        else:
            shifts = 2 * self.bits * np.arange(self.block // 2)
            pairs = words[:, :, None] >> shifts & (1 << 2 * self.bits) - 1
        pairs = pairs.reshape(n, -1)
        codes = np.stack([pairs >> self.bits, pairs & (1 << self.bits) - 1], axis=2)
        return codes.reshape(n, -1)[:, : packed.k].T

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n): exact products of the fp16 values."""
        scale = packed.scales["scale"].astype(np.float64)
        weights: NDArray[np.float64] = self.values.astype(np.float64)[self.unpack(packed)]
        return weights * per_weight(scale, self.group, packed.k)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Scale the sum of every group, in units of ``unit``, and add them."""
        scale = packed.scales["scale"].astype(np.float64) * self.unit
        outputs: NDArray[np.float64] = np.einsum("mng,ng->mn", partials[:, :, 0], scale)
        return outputs


def entry_errors(form: ValueTable) -> NDArray[np.float64]:
    """Return what each entry of the integer datapath, in ``unit``, is above the fp16 value."""
    return np.array(form.entries) * form.unit - form.values.astype(np.float64)


def _three_words(pairs: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the words, shape (n, blocks, 3), of pairs, shape (n, blocks, 16)."""
    shifts = 6 * np.arange(5)
    words = np.empty((*pairs.shape[:2], 3), np.uint32)
    for w in range(3):
        last = pairs[:, :, 15] >> 2 * w & 3
        words[:, :, w] = (pairs[:, :, w:15:3] << shifts).sum(axis=2) | last << 30
    return words


def _pairs_of_three_words(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs, shape (n, blocks, 16), of words, shape (n, blocks, 3)."""
    pairs = np.zeros((*words.shape[:2], 16), np.int64)
    for w in range(3):
        pairs[:, :, w:15:3] = words[:, :, w, None] >> 6 * np.arange(5) & 63
        pairs[:, :, 15] |= (words[:, :, w] >> 30) << 2 * w
    return pairs

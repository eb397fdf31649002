"""Two trit planes per group: w is about a1 t1 + a2 t2 with t1, t2 in {-1, 0, 1}.

``TritPlanes`` keeps both trits and both scales. ``TritNine`` ties a1 = 3 a2, so a weight is one
balanced-ternary code v = 3 t1 + t2 in -4..4 and one scale. Either stores a nibble per weight, the
even k in the low half of a byte: t1 in its low two bits and t2 above (two's complement, 10 unused),
or v in four. Rows are padded to whole bytes with code 0.

Source: PTQTP, arXiv 2509.16989 (planes, group of 128); the tied form is public in Fucina's manual,
section 10.9. The packing is ours: the paper's own is not public.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along, per_weight
from bitweight.workloads.packed_weights import (
    ArrayLayout,
    PackedLayout,
    PackedWeights,
    pack_bits,
    unpack_bits,
)

_NIBBLE = 4
_SCALE_BITS = 16
_UNUSED_TRIT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TritPlanes:
    """Two independent trit planes.

    Attributes:
        group: Weights along k that share a1 and a2; the last group may be shorter.
    """

    group: int = 128

    def __post_init__(self) -> None:
        """Refuse an empty group."""
        _check_group(self.group)

    @property
    def name(self) -> str:
        """Name of the format."""
        return "trit_planes"

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return 4 + 32/g, and what padding adds."""
        return _bits_per_weight(self.group, scales=2, k=k)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (n, bytes) and the scales a1 and a2, (n, groups)."""
        return _layout(self.group, ("a1", "a2"), k=k, n=n)

    def check(self, packed: PackedWeights) -> None:
        """Refuse the unused trit 10."""
        nibbles = unpack_bits(packed.words, _NIBBLE, packed.k)
        if ((nibbles & 3 == _UNUSED_TRIT) | (nibbles >> 2 == _UNUSED_TRIT)).any():
            raise ValueError("trit_planes words must hold trits 00, 01 or 11, not 10")

    def pack(
        self,
        t1: NDArray[np.integer],
        t2: NDArray[np.integer],
        a1: NDArray[np.float16],
        a2: NDArray[np.float16],
    ) -> PackedWeights:
        """Pack trits of shape (k, n) and scales of shape (n, groups)."""
        k, n = t1.shape
        words = pack_bits((t1.T & 3) | (t2.T & 3) << 2, _NIBBLE)
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"a1": a1, "a2": a2})

    def unpack(self, packed: PackedWeights) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the trits t1 and t2, each of shape (k, n)."""
        nibbles = unpack_bits(packed.words, _NIBBLE, packed.k).T
        return _signed(nibbles & 3, 2), _signed(nibbles >> 2, 2)

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        total = np.zeros((packed.k, packed.n))
        for trits, name in zip(self.unpack(packed), ("a1", "a2"), strict=True):
            total += trits * per_weight(packed.scales[name].astype(float), self.group, packed.k)
        return total

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Scale both planes of every group and add them."""
        scales = np.stack([packed.scales["a1"], packed.scales["a2"]], axis=1).astype(np.float64)
        outputs: NDArray[np.float64] = np.einsum("mnpg,npg->mn", partials.astype(float), scales)
        return outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class TritNine:
    """One nine-level code: both planes under tied scales.

    Attributes:
        group: Weights along k that share a scale; the last group may be shorter.
    """

    group: int = 128

    def __post_init__(self) -> None:
        """Refuse an empty group."""
        _check_group(self.group)

    @property
    def name(self) -> str:
        """Name of the format."""
        return "trit_nine"

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return 4 + 16/g, and what padding adds."""
        return _bits_per_weight(self.group, scales=1, k=k)

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (n, bytes) and the scale, (n, groups)."""
        return _layout(self.group, ("scale",), k=k, n=n)

    def check(self, packed: PackedWeights) -> None:
        """Refuse codes outside -4..4."""
        codes = self.unpack(packed)
        if codes.min() < -4 or codes.max() > 4:
            raise ValueError(
                f"trit_nine words must hold codes -4 to 4, not {codes.min()} to {codes.max()}"
            )

    def pack(self, codes: NDArray[np.integer], scale: NDArray[np.float16]) -> PackedWeights:
        """Pack codes of shape (k, n) and scales of shape (n, groups)."""
        k, n = codes.shape
        words = pack_bits(codes.T, _NIBBLE)
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"scale": scale})

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the codes, shape (k, n)."""
        return _signed(unpack_bits(packed.words, _NIBBLE, packed.k).T, _NIBBLE)

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        scale = packed.scales["scale"].astype(np.float64)
        return self.unpack(packed) * per_weight(scale, self.group, packed.k)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Scale every group and add them."""
        scale = packed.scales["scale"].astype(np.float64)
        outputs: NDArray[np.float64] = np.einsum("mng,ng->mn", partials[:, :, 0], scale)
        return outputs


def _check_group(group: int) -> None:
    if group < 1:
        raise ValueError(f"Group must be at least 1 weight, not {group!r}")


def _bits_per_weight(group: int, *, scales: int, k: int) -> float:
    return (8 * -(-k // 2) + scales * _SCALE_BITS * groups_along(k, group)) / k


def _layout(group: int, scales: tuple[str, ...], *, k: int, n: int) -> PackedLayout:
    per_group = ArrayLayout((n, groups_along(k, group)), np.float16)
    return PackedLayout(
        words=ArrayLayout((n, -(-k // 2)), np.uint8), scales=dict.fromkeys(scales, per_group)
    )


def _signed(codes: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    half = 1 << (width - 1)
    return (codes ^ half) - half

"""Four-bit codes that decode to int8: w = (u4 - z) * S2 * s1, two scales of two grains.

S2 (1 to 127) and the zero point z (0 to 15) are integers per group along k; s1 is one float per
output. (u4 - z) * S2 is an integer weight of magnitude 127 at most, so a plain int8 engine follows
and floats meet whole sums only. Two codes share a byte, the first in its high nibble; rows are
padded to whole bytes with the code z, weight 0.

Source: DGQ, arXiv 2310.04836, and its public code, quant_linear.py (nibbles; S2 and z in 8 bits
each) and quantizer_helper.py (the range of codes).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along, per_weight
from bitweight.workloads.packed_weights import ArrayLayout, PackedLayout, PackedWeights

CODE_MAX = 15
"""Greatest code, and greatest zero point."""

WEIGHT_MAX = 127
"""Greatest magnitude of an integer weight, and greatest S2."""

_SIDE_BITS, _SCALE_BITS = 8, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DualGrained:
    """Group-wise integer scale and zero point under one float per output.

    Attributes:
        group: Weights along k that share S2 and z; the last group may be shorter.
    """

    group: int = 128

    def __post_init__(self) -> None:
        """Refuse an empty group."""
        if self.group < 1:
            raise ValueError(f"Group must be at least 1 weight, not {self.group!r}")

    @property
    def name(self) -> str:
        """Name of the format."""
        return "dual_grained"

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return 4 + 16/g + 16/k, and what padding adds."""
        side = 2 * _SIDE_BITS * groups_along(k, self.group)
        return (8 * -(-k // 2) + side + _SCALE_BITS) / k

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (n, bytes), S2 and z (n, groups) and s1 (n,)."""
        per_group = ArrayLayout((n, groups_along(k, self.group)), np.int8)
        return PackedLayout(
            words=ArrayLayout((n, -(-k // 2)), np.uint8),
            side={"S2": per_group, "z": per_group},
            scales={"s1": ArrayLayout((n,), np.float16)},
        )

    def check(self, packed: PackedWeights) -> None:
        """Refuse an S2 or z out of range, and integer weights beyond 127."""
        for name, least, greatest in (("S2", 1, WEIGHT_MAX), ("z", 0, CODE_MAX)):
            values = packed.side[name]
            if values.min() < least or values.max() > greatest:
                raise ValueError(
                    f"dual_grained {name} must be {least} to {greatest}, "
                    f"not {values.min()} to {values.max()}"
                )
        weights = self.integers(packed)
        if np.abs(weights).max() > WEIGHT_MAX:
            raise ValueError(
                f"dual_grained weights (u4 - z) S2 must be -{WEIGHT_MAX} to {WEIGHT_MAX}, "
                f"not {weights.min()} to {weights.max()}"
            )
        if packed.scales["s1"].min() < 0:
            raise ValueError(f"dual_grained s1 must be at least 0, not {packed.scales['s1'].min()}")

    def pack(
        self,
        codes: NDArray[np.integer],
        s2: NDArray[np.integer],
        z: NDArray[np.integer],
        s1: NDArray[np.float16],
    ) -> PackedWeights:
        """Pack codes of shape (k, n), S2 and z of shape (n, groups), and s1 of shape (n,)."""
        k, n = codes.shape
        rows = codes.T.astype(np.uint8)
        if k % 2:
            rows = np.concatenate([rows, z[:, -1:].astype(np.uint8)], axis=1)
        return PackedWeights(
            format=self,
            k=k,
            n=n,
            words=rows[:, 0::2] << 4 | rows[:, 1::2],
            side={"S2": s2.astype(np.int8), "z": z.astype(np.int8)},
            scales={"s1": s1},
        )

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the codes u4, shape (k, n)."""
        nibbles = np.stack([packed.words >> 4, packed.words & CODE_MAX], axis=2)
        return nibbles.reshape(packed.n, -1)[:, : packed.k].T.astype(np.int64)

    def integers(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the integer weights (u4 - z) S2, shape (k, n)."""
        s2, z = (
            per_weight(packed.side[name].astype(np.int64), self.group, packed.k)
            for name in ("S2", "z")
        )
        return (self.unpack(packed) - z) * s2

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n)."""
        return self.integers(packed).astype(np.float64) * packed.scales["s1"].astype(np.float64)

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Scale whole sums: S2 and z are in them already."""
        sums = partials[:, :, 0, 0].astype(np.float64)
        return sums * packed.scales["s1"].astype(np.float64)

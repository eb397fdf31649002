"""Signed integers with one scale per output, or per group along k: w = code * scale.

The plain formats that others are held against. Codes are symmetric: the least code, which has no
opposite, is unused. They follow each other from bit 0 of a byte up; rows are padded to whole bytes
with code 0. Scales are fp16.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 3, in the symmetric form.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along, per_weight
from bitweight.workloads.formats.integer import INT8, IntFormat
from bitweight.workloads.packed_weights import (
    ArrayLayout,
    PackedLayout,
    PackedWeights,
    pack_bits,
    unpack_bits,
)

_SCALE_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledInteger:
    """Symmetric integer codes.

    Attributes:
        code: Format of a code, signed.
        group: Weights along k that share a scale, or None for one scale per output; the last
            group may be shorter.
    """

    code: IntFormat = INT8
    group: int | None = None

    def __post_init__(self) -> None:
        """Refuse unsigned codes and an empty group."""
        if not self.code.signed:
            raise ValueError(f"Codes must be signed, not {self.code}")
        if self.group is not None and self.group < 1:
            raise ValueError(f"Group must be at least 1 weight, not {self.group!r}")

    @property
    def name(self) -> str:
        """Name of the format: ``int8``, ``int4``."""
        return str(self.code)

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return b + 16/g, or b + 16/k without groups, and what padding adds."""
        scales = _SCALE_BITS * groups_along(k, self.group)
        return (8 * self._row_bytes(k) + scales) / k

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (n, bytes) and the scale, (n, groups)."""
        return PackedLayout(
            words=ArrayLayout((n, self._row_bytes(k)), np.uint8),
            scales={"scale": ArrayLayout((n, groups_along(k, self.group)), np.float16)},
        )

    def check(self, packed: PackedWeights) -> None:
        """Refuse the least code and scales below 0."""
        lowest = self.unpack(packed).min()
        if lowest < -self.code.max:
            raise ValueError(
                f"{self.name} words must hold codes {-self.code.max} to {self.code.max}, "
                f"not {lowest}"
            )
        least = packed.scales["scale"].min()
        if least < 0:
            raise ValueError(f"{self.name} scale must be at least 0, not {least}")

    def pack(self, codes: NDArray[np.integer], scale: NDArray[np.float16]) -> PackedWeights:
        """Pack codes of shape (k, n) and scales of shape (n, groups)."""
        k, n = codes.shape
        words = pack_bits(codes.T, self.code.width)
        return PackedWeights(format=self, k=k, n=n, words=words, scales={"scale": scale})

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the codes, shape (k, n)."""
        half = 1 << (self.code.width - 1)
        return (unpack_bits(packed.words, self.code.width, packed.k).T ^ half) - half

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

    def _row_bytes(self, k: int) -> int:
        return -(-k * self.code.width // 8)

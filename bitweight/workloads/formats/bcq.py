"""Binary-coding quantisation: w is about alpha_1 b_1 + ... + alpha_q b_q + z, each b in {-1, +1}.

Groups of inputs of one output share the scales alpha and the offset z, all fp16, so a weight takes
one of 2**q levels at any distance from each other. Uniform integers are a case of it: for codes u
of scale s and zero point p, alpha_i = s 2**(i - 1), i from 0, z = s ((2**q - 1) / 2 - p), and the
signs are the bits of u. Sums of an engine have a plane per sign plane, and one more, the plain sum
of the activations, that z scales.

Source: LUT-GEMM, arXiv 2206.09557, section 3; arrays as in naver-aics/lut-gemm: alpha
(groups, q, n), z (groups, n), words as in ``sign_planes``. Without z: the solver's own form.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.sign_planes import (
    WORD_BITS,
    check_padding,
    pack_signs,
    unpack_signs,
    words_along,
)
from bitweight.workloads.packed_weights import ArrayLayout, PackedLayout, PackedWeights

_SCALE_BITS = 16
_MAX_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bcq:
    """Binary codes under fp16 scales per group.

    Attributes:
        bits: Sign planes of a weight, 1 to 8.
        group: Weights along k that share alpha and z; the last group may be shorter.
        offset: Store z; without it the levels lie symmetrically around 0.
    """

    bits: int = 3
    group: int = 128
    offset: bool = True

    def __post_init__(self) -> None:
        """Refuse an empty group and widths that no code has."""
        if not 1 <= self.bits <= _MAX_BITS:
            raise ValueError(f"Binary codes must have 1 to {_MAX_BITS} bits, not {self.bits!r}")
        if self.group < 1:
            raise ValueError(f"Group must be at least 1 weight, not {self.group!r}")

    @property
    def name(self) -> str:
        """Name of the format."""
        return f"bcq{self.bits}"

    @property
    def planes(self) -> int:
        """Sums that an engine makes per group: one per sign plane, one more for the offset."""
        return self.bits + self.offset

    def bits_per_weight(self, *, k: int, n: int) -> float:
        """Return q + (16 q + 16) / g, and what words past k add; 16 q / g without the offset."""
        words = WORD_BITS * words_along(k) * self.bits
        return (words + _SCALE_BITS * self.planes * groups_along(k, self.group)) / k

    def layout(self, *, k: int, n: int) -> PackedLayout:
        """Return words (ceil(k/32), q, n), alpha (groups, q, n) and offset (groups, n)."""
        groups = groups_along(k, self.group)
        scales = {"alpha": ArrayLayout((groups, self.bits, n), np.float16)}
        if self.offset:
            scales["offset"] = ArrayLayout((groups, n), np.float16)
        words = ArrayLayout((words_along(k), self.bits, n), np.uint32)
        return PackedLayout(words=words, scales=scales)

    def check(self, packed: PackedWeights) -> None:
        """Refuse set bits past k."""
        check_padding(self.name, packed.words, packed.k)

    def pack(
        self,
        signs: NDArray[np.integer],
        alpha: NDArray[np.float16],
        offset: NDArray[np.float16] | None = None,
    ) -> PackedWeights:
        """Pack signs (q, k, n), alpha (groups, q, n) and, if stored, the offset (groups, n)."""
        scales = {"alpha": alpha} if offset is None else {"alpha": alpha, "offset": offset}
        _, k, n = signs.shape
        return PackedWeights(format=self, k=k, n=n, words=pack_signs(signs), scales=scales)

    def unpack(self, packed: PackedWeights) -> NDArray[np.int64]:
        """Return the signs -1 and +1, shape (q, k, n)."""
        return unpack_signs(packed.words, packed.k)

    def dequantise(self, packed: PackedWeights) -> NDArray[np.float64]:
        """Return the real weights, shape (k, n); planes are added in order, then the offset."""
        group_of = np.arange(packed.k) // self.group
        total = np.zeros((packed.k, packed.n))
        for plane, signs in enumerate(self.unpack(packed)):
            total += signs * packed.scales["alpha"][group_of, plane].astype(np.float64)
        if self.offset:
            total += packed.scales["offset"][group_of].astype(np.float64)
        return total

    def apply_scales(
        self, partials: NDArray[np.int64], packed: PackedWeights
    ) -> NDArray[np.float64]:
        """Scale every plane of every group, the last plane by the offset, and add them."""
        scales = packed.scales["alpha"].astype(np.float64)
        if self.offset:
            offset = packed.scales["offset"].astype(np.float64)
            scales = np.concatenate([scales, offset[:, None]], axis=1)
        outputs: NDArray[np.float64] = np.einsum("mnpg,gpn->mn", partials.astype(float), scales)
        return outputs

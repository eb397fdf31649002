"""Dual-grained decoder: (u4 - z) S2 is an int8 weight; S2 before or after the dot product.

Side integers S2 and z come once per group and output. ``DECODED`` multiplies each code by S2 in
the column part, and a cell is a plain int8 dot product. ``FACTORED`` leaves five-bit codes u4 - z,
and a cell multiplies the sum of a beat by S2: one product in place of one per weight. A group is
whole beats, so both give the same bits; multiplying the sum of a whole group would too, but cells
are clocked by beats and know no groups. Sums run over the whole k: the only float is per output.

RTL twin: ``rtl.datapaths.dual_grained``.
Source: DGQ, arXiv 2310.04836, and its public code (decoded form); the factored form is our reading
of its group scale.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import (
    Operations,
    Part,
    SideFormat,
    Walk,
    contribute,
    decode,
    draw,
    partials,
    prepare,
    side,
    units,
)
from bitweight.sim.datapaths.drawn import often_extreme
from bitweight.sim.datapaths.rows import check_group, row_units
from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.dual_grained import CODE_MAX, WEIGHT_MAX, DualGrained
from bitweight.workloads.packed_weights import PackedWeights

_LANES = 8
_MAX_K = 1 << 17
_GROUPS_OF_128 = DualGrained()


class GroupScale(enum.StrEnum):
    """Where the integer scale of a group is applied."""

    DECODED = "decoded"
    FACTORED = "factored"


@dataclass(frozen=True, slots=True, kw_only=True)
class DualGrainedSpec:
    """Parameters of the dual-grained decoder.

    Attributes:
        a: Format of the activations.
        format: The weights.
        group_scale: S2 on each weight, or on the sum of a beat.
        pipelined: Register products before they are added.
        max_k: Greatest k of a GEMM: what the accumulator holds.
    """

    a: IntFormat = INT8
    format: DualGrained = _GROUPS_OF_128
    group_scale: GroupScale = GroupScale.DECODED
    pipelined: bool = False
    max_k: int = _MAX_K

    def __post_init__(self) -> None:
        """Refuse groups that end inside a beat, and no k at all."""
        check_group(self.name, self.format.group, _LANES)
        if not 1 <= self.max_k <= _MAX_K:
            raise ValueError(f"Greatest k must be 1 to {_MAX_K}, not {self.max_k!r}")

    @property
    def is_factored(self) -> bool:
        """Whether S2 waits for the sum of a beat."""
        return self.group_scale is GroupScale.FACTORED

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
        """Eight k a beat."""
        return Walk.straight(_LANES)

    @property
    def unit_bits(self) -> int:
        """A byte: two codes, the first in the high nibble."""
        return 8

    @property
    def units(self) -> int:
        """Bytes of a beat."""
        return _LANES // 2

    @property
    def side(self) -> SideFormat:
        """S2, then z, of a group and an output: a byte each, as memory holds them."""
        return SideFormat(beats=self.format.group // _LANES, bits=8, units=2)

    @property
    def group(self) -> None:
        """The whole k is one sum."""
        return

    @property
    def planes(self) -> int:
        """One sum."""
        return 1

    @property
    def acc_width(self) -> int:
        """Bits that hold every sum of ``max_k`` products."""
        return (self.max_k * WEIGHT_MAX * self.a.max_magnitude).bit_length() + 1

    @property
    def row_part(self) -> Part:
        """Wires."""
        return Part()

    @property
    def column_part(self) -> Part:
        """Subtracts z from each code, and multiplies each by S2 unless that is factored out."""
        work = Operations(adds=_LANES, multiplies=0 if self.is_factored else _LANES)
        return Part(latency=1, operations=work)

    @property
    def cell(self) -> Part:
        """Products if registered, sum, S2 if factored, accumulation.

        A multiply-add per code, and one product with S2 if that is factored out.
        """
        work = Operations(adds=_LANES, multiplies=_LANES + self.is_factored)
        return Part(latency=2 + self.pipelined + self.is_factored, operations=work)


@units.register
def _(spec: DualGrainedSpec, packed: PackedWeights) -> NDArray[np.int64]:
    return row_units(packed.words, spec.units)


@side.register
def _(spec: DualGrainedSpec, packed: PackedWeights) -> NDArray[np.int64]:
    both = np.stack([packed.side["S2"].T, packed.side["z"].T], axis=2)
    return both.astype(np.int64)


@prepare.register
def _(spec: DualGrainedSpec, x: Sequence[int]) -> tuple[int, ...]:
    return tuple(x)


@decode.register
def _(
    spec: DualGrainedSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return the weight of every lane; factored, its u4 - z and S2 behind them."""
    s2, z = side
    codes = [nibble - z for byte in units for nibble in (byte // 16, byte % 16)]
    return (*codes, s2) if spec.is_factored else tuple(code * s2 for code in codes)


@contribute.register
def _(spec: DualGrainedSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    total = sum(x * w for x, w in zip(row, column[:_LANES], strict=True))
    return (total * column[_LANES] if spec.is_factored else total,)


@partials.register
def _(spec: DualGrainedSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    k, group = packed.k, spec.format.group
    nibbles = np.stack([packed.words >> 4, packed.words & 15], axis=2).reshape(packed.n, -1)
    s2, z = (packed.side[name].astype(np.int64).T for name in ("S2", "z"))
    codes = nibbles[:, :k].T.astype(np.int64) - np.repeat(z, group, axis=0)[:k]
    if not spec.is_factored:
        return matmul(x, codes * np.repeat(s2, group, axis=0)[:k])[:, :, None, None]
    sums = np.zeros((len(x), packed.n), np.int64)
    for at, start in enumerate(range(0, k, group)):
        part = slice(start, start + group)
        sums += matmul(x[:, part], codes[part]) * s2[at]
    return sums[:, :, None, None]


@draw.register
def _(spec: DualGrainedSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    form = spec.format
    shape = (n, groups_along(k, form.group))
    s2 = often_extreme(rng, [1, WEIGHT_MAX], rng.integers(1, WEIGHT_MAX + 1, shape))
    z = often_extreme(rng, [0, CODE_MAX], rng.integers(0, CODE_MAX + 1, shape))
    reach = WEIGHT_MAX // s2
    low, high = (
        np.repeat(end, form.group, axis=1)[:, :k].T
        for end in (np.maximum(z - reach, 0), np.minimum(z + reach, CODE_MAX))
    )
    codes = often_extreme(rng, [0, CODE_MAX], rng.integers(0, CODE_MAX + 1, (k, n)))
    s1 = np.abs(rng.normal(0, 0.02, n)).astype(np.float16)
    return form.pack(np.clip(codes, low, high), s2, z, s1)

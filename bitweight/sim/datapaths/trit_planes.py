"""Trit planes: each trit adds, subtracts or skips an activation; two planes, or one of nine levels.

A beat holds 8 weights, a nibble each. With two planes a cell keeps two sums, one per plane; in the
tied form v = 3 t1 + t2 it keeps one sum of v x, where 3 x is formed once per row. The trits are the
nibble's own bits, so there is no decoder: the column part is wires.

RTL twin: ``rtl.datapaths.trit_planes``.
Source: PTQTP, arXiv 2509.16989 (planes and groups); the add/subtract/skip cell is our reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
from bitweight.sim.datapaths.rows import check_group, group_sums
from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.packed_weights import PackedWeights

_NIBBLE = 4
_LANES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TritPlanesSpec:
    """Parameters of the trit-plane datapath.

    Attributes:
        a: Format of the activations.
        format: The weights: two planes, or the tied nine-level form.
    """

    a: IntFormat = INT8
    format: TritPlanes | TritNine = field(default_factory=TritPlanes)

    def __post_init__(self) -> None:
        """Refuse groups that end inside a beat."""
        check_group(self.name, self.format.group, _LANES)

    @property
    def is_tied(self) -> bool:
        """Whether both planes share a scale, and so one accumulator."""
        return isinstance(self.format, TritNine)

    @property
    def name(self) -> str:
        """Name of the datapath: the format's."""
        return self.format.name

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "addsub"

    @property
    def walk(self) -> Walk:
        """Eight k a beat."""
        return Walk.straight(_LANES)

    @property
    def max_k(self) -> int:
        """No limit but the command's: each sum covers a group."""
        return (1 << 32) - 1

    @property
    def unit_bits(self) -> int:
        """The nibbles of a beat."""
        return _LANES * _NIBBLE

    @property
    def units(self) -> int:
        """One unit per beat."""
        return 1

    @property
    def side(self) -> None:
        """No side integers."""
        return

    @property
    def group(self) -> int:
        """A scale group."""
        return self.format.group

    @property
    def planes(self) -> int:
        """Sums of a group: one per plane, or one of both."""
        return 1 if self.is_tied else 2

    @property
    def acc_width(self) -> int:
        """Bits that hold every sum of a group."""
        greatest = (4 if self.is_tied else 1) * self.group * self.a.max_magnitude
        return greatest.bit_length() + 1

    @property
    def row_part(self) -> Part:
        """3 x of every lane; without it wires."""
        return Part(latency=1, operations=Operations(adds=_LANES)) if self.is_tied else Part()

    @property
    def column_part(self) -> Part:
        """The trits of a nine-level code, for which no arithmetic counts; else wires."""
        return Part(latency=1 if self.is_tied else 0)

    @property
    def cell(self) -> Part:
        """The beat's sum, then the accumulation: an addition per trit, in one or the other."""
        return Part(latency=2, operations=Operations(adds=2 * _LANES))


@units.register
def _(spec: TritPlanesSpec, packed: PackedWeights) -> NDArray[np.int64]:
    stride = _LANES // 2
    beats = spec.walk.beats(packed.k)
    rows = np.pad(packed.words, ((0, 0), (0, beats * stride - packed.words.shape[1])))
    by_beat = np.ascontiguousarray(rows).view("<u4").astype(np.int64)
    return by_beat.T[:, :, None]


@prepare.register
def _(spec: TritPlanesSpec, x: Sequence[int]) -> tuple[int, ...]:
    return (*x, *(3 * value for value in x)) if spec.is_tied else tuple(x)


@decode.register
def _(
    spec: TritPlanesSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return t2 of every lane, then t1 of every lane: the lanes' order of x and 3 x."""
    nibbles = [units[0] >> _NIBBLE * lane & 15 for lane in range(_LANES)]
    if not spec.is_tied:
        return (*(_trit(nibble >> 2) for nibble in nibbles), *(_trit(nib & 3) for nib in nibbles))
    codes = [nibble - 16 if nibble & 8 else nibble for nibble in nibbles]
    high = [(code > 1) - (code < -1) for code in codes]
    return (*(code - 3 * trit for code, trit in zip(codes, high, strict=True)), *high)


@contribute.register
def _(spec: TritPlanesSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    low, high = column[:_LANES], column[_LANES:]
    if spec.is_tied:
        return (sum(x * trit for x, trit in zip(row, column, strict=True)),)
    return tuple(sum(x * trit for x, trit in zip(row, plane, strict=True)) for plane in (high, low))


@partials.register
def _(spec: TritPlanesSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    nibbles = np.stack([packed.words & 15, packed.words >> 4], axis=2).reshape(packed.n, -1)
    nibbles = nibbles[:, : packed.k].T.astype(np.int64)
    if spec.is_tied:
        planes = [(nibbles ^ 8) - 8]
    else:
        planes = [((bits & 3) ^ 2) - 2 for bits in (nibbles, nibbles >> 2)]
    return np.stack([group_sums(x, codes, spec.group) for codes in planes], axis=2)


@draw.register
def _(spec: TritPlanesSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    form = spec.format
    shape = (n, groups_along(k, form.group))
    scales = [rng.normal(0, 0.02, shape).astype(np.float16) for _ in range(2)]
    if isinstance(form, TritNine):
        return form.pack(often_extreme(rng, (-4, 4), rng.integers(-4, 5, (k, n))), scales[0])
    t1, t2 = (often_extreme(rng, (-1, 1), rng.integers(-1, 2, (k, n))) for _ in range(2))
    return form.pack(t1, t2, *scales)


def _trit(bits: int) -> int:
    return bits - 4 if bits & 2 else bits

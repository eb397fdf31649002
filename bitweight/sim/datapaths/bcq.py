"""Binary codes by look-up: a row builds its tables once, every output reads them once per plane.

A beat holds 8 or more activations of a row, cut into keys of ``mu``. The row part builds a half
table per key; the signs of an output are the keys, as they lie in memory. A cell reads one entry
per plane and key and adds the keys' entries to the plane's sum. The sum of the activations, which
the format's offset scales, is the entry of all plus signs: one more plane, and no look-up.

RTL twin: ``rtl.datapaths.bcq``.
Source: LUT-GEMM, arXiv 2206.09557, section 3: mu = 8, whole tables in fp16, as modelled in
``sim.datapaths.bcq_half``; integer entries and half tables here.
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
from bitweight.sim.datapaths.half_table import (
    KeyWidth,
    check_lanes,
    half_keys,
    half_tables,
    read,
    table_part,
)
from bitweight.sim.datapaths.rows import check_group, group_sums
from bitweight.sim.datapaths.sign_planes import drawn_signs, sign_units, signs_from_words
from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.packed_weights import PackedWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class BcqSpec:
    """Parameters of the look-up datapath of binary codes.

    Attributes:
        a: Format of the activations.
        format: The weights.
        lanes: Activations of a beat: 8, 16 or 32.
        mu: Activations of a table.
    """

    a: IntFormat = INT8
    format: Bcq = field(default_factory=Bcq)
    lanes: int = 8
    mu: KeyWidth = KeyWidth.EIGHT

    def __post_init__(self) -> None:
        """Refuse beats that end inside a word and groups that end inside a beat."""
        check_lanes(self.name, self.lanes)
        check_group(self.name, self.format.group, self.lanes)

    @property
    def name(self) -> str:
        """Name of the datapath."""
        return "bcq"

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "lookup"

    @property
    def key(self) -> int:
        """Activations of a table, as a number."""
        return int(self.mu)

    @property
    def keys(self) -> int:
        """Tables of a beat."""
        return self.lanes // self.key

    @property
    def walk(self) -> Walk:
        """The next ``lanes`` k a beat."""
        return Walk.straight(self.lanes)

    @property
    def max_k(self) -> int:
        """No limit but the command's: each sum covers a group."""
        return (1 << 32) - 1

    @property
    def unit_bits(self) -> int:
        """The signs of one plane."""
        return self.lanes

    @property
    def units(self) -> int:
        """One unit per sign plane."""
        return self.format.bits

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
        """Sums of a group: one per sign plane, and the activations' own for the offset."""
        return self.format.planes

    @property
    def acc_width(self) -> int:
        """Bits that hold every sum of a group."""
        return (self.group * self.a.max_magnitude).bit_length() + 1

    @property
    def row_part(self) -> Part:
        """The tables."""
        return table_part(self.keys, self.key)

    @property
    def column_part(self) -> Part:
        """Keys are formed in the clock that they arrive."""
        return Part()

    @property
    def cell(self) -> Part:
        """The beat's sum, then the accumulation.

        A look-up and an addition per plane and key; the offset's plane reads a fixed entry.
        """
        work = Operations(lookups=self.format.bits * self.keys, adds=self.planes * self.keys)
        return Part(latency=2, operations=work)


@units.register
def _(spec: BcqSpec, packed: PackedWeights) -> NDArray[np.int64]:
    return sign_units(packed.words, spec.lanes, spec.walk.beats(packed.k))


@prepare.register
def _(spec: BcqSpec, x: Sequence[int]) -> tuple[int, ...]:
    return half_tables(x, spec.key)


@decode.register
def _(
    spec: BcqSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return entry and negation of every key, plane by plane."""
    return tuple(key for unit in units for key in half_keys(unit, spec.lanes, spec.key))


@contribute.register
def _(spec: BcqSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    size = len(row) // spec.keys
    tables = [row[at : at + size] for at in range(0, len(row), size)]
    planes = [column[at : at + spec.keys] for at in range(0, len(column), spec.keys)]
    sums = [
        sum(read(table, key) for table, key in zip(tables, plane, strict=True)) for plane in planes
    ]
    return (*sums, sum(table[-1] for table in tables)) if spec.format.offset else tuple(sums)


@partials.register
def _(spec: BcqSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    planes = [group_sums(x, signs, spec.group) for signs in signs_from_words(packed)]
    if spec.format.offset:
        of_x = group_sums(x, np.ones((packed.k, 1), np.int64), spec.group)
        planes.append(np.broadcast_to(of_x, planes[0].shape))
    return np.stack(planes, axis=2)


@draw.register
def _(spec: BcqSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    form = spec.format
    groups = groups_along(k, form.group)
    alpha = rng.normal(0, 0.02, (groups, form.bits, n)).astype(np.float16)
    offset = rng.normal(0, 0.02, (groups, n)).astype(np.float16)
    return form.pack(drawn_signs(rng, (form.bits, k, n)), alpha, offset if form.offset else None)

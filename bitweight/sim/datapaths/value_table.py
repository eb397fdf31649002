"""Table decoder: codes look up fixed-point values, which multiply the activations.

A column part reads one beat of codes (8, or 32 for the 3-bit words) and puts out the table's
entries; a cell is a dot product. The scale is one float per group, so group sums leave the engine.
With ``SINGLE`` every lane has a table of 2**b entries. With ``PAIRED`` two lanes share a memory of
2**(2b) pairs, which the pair index as stored addresses.

RTL twin: ``rtl.datapaths.value_table``.
Source: FLUTE, arXiv 2407.10960 (pair indices, the vectorised table); its entries are fp16, which
``sim.datapaths.value_table_fp16`` models. Fixed-point entries before an integer dot product, and
the scale on the group's sum, are our reading.
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
from bitweight.sim.datapaths.rows import check_group, group_sums, row_units
from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.packed_weights import PackedWeights

_NF4 = ValueTable()


class Lookup(enum.StrEnum):
    """How many codes one look-up takes."""

    SINGLE = "single"
    PAIRED = "paired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTableSpec:
    """Parameters of the table decoder.

    Attributes:
        a: Format of the activations.
        format: The weights.
        lookup: A table per lane, or one of pairs for two.
        pipelined: Register products before they are added.
    """

    a: IntFormat = INT8
    format: ValueTable = _NF4
    lookup: Lookup = Lookup.SINGLE
    pipelined: bool = False

    def __post_init__(self) -> None:
        """Refuse groups that end inside a beat."""
        check_group(self.name, self.format.group, self.lanes)

    @property
    def name(self) -> str:
        """Name of the datapath: the format's."""
        return self.format.name

    @property
    def family(self) -> str:
        """Family of the datapath."""
        return "decoder"

    @property
    def lanes(self) -> int:
        """Codes of a beat: 8, or the 32 of three words."""
        return 32 if self.format.bits == 3 else 8

    @property
    def walk(self) -> Walk:
        """The next codes of the row."""
        return Walk.straight(self.lanes)

    @property
    def max_k(self) -> int:
        """No limit but the command's: each sum covers a group."""
        return (1 << 32) - 1

    @property
    def unit_bits(self) -> int:
        """A storage word."""
        return 32 if self.format.bits == 3 else 16

    @property
    def units(self) -> int:
        """Storage words of a beat."""
        return self.lanes * self.format.bits // self.unit_bits

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
        """One sum."""
        return 1

    @property
    def acc_width(self) -> int:
        """Bits that hold every sum of a group; an entry of greatest magnitude always exists."""
        greatest = self.group * self.a.max_magnitude * self.format.entry.max
        return greatest.bit_length() + 1

    @property
    def row_part(self) -> Part:
        """Wires."""
        return Part()

    @property
    def column_part(self) -> Part:
        """The entries, registered in table or memory: a look-up per code, or per pair."""
        lookups = self.lanes // (2 if self.lookup is Lookup.PAIRED else 1)
        return Part(latency=1, operations=Operations(lookups=lookups))

    @property
    def cell(self) -> Part:
        """Products if registered, sum of the beat, accumulation: a multiply-add per code."""
        work = Operations(adds=self.lanes, multiplies=self.lanes)
        return Part(latency=3 if self.pipelined else 2, operations=work)


@units.register
def _(spec: ValueTableSpec, packed: PackedWeights) -> NDArray[np.int64]:
    return row_units(packed.words, spec.units)


@prepare.register
def _(spec: ValueTableSpec, x: Sequence[int]) -> tuple[int, ...]:
    return tuple(x)


@decode.register
def _(
    spec: ValueTableSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return the entry of every lane."""
    bits, entries = spec.format.bits, spec.format.entries
    decoded: list[int] = []
    for pair in _pairs(spec, units):
        decoded += [entries[pair >> bits], entries[pair % (1 << bits)]]
    return tuple(decoded)


def _pairs(spec: ValueTableSpec, units: Sequence[int]) -> list[int]:
    """Return the pair indices of a beat, in the order of their codes."""
    if spec.format.bits == 3:
        last = sum((units[word] >> 30) << 2 * word for word in range(3))
        return [units[pair % 3] >> 6 * (pair // 3) & 63 for pair in range(15)] + [last]
    width = 2 * spec.format.bits
    return [word >> low & (1 << width) - 1 for word in units for low in range(0, 16, width)]


@contribute.register
def _(spec: ValueTableSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    return (sum(x * entry for x, entry in zip(row, column, strict=True)),)


@partials.register
def _(spec: ValueTableSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    entries = np.array(spec.format.entries)[_codes(spec, packed)]
    return group_sums(x, entries, spec.group)[:, :, None]


def _codes(spec: ValueTableSpec, packed: PackedWeights) -> NDArray[np.int64]:
    """Return the codes of all beats, shape (k, n)."""
    words, bits = units(spec, packed), spec.format.bits
    if bits == 3:
        lows = words[:, :, None, :] >> 6 * np.arange(5)[:, None] & 63
        last = (words >> 30 << 2 * np.arange(3)).sum(axis=2, keepdims=True)
        pairs = np.concatenate([lows.reshape(*words.shape[:2], 15), last], axis=2)
    else:
        lows = words[:, :, :, None] >> np.arange(0, 16, 2 * bits) & (1 << 2 * bits) - 1
        pairs = lows.reshape(*words.shape[:2], -1)
    codes = np.stack([pairs >> bits, pairs & (1 << bits) - 1], axis=3)
    return codes.transpose(0, 2, 3, 1).reshape(-1, packed.n)[: packed.k]


@draw.register
def _(spec: ValueTableSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    form = spec.format
    last = len(form.table) - 1
    codes = often_extreme(rng, [0, last], rng.integers(0, last + 1, (k, n)))
    scale = np.abs(rng.normal(0, 0.02, (n, groups_along(k, form.group))))
    return form.pack(codes, scale.astype(np.float16))

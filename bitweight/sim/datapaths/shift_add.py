"""Shift-add weights by look-up: a read entry is shifted to each power-of-two term and added.

A beat holds 8 or more activations of a row; the row part builds their half tables as for binary
codes. A cell reads one entry per plane and 8 activations, shifts it by each term's exponent and
adds all shifted entries of all planes to one sum: the scales are spent inside, in units of the
layer's least exponent, and one final shift remains. So exponents become shift codes 0 to the
format's span as they are sent, on the side stream, one set for all columns: a tile of columns must
lie within one of the layer's eight row blocks. All ones is the code of no term.

RTL twin: ``rtl.datapaths.shift_add``.
Source: ShiftAddLLM, arXiv 2406.05981 (look-up, shift, add; its kernel in fp16 is modelled by
``sim.datapaths.shift_add_half``); the fixed-point accumulator and the shift codes are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
from bitweight.sim.datapaths.half_table import (
    KeyWidth,
    check_lanes,
    half_keys,
    half_tables,
    read,
    table_part,
)
from bitweight.sim.datapaths.sign_planes import drawn_signs, sign_units, signs_from_words
from bitweight.sim.kernels.matmul import matmul
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.shift_add import ShiftAdd
from bitweight.workloads.packed_weights import PackedWeights

# Inputs, and parts of the outputs, that share a scale.
_SCALED = 8
_ROW_BLOCKS = 8
_NO_TERM = -128
# Exponents whose weights are added up before the product: they stay within 20 bits.
_WINDOW = 16
_MAX_ACC_WIDTH = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftAddSpec:
    """Parameters of the look-up, shift and add datapath.

    Attributes:
        a: Format of the activations.
        format: The weights; its span gives the shifters' range.
        lanes: Activations of a beat: 8, 16 or 32.
        mu: Activations of a table; two tables of 4 serve one scale.
        max_k: Greatest k; the accumulators are as wide as it needs.
    """

    a: IntFormat = INT8
    format: ShiftAdd = field(default_factory=ShiftAdd)
    lanes: int = 8
    mu: KeyWidth = KeyWidth.EIGHT
    max_k: int = 65536

    def __post_init__(self) -> None:
        """Refuse beats that end inside a word and sums beyond 63 bits."""
        check_lanes(self.name, self.lanes)
        if self.max_k < 1:
            raise ValueError(f"Greatest k of {self.name} must be at least 1, not {self.max_k!r}")
        if self.acc_width > _MAX_ACC_WIDTH:
            raise ValueError(
                f"Accumulator of {self.name} must have at most {_MAX_ACC_WIDTH} bits, not "
                f"{self.acc_width}, as {self.a} at span {self.format.span} and k up to "
                f"{self.max_k} need"
            )

    @property
    def name(self) -> str:
        """Name of the datapath."""
        return "shift_add"

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
    def scales(self) -> int:
        """Scales of a plane in one beat."""
        return self.lanes // _SCALED

    @property
    def walk(self) -> Walk:
        """The next ``lanes`` k a beat."""
        return Walk.straight(self.lanes)

    @property
    def unit_bits(self) -> int:
        """The signs of one plane."""
        return self.lanes

    @property
    def units(self) -> int:
        """One unit per sign plane."""
        return self.format.bits

    @property
    def side(self) -> SideFormat:
        """Shift codes of a beat, per plane, scale and term: 0 to the span, all ones for no term.

        All columns of a tile lie in one row block.
        """
        return SideFormat(
            beats=1,
            bits=(self.format.span + 1).bit_length(),
            units=self.format.bits * self.scales * self.format.terms,
            sets=_ROW_BLOCKS,
        )

    @property
    def group(self) -> None:
        """One sum for the whole k."""
        return

    @property
    def planes(self) -> int:
        """One sum: the scales are spent inside."""
        return 1

    @property
    def acc_width(self) -> int:
        """Bits that hold every sum: each activation times every term of every plane."""
        terms = self.format.bits * self.format.terms
        greatest = self.max_k * self.a.max_magnitude * terms << self.format.span
        return greatest.bit_length() + 1

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
        """Entries, the beat's sum, accumulation.

        A look-up per plane and key; additions join the tables of a scale, then all terms.
        """
        joins = self.format.bits * (self.keys - self.scales)
        adds = joins + self.side.units
        work = Operations(lookups=self.format.bits * self.keys, adds=adds)
        return Part(latency=3, operations=work)


@units.register
def _(spec: ShiftAddSpec, packed: PackedWeights) -> NDArray[np.int64]:
    return sign_units(packed.words, spec.lanes, spec.walk.beats(packed.k))


@side.register
def _(spec: ShiftAddSpec, packed: PackedWeights) -> NDArray[np.int64]:
    """Return shift codes, shape (beats, row blocks, planes x scales x terms)."""
    exponents = packed.side["exponents"].astype(np.int64)
    is_term = exponents != _NO_TERM
    least = int(exponents[is_term].min(initial=0 if not is_term.any() else 127))
    none = (1 << spec.side.bits) - 1
    codes = np.where(is_term, exponents - least, none)
    beats = spec.walk.beats(packed.k)
    padding = beats * spec.scales - len(codes)
    codes = np.pad(codes, ((0, padding), (0, 0), (0, 0), (0, 0)), constant_values=none)
    by_beat = codes.reshape(beats, spec.scales, *codes.shape[1:])
    return by_beat.transpose(0, 3, 2, 1, 4).reshape(beats, _ROW_BLOCKS, spec.side.units)


@prepare.register
def _(spec: ShiftAddSpec, x: Sequence[int]) -> tuple[int, ...]:
    return half_tables(x, spec.key)


@decode.register
def _(
    spec: ShiftAddSpec, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return entry and negation of every key, plane by plane, then the shift codes."""
    return (*(key for unit in units for key in half_keys(unit, spec.lanes, spec.key)), *side)


@contribute.register
def _(spec: ShiftAddSpec, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    size, count = len(row) // spec.keys, spec.format.bits * spec.keys
    per_scale, terms = spec.keys // spec.scales, spec.format.terms
    none = (1 << spec.side.bits) - 1
    total = 0
    for plane_and_scale in range(spec.format.bits * spec.scales):
        entry = 0
        for key in range(plane_and_scale * per_scale, (plane_and_scale + 1) * per_scale):
            table = key % spec.keys * size
            entry += read(row[table : table + size], column[key])
        for shift in column[count:][plane_and_scale * terms : (plane_and_scale + 1) * terms]:
            total += 0 if shift == none else entry << shift
    return (total,)


@partials.register
def _(spec: ShiftAddSpec, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    exponents = packed.side["exponents"].astype(np.int64)
    is_term = exponents != _NO_TERM
    signs = signs_from_words(packed)
    key_of = np.arange(packed.k) // _SCALED
    block_of = np.arange(packed.n) * _ROW_BLOCKS // packed.n
    sums = np.zeros((len(x), packed.n), np.int64)
    terms = exponents[is_term]
    if not terms.size:
        return sums[:, :, None, None]
    least, most = int(terms.min()), int(terms.max())
    # A window of exponents at a time: its weights are small integers, whatever the span.
    for base in range(least, most + 1, _WINDOW):
        is_inside = is_term & (exponents >= base) & (exponents < base + _WINDOW)
        scale = np.where(is_inside, np.int64(1) << np.clip(exponents - base, 0, _WINDOW), 0)
        factors = scale.sum(axis=3)[key_of]
        weights = np.zeros((packed.k, packed.n), np.int64)
        for plane, plane_signs in enumerate(signs):
            weights += plane_signs * factors[:, plane][:, block_of]
        sums += matmul(x, weights) << (base - least)
    return sums[:, :, None, None]


@draw.register
def _(spec: ShiftAddSpec, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    form = spec.format
    least = int(rng.integers(-40, 40 - form.span))
    shape = (-(-k // _SCALED), form.bits, _ROW_BLOCKS, form.terms)
    uniform = rng.integers(least, least + form.span + 1, shape)
    extreme = rng.choice([_NO_TERM, least, least + form.span], shape)
    exponents = np.where(rng.random(shape) < 0.5, extreme, uniform).astype(np.int8)
    return form.pack(drawn_signs(rng, (form.bits, k, n)), exponents)

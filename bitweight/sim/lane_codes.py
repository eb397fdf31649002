"""Packed formats whose weights are single codes: what one lane of an integer engine decodes.

Table codes, dual-grained codes, ternary and plain integers decode one by one to an integer of few
bits, so they can stand in any lane order (``sim.engines.decoded``). Blocks that share a seed, and
keys of look-up tables, cannot: they run on engines of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import Operations
from bitweight.workloads.formats import SYMMETRIC_INT8, IntFormat
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.trit_planes import TritNine
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.packed_weights import PackedWeights

TRIT = IntFormat(width=2, symmetric=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCodes:
    """Codes of a format, one weight each.

    Attributes:
        bits: Bits of a code.
        zero: Code of weight 0; with side integers, under S2 = 1 and z = 0.
        weights: Format of the decoded weights.
        codes: Returns the codes of packed weights, shape (k, n), unsigned.
        integers: Returns the decoded weights, shape (k, n): the fast twin of ``decode``.
        decode: Returns one weight by its code and side integers.
        operations: Work of one decode.
        gemm_group: k of one float scale, and so of one GEMM; None for the whole k.
        side_group: k of one set of side integers; None if there are none.
        side_units: Side integers of a set, a byte each.
        side: Returns them, shape (groups, n, units).
    """

    bits: int
    zero: int
    weights: IntFormat
    codes: Callable[[PackedWeights], NDArray[np.int64]]
    integers: Callable[[PackedWeights], NDArray[np.int64]]
    decode: Callable[[int, Sequence[int]], int]
    operations: Operations = field(default_factory=Operations)
    gemm_group: int | None = None
    side_group: int | None = None
    side_units: int = 0
    side: Callable[[PackedWeights], NDArray[np.int64]] | None = None


@singledispatch
def lane_codes(form: Any) -> LaneCodes:
    """Return how a format's weights decode one by one.

    Raises:
        ValueError: If they do not.
    """
    raise ValueError(
        f"Decoder must be of a format with a code per weight, not {form.name}: "
        "it runs on an engine of its own"
    )


@lane_codes.register
def _(form: ValueTable) -> LaneCodes:
    entries = form.entries
    if entries[form.zero_code]:
        raise ValueError(f"Decoder must have a code of weight 0, and the table of {form.name} none")
    return LaneCodes(
        bits=form.bits,
        zero=form.zero_code,
        weights=IntFormat(width=form.entry.width, symmetric=True),
        codes=form.unpack,
        integers=lambda packed: np.array(entries, np.int64)[form.unpack(packed)],
        decode=lambda code, _side: entries[code],
        operations=Operations(lookups=1),
        gemm_group=form.group,
    )


@lane_codes.register
def _(form: DualGrained) -> LaneCodes:
    return LaneCodes(
        bits=4,
        zero=0,
        weights=SYMMETRIC_INT8,
        codes=form.unpack,
        integers=form.integers,
        decode=lambda code, side: (code - side[1]) * side[0],
        operations=Operations(adds=1, multiplies=1),
        side_group=form.group,
        side_units=2,
        side=lambda packed: np.stack(
            [packed.side[name].T.astype(np.int64) for name in ("S2", "z")], axis=2
        ),
    )


@lane_codes.register
def _(form: I2S) -> LaneCodes:
    return LaneCodes(
        bits=2,
        zero=1,
        weights=TRIT,
        codes=lambda packed: form.unpack(packed) + 1,
        integers=form.unpack,
        decode=lambda code, _side: code - 1,
    )


@lane_codes.register
def _(form: TritNine) -> LaneCodes:
    return _twos_complement(IntFormat(width=4), form.unpack, form.group)


@lane_codes.register
def _(form: ScaledInteger) -> LaneCodes:
    weights = IntFormat(width=form.code.width, symmetric=True)
    return _twos_complement(weights, form.unpack, form.group)


def _twos_complement(
    weights: IntFormat, unpack: Callable[[PackedWeights], NDArray[np.int64]], group: int | None
) -> LaneCodes:
    """Return the codes of a format that needs no decoder: its codes are the weights."""
    sign = 1 << (weights.width - 1)
    return LaneCodes(
        bits=weights.width,
        zero=0,
        weights=weights,
        codes=lambda packed: unpack(packed) & weights.mask,
        integers=unpack,
        decode=lambda code, _side: (code ^ sign) - sign,
        gemm_group=group,
    )

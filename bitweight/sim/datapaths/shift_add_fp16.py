"""Look-up, shift and add in fp16, as ShiftAddLLM publishes it: every rounding, in order.

A tile of inputs, by default 32, is worked off at a time; ``sim.datapaths.fp16_tables`` says how its
tables come about. For each output and each plane in turn, t = 0; each key of the tile adds
(s0 + s1) + s2 to t, where s_i is T[key] shifted to term i; then o = o + t, o being 0 at the tile's
start. The output, 0 at first, takes up o of the tiles, from the first to the last.

A shift adds to the exponent field, unchecked as published or guarded
(``sim.datapaths.exponent_add``); ``form_differences`` counts what the unchecked form costs on a
layer. No term adds +0. Every sum is rounded to fp16, to nearest even. The kernel adds tiles in
whatever order its blocks end: ours is one order, stated.

Source: ShiftAddLLM, arXiv 2406.05981 (GATECH-EIC/ShiftAddLLM, lut_gemm).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapaths.exponent_add import FRACTION_BITS, ExponentForm, add_exponent
from bitweight.sim.datapaths.fp16_tables import KEY, check_fp16_operands, check_tile, fp16_tables
from bitweight.sim.datapaths.sign_planes import sign_units
from bitweight.workloads.formats.shift_add import ShiftAdd
from bitweight.workloads.packed_weights import PackedWeights

_ROW_BLOCKS = 8
_NO_TERM = -128


@dataclass(frozen=True, slots=True, kw_only=True)
class Fp16ShiftAddSpec:
    """Parameters of the fp16 form.

    Attributes:
        format: The weights.
        form: Exponent-field adder: as published or guarded.
        tile: Inputs of a tile: 32, 64, 128 or 256.
    """

    format: ShiftAdd = field(default_factory=ShiftAdd)
    form: ExponentForm = ExponentForm.GUARDED
    tile: int = 32

    def __post_init__(self) -> None:
        """Refuse tiles that no block of threads has."""
        check_tile(self.tile)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormDifferences:
    """What the unchecked exponent-field adder does differently on a layer.

    Attributes:
        shifts: Table entries shifted to a term.
        zeros: Those that were zero and came out as something else.
        subnormals: Those that were subnormal and came out wrong.
        underflows: Normal ones that left the field at its lower end.
        overflows: Normal ones that left it at its upper end.
        outputs: Outputs of the layer.
        wrong_outputs: Those whose bits differ from the guarded form's.
        not_finite: Those of them that are infinite or NaN while the guarded one is not.
    """

    shifts: int
    zeros: int
    subnormals: int
    underflows: int
    overflows: int
    outputs: int
    wrong_outputs: int
    not_finite: int


def fp16_shift_add_outputs(
    spec: Fp16ShiftAddSpec, x: NDArray[np.float16], packed: PackedWeights
) -> NDArray[np.float16]:
    """Return outputs, shape (m, n), rounded in the documented order.

    Args:
        spec: Format, form of the shift and order.
        x: Activations, shape (m, k).
        packed: Weights in the spec's format.

    Raises:
        TypeError: If the activations are not fp16, or the weights are in another format.
        ValueError: If shapes disagree.
    """
    check_fp16_operands(x, packed, spec.format)
    tables = fp16_tables(x, spec.tile)
    per_tile = spec.tile // KEY
    zeros = np.zeros((len(x), packed.n), np.float16)
    outputs: NDArray[np.float16] = zeros
    total, signed = zeros, zeros
    with np.errstate(over="ignore", invalid="ignore"):
        for key, plane, entry, exponents in _reads(tables, packed, per_tile):
            if key % per_tile == 0:
                signed = zeros
                total = zeros if plane == 0 else total
            terms = [_shifted(spec.form, entry, powers) for powers in exponents]
            signed = signed + sum(terms[1:], terms[0])
            if key % per_tile == per_tile - 1:
                total = total + signed
                if plane == spec.format.bits - 1:
                    outputs = np.add(outputs, total)
    return outputs


def form_differences(x: NDArray[np.float16], packed: PackedWeights) -> FormDifferences:
    """Count what the unchecked shift makes of a layer's table entries and outputs.

    Args:
        x: Activations, shape (m, k).
        packed: Weights, in a shift-add format.
    """
    if not isinstance(packed.format, ShiftAdd):
        raise TypeError(f"Weights must be in a shift-add format, not {packed.format}")
    published, guarded = (
        fp16_shift_add_outputs(Fp16ShiftAddSpec(format=packed.format, form=form), x, packed)
        for form in (ExponentForm.AS_PUBLISHED, ExponentForm.GUARDED)
    )
    counts = np.zeros(5, np.int64)
    for _key, _plane, entry, exponents in _reads(fp16_tables(x, 32), packed, 32 // KEY):
        for powers in exponents:
            counts += _causes(entry.view(np.uint16), powers)
    shifts, zeros, subnormals, underflows, overflows = counts.tolist()
    is_wrong = published.view(np.uint16) != guarded.view(np.uint16)
    return FormDifferences(
        shifts=shifts,
        zeros=zeros,
        subnormals=subnormals,
        underflows=underflows,
        overflows=overflows,
        outputs=guarded.size,
        wrong_outputs=int(is_wrong.sum()),
        not_finite=int((~np.isfinite(published) & np.isfinite(guarded)).sum()),
    )


def _reads(
    tables: NDArray[np.float16], packed: PackedWeights, per_tile: int
) -> Iterator[tuple[int, int, NDArray[np.float16], NDArray[np.int8]]]:
    """Yield each read in order: key, plane, entries (m, n), and exponents (terms, n)."""
    count = tables.shape[1]
    keys = sign_units(packed.words, KEY, packed.words.shape[0] * 32 // KEY)
    keys = np.pad(keys, ((0, count - len(keys)), (0, 0), (0, 0)))
    stored = packed.side["exponents"]
    padding = ((0, count - len(stored)), (0, 0), (0, 0), (0, 0))
    exponents = np.pad(stored, padding, constant_values=_NO_TERM)
    block_of = np.arange(packed.n) * _ROW_BLOCKS // packed.n
    for start in range(0, count, per_tile):
        for plane in range(keys.shape[2]):
            for key in range(start, start + per_tile):
                entry = tables[:, key, keys[key, :, plane]]
                yield key, plane, entry, exponents[key, plane, block_of].T


def _shifted(
    form: ExponentForm, entry: NDArray[np.float16], powers: NDArray[np.int8]
) -> NDArray[np.float16]:
    """Return entries (m, n) shifted by powers (n,); +0 where there is no term."""
    bits = add_exponent(form, entry.view(np.uint16), powers)
    bits[:, powers == _NO_TERM] = 0
    return bits.view(np.float16)


def _causes(entry: NDArray[np.uint16], powers: NDArray[np.int8]) -> NDArray[np.int64]:
    """Count the shifts of entries (m, n), and the wrong ones by cause."""
    published, guarded = (
        add_exponent(form, entry, powers)
        for form in (ExponentForm.AS_PUBLISHED, ExponentForm.GUARDED)
    )
    is_term = np.broadcast_to(powers != _NO_TERM, entry.shape)
    is_wrong = is_term & (published != guarded)
    magnitude = entry & 0x7FFF
    is_normal = magnitude >> FRACTION_BITS > 0
    causes = (
        magnitude == 0,
        (magnitude > 0) & ~is_normal,
        is_normal & (powers < 0),
        is_normal & (powers > 0),
    )
    wrong = [int((is_wrong & cause).sum()) for cause in causes]
    return np.array([int(is_term.sum()), *wrong])

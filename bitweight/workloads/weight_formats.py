"""The packed formats by name, as data: what ``quantize --to`` takes."""

from collections.abc import Mapping
from types import MappingProxyType

from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.integer import INT4
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.seedlm import SEEDLM3, SEEDLM4
from bitweight.workloads.formats.shift_add import ShiftAdd
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.formats.value_table import NF2, NF3, ValueTable
from bitweight.workloads.packed_weights import WeightFormat

_FORMATS: tuple[WeightFormat, ...] = (
    SEEDLM4,
    SEEDLM3,
    *(Bcq(bits=bits) for bits in (1, 2, 3, 4)),
    *(ShiftAdd(bits=bits) for bits in (2, 3, 4)),
    I2S(),
    Tl1(),
    Tl2(),
    TritPlanes(),
    TritNine(),
    ValueTable(table=NF2),
    ValueTable(table=NF3),
    ValueTable(),
    DualGrained(),
    ScaledInteger(),
    ScaledInteger(code=INT4, group=128),
)

FORMATS: Mapping[str, WeightFormat] = MappingProxyType({form.name: form for form in _FORMATS})
"""Packed formats at their default parameters."""

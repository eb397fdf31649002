"""The packed formats by name, as data: what ``quantize --to`` takes."""

from collections.abc import Mapping
from types import MappingProxyType

from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.packed_weights import WeightFormat

_FORMATS: tuple[WeightFormat, ...] = (TritPlanes(), TritNine())

FORMATS: Mapping[str, WeightFormat] = MappingProxyType({form.name: form for form in _FORMATS})
"""Packed formats at their default parameters."""

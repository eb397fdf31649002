"""The packed formats by name, as data: what ``quantize --to`` takes."""

import re
from collections.abc import Iterable, Mapping
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
from bitweight.workloads.settings import nearest, settings_between, vary

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

# As they are written and with what follows: fp8_e4m3, mxfp4, nvfp4, fp16.
_FLOATING_POINT = re.compile(r"(?:mx|nv)?fp\d+\w*|bf16")


def weight_format(name: str, settings: Iterable[str] = ()) -> WeightFormat:
    """Return the packed format that ``name`` and ``settings`` describe.

    Args:
        name: One of ``FORMATS``.
        settings: ``field=value``, for example ``group=64``.

    Raises:
        ValueError: If the name, a field or a value is unknown; the message suggests the nearest.
    """
    if _FLOATING_POINT.fullmatch(name.lower()):
        raise ValueError(
            f"Format must be one of {', '.join(FORMATS)}, not {name!r}: "
            "floating-point codes are not supported"
        )
    if name not in FORMATS:
        raise ValueError(
            f"Format must be one of {', '.join(FORMATS)}, not {name!r}{nearest(name, FORMATS)}"
        )
    return vary(FORMATS[name], settings)


def quantize_command(form: WeightFormat) -> str:
    """Return the command that encodes weights in ``form``, but for its files."""
    same_kind = {name: known for name, known in FORMATS.items() if type(known) is type(form)}
    name = form.name if form.name in same_kind else next(iter(same_kind), form.name)
    settings = settings_between(same_kind.get(name, form), form)
    return " ".join([f"bitweight quantize --to {name}", *(f"--set {one}" for one in settings)])

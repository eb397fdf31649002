"""How many scale groups of packed weights are shorter than their format says.

A last group that k does not fill has a scale of its own all the same; reports tell how many.
"""

from functools import singledispatch
from typing import Any

from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.seedlm import Seedlm
from bitweight.workloads.formats.shift_add import KEY, ROW_BLOCKS, ShiftAdd
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.formats.value_table import ValueTable


@singledispatch
def short_groups(form: Any, *, k: int, n: int) -> int:
    """Return the short groups of a (k, n) matrix; 0 where nothing is grouped along k."""
    raise TypeError(f"No packed format is a {type(form).__name__}; see FORMATS")


@short_groups.register(Bcq)
@short_groups.register(DualGrained)
@short_groups.register(ScaledInteger)
@short_groups.register(TritNine)
@short_groups.register(TritPlanes)
@short_groups.register(ValueTable)
def _(form: Any, *, k: int, n: int) -> int:
    return n if form.group is not None and k % form.group else 0


@short_groups.register(I2S)
@short_groups.register(Tl1)
@short_groups.register(Tl2)
def _(form: Any, *, k: int, n: int) -> int:
    return 0  # one scale for all


@short_groups.register
def _(form: Seedlm, *, k: int, n: int) -> int:
    """Count blocks: each has an exponent of its own."""
    if form.row_aligned:
        return n if k % form.block else 0
    return 1 if k * n % form.block else 0


@short_groups.register
def _(form: ShiftAdd, *, k: int, n: int) -> int:
    """Count keys: each has exponents for every plane and eighth of the outputs."""
    return form.bits * ROW_BLOCKS if k % KEY else 0

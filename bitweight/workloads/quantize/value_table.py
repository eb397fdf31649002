"""Table look-up: each weight over its group's greatest magnitude takes the nearest value's code.

Nearest is told by the midpoints between values; a weight on a midpoint takes the lower code.
Division and midpoints are float32; the scale is that magnitude in fp16. A group whose scale is 0
has the code of value 0.

Source: FLUTE's public code, nf_utils.py (midpoints, searched from the left), which leaves a group
of zeros undefined (0 / 0).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import (
    Progress,
    check_weights,
    encode,
    fp16_scales,
    no_progress,
)


@encode.register
def _(
    form: ValueTable, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    groups = groups_along(k, form.group)
    padded = np.pad(values.T, ((0, 0), (0, groups * form.group - k)))
    parts = padded.reshape(n, groups, form.group)
    greatest = np.abs(parts).max(axis=2)
    scale = fp16_scales(greatest)
    divisor = np.where(scale > 0, greatest, 1).astype(np.float32)[:, :, None]
    ratios = np.where(scale[:, :, None] > 0, parts.astype(np.float32) / divisor, np.float32(0))
    codes = np.searchsorted(_midpoints(form), ratios, side="left")
    on_done(n, n)
    return form.pack(codes.reshape(n, -1)[:, :k].T, scale)


def _midpoints(form: ValueTable) -> NDArray[np.float32]:
    table = np.array(form.table, np.float32)
    middles: NDArray[np.float32] = (table[1:] + table[:-1]) / np.float32(2)
    return middles

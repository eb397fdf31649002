"""Plain integers: scale = max|w| / greatest code in fp16, code = w / scale, rounded half to even.

Codes are chosen under the rounded scale, since that one decodes them. A scale that rounds to 0
gives codes 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.scaled_integer import ScaledInteger
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
    form: ScaledInteger, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    group, groups = form.group or k, groups_along(k, form.group)
    parts = np.pad(values.T, ((0, 0), (0, groups * group - k))).reshape(n, groups, group)
    scale = fp16_scales(np.abs(parts).max(axis=2) / form.code.max)
    divisor = scale.astype(np.float64)[:, :, None]
    ratios = np.divide(parts, divisor, out=np.zeros_like(parts), where=divisor > 0)
    codes = np.clip(np.rint(ratios), -form.code.max, form.code.max).astype(np.int64)
    on_done(n, n)
    return form.pack(codes.reshape(n, -1)[:, :k].T, scale)

"""BCQ: fits sign planes, scales and an offset to each group, in turns.

It starts greedily (no offset), then repeats: scales and offset by least squares for the signs,
scales sorted by magnitude, signs by the nearest of the 2**q levels. The scales are then rounded to
fp16 and the signs chosen once more, since those scales decode them.

Source: LUT-GEMM, arXiv 2206.09557, section 3 (greedy, alternating, 15 rounds as in
examples/bcq.py). That solver leaves z to uniform codes; fitting it with the scales is ours, and
``Bcq(offset=False)`` is the solver's own form.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.exact import groups_along
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import (
    Progress,
    check_weights,
    encode,
    fp16_scales,
    no_progress,
)
from bitweight.workloads.quantize.sign_planes import (
    by_magnitude,
    greedy,
    least_squares,
    nearest_codes,
    signs_of,
)

_ROUNDS = 15
_WEIGHTS_AT_ONCE = 1 << 16


@encode.register
def _(form: Bcq, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    groups = groups_along(k, form.group)
    codes = np.zeros((k, n), np.uint8)
    alpha = np.zeros((groups, form.bits, n), np.float16)
    offset = np.zeros((groups, n), np.float16)
    columns = max(1, _WEIGHTS_AT_ONCE // form.group)
    for group in range(groups):
        inputs = slice(group * form.group, (group + 1) * form.group)
        for start in range(0, n, columns):
            outputs = slice(start, start + columns)
            part = np.ascontiguousarray(values[inputs, outputs].T)
            fitted, scale, shift = _fit(form, part)
            codes[inputs, outputs] = fitted.T
            alpha[group, :, outputs] = scale.T
            offset[group, outputs] = shift
        on_done(group + 1, groups)
    return form.pack(signs_of(codes, form.bits), alpha, offset if form.offset else None)


def _fit(
    form: Bcq, w: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float16], NDArray[np.float16]]:
    """Fit groups, shape (groups, g): codes, scales (groups, q) and offsets (groups,)."""
    codes, alpha = greedy(w, form.bits)
    offset = np.zeros(len(w))
    for _round in range(_ROUNDS):
        fitted, offset = least_squares(w, codes, form.bits, offset=form.offset)
        alpha = by_magnitude(fitted)
        before, codes = codes, nearest_codes(w - offset[:, None], alpha)
        if np.array_equal(before, codes):  # further rounds would repeat this one
            break
    scale, shift = fp16_scales(alpha), fp16_scales(offset)
    return nearest_codes(w - shift.astype(float)[:, None], scale.astype(float)), scale, shift

"""BitNet b1.58: ternary weights, those nearest to w over the mean of its magnitudes.

scale = mean |w| over the tensor and code = round(w / scale), clipped to -1..1; round is to nearest
even, so a weight of half the scale becomes 0. The scale is rounded to float32 first, since that is
what decodes the codes. Row sums are correctly rounded, so no order of additions can change it.

Source: "The Era of 1-bit LLMs", arXiv 2402.17764, equations 1 to 3. Its epsilon only keeps a tensor
of zeros from dividing by zero; here such a tensor has scale 0 and codes 0.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize.encode import Progress, check_weights, encode, no_progress


@encode.register(I2S)
@encode.register(Tl1)
@encode.register(Tl2)
def _(
    form: I2S | Tl1 | Tl2, w: NDArray[np.floating[Any]], *, on_done: Progress = no_progress
) -> PackedWeights:
    values = check_weights(w)
    k, n = values.shape
    form.layout(k=k, n=n)  # refuses a size that the format cannot hold before any work
    scale = _absmean(values, on_done)
    return form.pack(_trits(values, float(scale[0])), scale)


def _absmean(values: NDArray[np.float64], on_done: Progress) -> NDArray[np.float32]:
    """Return the mean magnitude, shape (1,)."""
    n, greatest = values.shape[1], np.abs(values).max()
    if greatest > np.finfo(np.float32).max:
        raise ValueError(f"Ternary weights must fit float32, not up to {greatest:g}")
    sums = []
    for column in range(n):
        sums.append(math.fsum(np.abs(values[:, column]).tolist()))
        on_done(column + 1, n)
    return np.array([math.fsum(sums) / values.size], np.float32)


def _trits(values: NDArray[np.float64], scale: float) -> NDArray[np.int8]:
    if scale == 0:
        return np.zeros(values.shape, np.int8)
    return np.clip(np.rint(values / scale), -1, 1).astype(np.int8)

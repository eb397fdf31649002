"""Table decoder in fp16, as FLUTE publishes it: the values that its GPU kernel rounds, in order.

1. A weight is fp16(table value x scale), both fp16, one rounding.
2. Products of fp16 activations and weights are exact in float32.
3. They are added in float32, one by one from the first k of a run to its last.
4. A run's sum is rounded to fp16. With several runs (the kernel's Stream-K split of k) their fp16
   sums are added in fp16, first to last, each addition rounded.

All roundings are to nearest even; sums beyond fp16 become infinite. Kernel and tensor core leave
the order within 3 open, so ours is a reading: one order, stated.

Source: FLUTE, arXiv 2407.10960, and its public kernel (scale on the decoded pair, float32
accumulation, fp16 reduction of splits).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapaths.fp16_tables import check_fp16_operands
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.packed_weights import PackedWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class Fp16ValueTableSpec:
    """Parameters of the fp16 form.

    Attributes:
        format: The weights.
        splits: Runs of k that are summed apart; the last may be shorter.
    """

    format: ValueTable
    splits: int = 1

    def __post_init__(self) -> None:
        """Refuse no run at all."""
        if self.splits < 1:
            raise ValueError(f"Splits must be at least 1, not {self.splits!r}")


def fp16_weights(packed: PackedWeights, form: ValueTable) -> NDArray[np.float16]:
    """Return the weights as the kernel multiplies by them, shape (k, n)."""
    scale = np.repeat(packed.scales["scale"], form.group, axis=1)[:, : packed.k].T
    weights: NDArray[np.float16] = form.values[form.unpack(packed)] * scale
    return weights


def fp16_outputs(
    spec: Fp16ValueTableSpec, x: NDArray[np.float16], packed: PackedWeights
) -> NDArray[np.float16]:
    """Return outputs, shape (m, n), rounded in the documented order.

    Args:
        spec: Format and order.
        x: Activations, shape (m, k).
        packed: Weights in the spec's format.

    Raises:
        TypeError: If the activations are not fp16, or the weights are in another format.
        ValueError: If shapes disagree.
    """
    check_fp16_operands(x, packed, spec.format)
    w = fp16_weights(packed, spec.format).astype(np.float32)
    rows = x.astype(np.float32)
    run = -(-packed.k // spec.splits)
    outputs = np.zeros((len(x), packed.n), np.float16)
    with np.errstate(over="ignore"):
        for start in range(0, packed.k, run):
            acc = np.zeros((len(x), packed.n), np.float32)
            for i in range(start, min(start + run, packed.k)):
                acc += rows[:, i, None] * w[i]
            outputs = acc.astype(np.float16) if start == 0 else outputs + acc.astype(np.float16)
    return outputs

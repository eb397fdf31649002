"""What the datapaths of bitnet.cpp's ternary formats share: one sum over the whole of k.

Weights are -1, 0 and 1 under one scale per tensor, so no group ends before k does, there are no
side integers, and a sum is at most k times the greatest activation. Activations are int8 without
-128, as bitnet.cpp quantises them; a format that has it widens what needs it.

Source: microsoft/BitNet. Its sums have 32 bits whatever k is; here they have what ``max_k`` needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.datapath import Walk
from bitweight.workloads.formats import SYMMETRIC_INT8, IntFormat
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Tl2
from bitweight.workloads.packed_weights import PackedWeights

_LONGEST_K = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TernarySpec:
    """Fields and properties that all three have.

    Attributes:
        a: Format of the activations.
        max_k: Greatest k that the accumulators hold exactly.
    """

    a: IntFormat = SYMMETRIC_INT8
    max_k: int = _LONGEST_K

    def __post_init__(self) -> None:
        """Refuse accumulators for no k."""
        if self.max_k < 1:
            raise ValueError(f"Ternary datapaths must have max_k at least 1, not {self.max_k!r}")

    @property
    def greatest_sum(self) -> int:
        """Greatest magnitude of a delivered sum."""
        return self.max_k * self.a.max_magnitude

    @property
    def acc_width(self) -> int:
        """Bits that hold every sum."""
        return self.greatest_sum.bit_length() + 1

    @property
    def group(self) -> int | None:
        """One sum over the whole k."""
        return None

    @property
    def planes(self) -> int:
        """One sum."""
        return 1

    @property
    def side(self) -> None:
        """No side integers."""
        return


def weights_of(walk: Walk, k: int, by_lane: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return weights, shape (k, n), of those of each lane, shape (beats, n, lanes)."""
    weights = np.zeros((k + 1, by_lane.shape[1]), np.int8)
    weights[walk.lane_k(k)] = by_lane.transpose(0, 2, 1)
    return weights[:k]


def draw_ternary(
    form: I2S | Tl1 | Tl2, rng: np.random.Generator, *, k: int, n: int
) -> PackedWeights:
    """Draw weights and a scale; a quarter of the outputs is all 1 or all -1."""
    trits = rng.integers(-1, 2, (k, n))
    constant = rng.random(n) < 0.25
    trits[:, constant] = rng.choice([-1, 1], n)[constant]
    scale = rng.uniform(0, 0.1, 1).astype(np.float32)
    return form.pack(trits, scale)

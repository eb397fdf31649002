"""Linear feedback shift registers: the pseudo-random states behind a SeedLM block.

Fibonacci form, shifting right: the tapped bits are XORed to the bit that enters at the top. A seed
is a state, and the first state recorded is the one after it. State 0 never leaves itself.

Source: SeedLM, arXiv 2410.10714, appendix A.1-A.3 (form, order of states) and Table 6 (taps).
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

TAPS: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        2: (0, 1),
        3: (0, 1),
        4: (0, 1),
        5: (0, 2),
        6: (0, 1),
        7: (0, 1),
        8: (0, 2, 3, 4),
        9: (0, 4),
        10: (0, 3),
        11: (0, 2),
        12: (0, 1, 2, 8),
        13: (0, 1, 2, 5),
        14: (0, 1, 2, 12),
        15: (0, 1),
        16: (0, 1, 3, 12),
        17: (0, 3),
        18: (0, 7),
        19: (0, 1, 2, 5),
        20: (0, 3),
        21: (0, 2),
        22: (0, 1),
        23: (0, 5),
        24: (0, 1, 2, 7),
    }
)
"""Tapped bits of a register of each length; bit 0 is the one shifted out. Each has full period."""


def states(seeds: NDArray[np.integer], *, length: int, count: int) -> NDArray[np.int64]:
    """Return the states after each seed.

    Args:
        seeds: States to start from, any shape.
        length: Bits of the register, a key of ``TAPS``.
        count: How many states to record.

    Returns:
        Shape (*seeds.shape, count).
    """
    state = seeds.astype(np.int64)
    recorded = np.empty((*state.shape, count), np.int64)
    for step in range(count):
        feedback = np.zeros_like(state)
        for tap in TAPS[length]:
            feedback ^= state >> tap
        state = state >> 1 | (feedback & 1) << (length - 1)
        recorded[..., step] = state
    return recorded

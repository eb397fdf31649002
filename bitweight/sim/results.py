"""How results leave an engine: wrapped to the accumulator, or clamped once on their way out.

Accumulators wrap, which no order of additions can change. A saturating engine clamps the sum as it
drains; its accumulator must therefore hold every sum exactly, which limits k. (Saturating after
each addition would depend on their order and is not offered.)
"""

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.kernels.matmul import matmul, wrap
from bitweight.sim.spec import EngineSpec, PeSpec


def out_width(spec: EngineSpec) -> int:
    """Bits of one result lane."""
    return spec.pe.acc_width if spec.saturate_to is None else spec.saturate_to


def max_k(pe: PeSpec) -> int:
    """Return the greatest k whose every possible sum the accumulator holds exactly."""
    products = [x * y for x in (pe.a.min, pe.a.max) for y in (pe.b.min, pe.b.max)]
    greatest, least = max(products), min(products)
    half = 1 << (pe.acc_width - 1)
    return min((half - 1) // greatest, half // -least if least < 0 else half)


def check_saturation(pe: PeSpec, saturate_to: int | None) -> None:
    """Raise ``ValueError`` unless results can be clamped to ``saturate_to`` bits."""
    if saturate_to is not None and not 2 <= saturate_to <= pe.acc_width:
        raise ValueError(
            f"Results must saturate to 2 to {pe.acc_width} bits (the accumulator), "
            f"not {saturate_to!r}"
        )


def check_depth(spec: EngineSpec, k: int) -> None:
    """Raise ``ValueError`` if a saturating engine cannot sum over ``k`` exactly."""
    limit = max_k(spec.pe)
    if spec.saturate_to is not None and k > limit:
        raise ValueError(
            f"Saturating {spec.name} must keep k within {limit} for its {spec.pe.acc_width}-bit "
            f"accumulator, not {k}; widen pe.acc_width or let it wrap"
        )


def deliver(
    spec: EngineSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    """Compute what an engine delivers of ``a @ b``.

    Args:
        spec: The engine.
        a: Shape (m, k), integers in ``spec.pe.a``.
        b: Shape (k, n), integers in ``spec.pe.b``.

    Returns:
        Results, shape (m, n), and how many of them are not the exact sum.
    """
    check_depth(spec, a.shape[1])
    exact = matmul(a, b)
    if spec.saturate_to is None:
        results = wrap(exact, spec.pe.acc_width)
    else:
        half = 1 << (spec.saturate_to - 1)
        results = np.clip(exact, -half, half - 1)
    return results, 0 if results is exact else int(np.count_nonzero(results != exact))


def clamp(value: int, saturate_to: int | None) -> int:
    """Return a resolved sum as it leaves the engine."""
    if saturate_to is None:
        return value
    half = 1 << (saturate_to - 1)
    return max(-half, min(half - 1, value))

"""What every PE model offers: one clock of it, and the value that it holds.

Each PE file registers itself here by its spec's type; engines call these and know no PE by name.
"""

from functools import singledispatch
from typing import Any


@singledispatch
def initial_state(spec: object) -> Any:
    """Return the state of a PE whose registers hold zero."""
    raise TypeError(f"No PE model takes a {type(spec).__name__}; see sim.catalog.PES")


@singledispatch
def step(spec: object, state: Any, a: int, b: int, *, clear: bool = False) -> Any:
    """Advance a PE by one clock.

    Args:
        spec: Parameters of the PE.
        state: Its registers before the clock edge.
        a: Streamed operand, in ``spec.a``.
        b: Other operand, in ``spec.b``.
        clear: Start a new sum from this product.

    Returns:
        The registers after the edge.
    """
    raise TypeError(f"No PE model takes a {type(spec).__name__}; see sim.catalog.PES")


@singledispatch
def resolve(spec: object, state: Any) -> int:
    """Return the accumulator's value, wrapped to ``spec.acc_width`` bits, signed."""
    raise TypeError(f"No PE model takes a {type(spec).__name__}; see sim.catalog.PES")


def wrap(value: int, width: int) -> int:
    """Return ``value`` modulo ``2**width`` as a signed integer."""
    half = 1 << (width - 1)
    return (value + half) % (1 << width) - half


def check_acc_width(a_width: int, b_width: int, acc_width: int) -> None:
    """Raise ``ValueError`` unless the accumulator holds one product and fits an int64."""
    if not a_width + b_width <= acc_width <= 63:
        raise ValueError(
            f"Accumulator width must be {a_width + b_width} (one product) to 63 bits, "
            f"not {acc_width!r}"
        )

"""Loops of a bit-weight nest: over m, n, k and the digits' weights bw, temporal or spatial.

A temporal loop takes one clock per iteration, a spatial one is unrolled into hardware. A dimension
may be split over several loops: ``k = 16*kt + 4*kl + ki`` is three loops with strides 16, 4 and 1,
in any nesting order. The part with the greatest stride is open: it takes as many iterations as the
size needs. An iteration whose first index lies beyond the size does not happen.

Source: loop vocabulary of the bit-weight paper, HPCA 2025, arXiv 2503.06342; our spelling.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Dim(Enum):
    """A dimension of the computation."""

    M = "m"
    N = "n"
    K = "k"
    BW = "bw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One loop of a nest.

    Attributes:
        name: Its index, for example ``mt``.
        dim: The dimension that it walks.
        spatial: Unrolled into hardware if true, one clock per iteration otherwise.
        stride: How far one iteration moves along the dimension.
        extent: Number of iterations; ``None`` if the size decides.
    """

    name: str
    dim: Dim
    spatial: bool = False
    stride: int = 1
    extent: int | None = None

    def __post_init__(self) -> None:
        """Refuse empty steps and loops."""
        if self.stride < 1 or (self.extent is not None and self.extent < 1):
            raise ValueError(
                f"Stride and extent of {self.name} must be at least 1, "
                f"not {self.stride!r} and {self.extent!r}"
            )

    def iterations(self, size: int) -> int:
        """Return its greatest number of iterations over ``size`` elements."""
        return -(-size // self.stride) if self.extent is None else self.extent


def split_of(loops: Iterable[Loop], dim: Dim) -> tuple[Loop, ...]:
    """Return the loops over one dimension, greatest stride first, the open one before equals."""
    over = (loop for loop in loops if loop.dim is dim)
    return tuple(sorted(over, key=lambda loop: (-loop.stride, loop.extent is not None)))


def split_text(loops: Iterable[Loop], dim: Dim) -> str:
    """Return ``k = 4*kt + kp``."""
    terms = [_term(loop) for loop in split_of(loops, dim)]
    return f"{dim.value} = {' + '.join(terms)}"


def _term(loop: Loop) -> str:
    return loop.name if loop.stride == 1 else f"{loop.stride}*{loop.name}"


def check_split(loops: Sequence[Loop], dim: Dim) -> None:
    """Raise ``ValueError`` unless the loops visit every index of ``dim`` exactly once."""
    parts = split_of(loops, dim)
    covered = 1
    for loop in reversed(parts):
        if loop.stride != covered or (loop.extent is None) != (loop is parts[0]):
            break
        covered *= loop.extent or 1
    else:
        if parts:
            return
    raise ValueError(
        f"Loops over {dim.value} must visit each index once, the greatest stride being open, "
        f"not {split_text(loops, dim) if parts else 'missing'!r}"
    )


def temporal_trips(loops: Iterable[Loop], dim: Dim, size: int) -> int:
    """Return how often the temporal loops over ``dim`` step, in closed form.

    Spatial positions beyond the size idle; position 0 of every spatial loop works longest.
    """
    return _trips(split_of(loops, dim), size)


def _trips(parts: tuple[Loop, ...], size: int) -> int:
    """Count the steps of the parts, greatest stride first, over ``size`` elements."""
    if not parts:
        return 1
    outer, inner = parts[0], parts[1:]
    if outer.spatial:
        return _trips(inner, min(size, outer.stride))
    whole_blocks = (size - 1) // outer.stride
    last_block = size - whole_blocks * outer.stride
    return whole_blocks * _trips(inner, outer.stride) + _trips(inner, last_block)

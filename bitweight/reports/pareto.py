"""The Pareto front: what nothing else beats in every respect at once."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def front(candidates: Iterable[_T], costs: Callable[[_T], Sequence[float]]) -> list[_T]:
    """Return the candidates that no other dominates, in the order given.

    One dominates another if it costs no more in any respect and less in at least one; equal ones
    do not dominate each other, and all stay.

    Args:
        candidates: What to choose from.
        costs: A candidate's costs, less is better; as many for each.
    """
    # In rising order a candidate can only be dominated by one before it, and if by one that is
    # dominated itself, then by that one's dominator too: the front so far is all to compare with.
    ranked = sorted(
        ((tuple(costs(one)), place, one) for place, one in enumerate(candidates)),
        key=lambda entry: entry[:2],
    )
    kept: list[tuple[tuple[float, ...], int, _T]] = []
    for entry in ranked:
        if not any(_dominates(other, entry[0]) for other, _, _ in kept):
            kept.append(entry)
    return [one for _, _, one in sorted(kept, key=lambda entry: entry[1])]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

"""Half look-up tables: every signed sum of ``mu`` activations that takes the last one plus.

A key holds a sign per activation, lowest first, 1 for plus. The sum of a key's complement is the
sum's negative, so half of the 2**mu entries serve: a key whose last sign is minus reads the entry
of its complement and negates it. Halves of the activations are summed first and every sum of one
is added to every sum of the other, so an entry is two or three additions deep.

RTL twin: ``rtl.datapaths.half_table``.
Source: keys and tables of LUT-GEMM, arXiv 2206.09557, section 3 (whole tables); half tables as in
T-MAC, arXiv 2407.00088, and FIGLUT, arXiv 2503.06862.
"""

from collections.abc import Sequence
from enum import StrEnum

from bitweight.sim.datapath import Operations, Part
from bitweight.workloads.formats import IntFormat


class KeyWidth(StrEnum):
    """Activations of one table (mu)."""

    FOUR = "4"
    EIGHT = "8"


def check_lanes(name: str, lanes: int) -> None:
    """Raise ``ValueError`` unless beats of so many activations cut keys and words evenly."""
    if lanes not in (8, 16, 32):
        raise ValueError(f"Lanes of {name} must be 8, 16 or 32, not {lanes!r}")


def entry_range(a: IntFormat, mu: int) -> tuple[int, int]:
    """Return the least and the greatest entry: the last activation is never negated."""
    others = (mu - 1) * a.max_magnitude
    return a.min - others, a.max + others


def half_table(x: Sequence[int]) -> tuple[int, ...]:
    """Return the sums of x by the signs of all but the last: bit i set takes x[i] plus."""
    *others, last = x
    return tuple(
        last + sum(value if key >> i & 1 else -value for i, value in enumerate(others))
        for key in range(1 << len(others))
    )


def half_tables(x: Sequence[int], mu: int) -> tuple[int, ...]:
    """Return the half tables of every ``mu`` of x, one after the other."""
    return tuple(entry for at in range(0, len(x), mu) for entry in half_table(x[at : at + mu]))


def half_keys(unit: int, lanes: int, mu: int) -> list[int]:
    """Split a unit of ``lanes`` signs into keys, and each key into entry and negation.

    Returns:
        One integer per key: the entry that it reads, and above it a bit that is 1 if the entry is
        to be negated.
    """
    top, mask = mu - 1, (1 << (mu - 1)) - 1
    keys = [unit >> start & (1 << mu) - 1 for start in range(0, lanes, mu)]
    return [key & mask if key >> top else (~key & mask) | 1 << top for key in keys]


def read(table: Sequence[int], half_key: int) -> int:
    """Return the signed sum of a key: a table's entry, or its negative."""
    negated, entry = divmod(half_key, len(table))
    return -table[entry] if negated else table[entry]


def table_adds(mu: int) -> int:
    """Return the additions that build a half table: one per sum of each part of x."""
    return 0 if mu == 1 else 2 * table_adds(mu // 2) + (1 << (mu - 1))


def table_part(tables: int, mu: int) -> Part:
    """Return the row part that builds tables: sums of half a key's activations, then of all."""
    return Part(latency=2, operations=Operations(adds=tables * table_adds(mu)))

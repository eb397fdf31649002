"""What the ternary look-up datapaths share: entries of a table, and choosing one."""

from collections.abc import Sequence

from amaranth.hdl import Array, Mux, Value

from bitweight.rtl.wires import signed_sum


def ternary_sum(weights: Sequence[int], values: Sequence[Value]) -> Value:
    """Return the sum of ``values``, each times -1, 0 or 1.

    What is added comes before what is subtracted, so the entries of a table share their sums of
    two.
    """
    signed = list(zip(weights, values, strict=True))
    plus = [value for weight, value in signed if weight > 0]
    minus = [value for weight, value in signed if weight < 0]
    if not minus:
        return signed_sum(plus)
    return signed_sum(plus) - signed_sum(minus) if plus else -signed_sum(minus)


def table_entry(entries: Sequence[Value], index: Value) -> Value:
    """Return the entry at a four-bit index; an index past the last one does not occur.

    Past the last entry its place in a block of a power of two is repeated: those indices then cost
    nothing.
    """
    filled = list(entries)
    while len(filled) < 16:
        lowest = len(filled) & -len(filled)
        filled += filled[-lowest:]
    low, high = (Array(half)[index[:3]] for half in (filled[:8], filled[8:]))
    return Mux(index[3], high, low)

"""What the ternary look-up datapaths share: tables of a row, and choosing an entry."""

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from bitweight.rtl.datapath import row_ports
from bitweight.rtl.wires import signed_sum
from bitweight.sim.datapaths.tl1 import Tl1Spec
from bitweight.sim.datapaths.tl2 import Tl2Spec


class TernaryTableRow(wiring.Component):
    """Builds a table of each run of a row's activations.

    Ports:
        x: Activations of a beat.
        out: Stored entries, run by run.
    """

    def __init__(self, spec: Tl1Spec | Tl2Spec, stored: Sequence[Sequence[int]]) -> None:
        self.stored = stored
        super().__init__(row_ports(spec, tables_shape(spec, stored)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        size = len(self.stored[0])
        for at in range(len(self.out)):
            run, entry = divmod(at, len(self.stored))
            x = [self.x[size * run + i] for i in range(size)]
            held = Signal(self.out[at].shape(), reset_less=True, name=f"entry_{run}_{entry}")
            m.d.sync += held.eq(ternary_sum(self.stored[entry], x))
            m.d.comb += self.out[at].eq(held)
        return m


def tables_shape(spec: Tl1Spec | Tl2Spec, stored: Sequence[Sequence[int]]) -> ArrayLayout:
    """Return the shape of a beat's tables, whose entries have the weights ``stored``."""
    runs = len(spec.walk.lanes[0]) // len(stored[0])
    return ArrayLayout(Shape(spec.entry_width, True), runs * len(stored))


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

"""RTL of the TL1 datapath: a table per pair and row, indices as wires, a mux per pair and cell.

Model: ``sim.datapaths.tl1``.
"""

from amaranth.hdl import Const, Module
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from bitweight.rtl.datapath import cell, cell_ports, column_part, column_ports, row_part
from bitweight.rtl.datapaths.dot_product import accumulate
from bitweight.rtl.datapaths.ternary import TernaryTableRow, table_entry, tables_shape
from bitweight.rtl.wires import delay, signed_sum
from bitweight.sim.datapaths.tl1 import PAIRS, STORED, ZERO_INDEX, Tl1Spec


class Tl1Column(wiring.Component):
    """Indices of a beat; wires.

    Ports:
        units: Bytes of a beat.
        out: Index of every pair.
    """

    def __init__(self, spec: Tl1Spec) -> None:
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        for at, byte in enumerate(self.units):
            m.d.comb += [self.out[2 * at].eq(byte[4:]), self.out[2 * at + 1].eq(byte[:4])]
        return m


class Tl1Cell(wiring.Component):
    """Looks up a sum per pair, and accumulates those of a beat.

    Ports:
        row, column: From the parts.
        first: Start a new sum with this beat.
        acc: The sum.
    """

    def __init__(self, spec: Tl1Spec) -> None:
        self.spec = spec
        super().__init__(
            cell_ports(spec, row=tables_shape(spec, STORED), column=_column_shape(spec))
        )

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        size = len(STORED)
        found = []
        for pair, index in enumerate(self.column):
            table = [self.row[pair * size + entry] for entry in range(size)]
            table.insert(ZERO_INDEX, Const(0, table[0].shape()))
            found.append(table_entry(table, index))
        beat_sum = delay(m, signed_sum(found), 1, "beat_sum")
        accumulate(m, self.spec, self.first, beat_sum, self.acc[0])
        return m


def _column_shape(spec: Tl1Spec) -> ArrayLayout:
    return ArrayLayout(4, PAIRS)


@row_part.register
def _(spec: Tl1Spec) -> TernaryTableRow:
    return TernaryTableRow(spec, STORED)


@column_part.register
def _(spec: Tl1Spec) -> Tl1Column:
    return Tl1Column(spec)


@cell.register
def _(spec: Tl1Spec) -> Tl1Cell:
    return Tl1Cell(spec)

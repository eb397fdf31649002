"""RTL of the TL2 datapath: a table per triple and row, signs counted per column, a mux per cell.

Model: ``sim.datapaths.tl2``.
"""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout

from bitweight.rtl.datapath import cell, cell_ports, column_part, column_ports, row_part
from bitweight.rtl.datapaths.dot_product import accumulate
from bitweight.rtl.datapaths.ternary import TernaryTableRow, table_entry, tables_shape
from bitweight.rtl.wires import delay, signed_sum
from bitweight.sim.datapaths.tl2 import INDEX_BITS, PAIR_OFFSET, STORED, TRIPLES, Tl2Spec

_COLUMN_SHAPE = StructLayout(
    {
        **{f"index_{triple}": 4 for triple in range(TRIPLES)},
        **{f"sign_{triple}": 1 for triple in range(TRIPLES)},
        "count": range(TRIPLES + 1),
    }
)


class Tl2Column(wiring.Component):
    """Indices and signs of a beat, those of the tail's pairs made from their TL1 indices.

    Ports:
        units: One unit: a nibble per triple, then a sign per triple.
        tail: The nibbles are TL1 indices.
        out: Index of every triple, sign of every triple, and how many are negative.
    """

    def __init__(self, spec: Tl2Spec) -> None:
        super().__init__(column_ports(spec, _COLUMN_SHAPE))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        held = Signal(_COLUMN_SHAPE, reset_less=True)
        signs: list[Value] = []
        for at in range(TRIPLES):
            nibble = self.units[0].word_select(at, 4)
            is_low, sign = (Signal(name=f"{name}_{at}") for name in ("is_low", "sign"))
            index = Signal(4, name=f"index_{at}")
            magnitude = Mux(is_low, PAIR_OFFSET - nibble, nibble - PAIR_OFFSET)
            m.d.comb += [
                is_low.eq(nibble < PAIR_OFFSET),
                index.eq(Mux(self.tail, magnitude, nibble)),
                sign.eq(Mux(self.tail, is_low, self.units[0][INDEX_BITS + at])),
            ]
            m.d.sync += [held[f"index_{at}"].eq(index), held[f"sign_{at}"].eq(sign)]
            signs.append(sign)
        count = Signal(range(TRIPLES + 1))
        m.d.comb += [count.eq(signed_sum(signs)), self.out.eq(held)]
        m.d.sync += held.count.eq(count)
        return m


class Tl2Cell(wiring.Component):
    """Looks up a sum per triple, inverts the negative ones, and accumulates them and their count.

    Ports:
        row, column: From the parts.
        first: Start a new sum with this beat.
        acc: The sum.
    """

    def __init__(self, spec: Tl2Spec) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=tables_shape(spec, STORED), column=_COLUMN_SHAPE))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        size = len(STORED)
        terms: list[Value] = []
        for triple in range(TRIPLES):
            table: list[Value] = [self.row[triple * size + entry] for entry in range(size)]
            table.insert(0, Const(0, table[0].shape()))
            entry = table_entry(table, self.column[f"index_{triple}"])
            mask = self.column[f"sign_{triple}"].replicate(self.spec.entry_width)
            term = Signal(Shape(self.spec.entry_width, True), name=f"term_{triple}")
            m.d.comb += term.eq(entry.as_unsigned() ^ mask)
            terms.append(term)
        beat_sum = delay(m, signed_sum([*terms, self.column.count]), 1, "beat_sum")
        accumulate(m, self.spec, self.first, beat_sum, self.acc[0])
        return m


@row_part.register
def _(spec: Tl2Spec) -> TernaryTableRow:
    return TernaryTableRow(spec, STORED)


@column_part.register
def _(spec: Tl2Spec) -> Tl2Column:
    return Tl2Column(spec)


@cell.register
def _(spec: Tl2Spec) -> Tl2Cell:
    return Tl2Cell(spec)

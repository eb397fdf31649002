"""RTL of the table decoder: a table per lane or a memory per pair, then dot products.

Model: ``sim.datapaths.value_table``.
"""

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory

from bitweight.rtl.datapath import cell, column_part, column_ports, row_part
from bitweight.rtl.datapaths.dot_product import DotCell, PlainRow
from bitweight.sim.datapaths.value_table import Lookup, ValueTableSpec


class ValueTableColumn(wiring.Component):
    """The table's entries for the codes of a beat.

    Ports:
        units: Storage words.
        out: An entry for every lane.
    """

    def __init__(self, spec: ValueTableSpec) -> None:
        self.spec = spec
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        look_up = self._paired if self.spec.lookup is Lookup.PAIRED else self._single
        for pair, index in enumerate(self._pairs()):
            look_up(m, pair, index)
        return m

    def _pairs(self) -> list[Value]:
        """Return the pair index of lanes 2i and 2i + 1, for every i."""
        if self.spec.format.bits == 3:
            spread = [self.units[pair % 3].word_select(pair // 3, 6) for pair in range(15)]
            return [*spread, Cat(self.units[word][30:] for word in range(3))]
        width = 2 * self.spec.format.bits
        return [word.word_select(at, width) for word in self.units for at in range(16 // width)]

    def _single(self, m: Module, pair: int, index: Value) -> None:
        bits = self.spec.format.bits
        for lane, code in ((2 * pair, index[bits:]), (2 * pair + 1, index[:bits])):
            entry = Signal(self.out[lane].shape(), reset_less=True, name=f"entry_{lane}")
            with m.Switch(code):
                for value, fixed in enumerate(self.spec.format.entries):
                    with m.Case(value):
                        m.d.sync += entry.eq(fixed)
            m.d.comb += self.out[lane].eq(entry)

    def _paired(self, m: Module, pair: int, index: Value) -> None:
        entries = self.spec.format.entries
        shape = Shape(self.spec.format.entry.width, True)
        # A pair of entries as the two lanes take them: that of the high code first.
        both = [Cat(Const(high, shape), Const(low, shape)) for high in entries for low in entries]
        words = [Const.cast(value).value for value in both]
        memory = Memory(shape=2 * shape.width, depth=len(words), init=words)
        m.submodules[f"pairs_{pair}"] = memory
        read = memory.read_port()
        m.d.comb += [
            read.addr.eq(index),
            Cat(self.out[2 * pair], self.out[2 * pair + 1]).eq(read.data),
        ]


def _column_shape(spec: ValueTableSpec) -> ArrayLayout:
    return ArrayLayout(Shape(spec.format.entry.width, True), spec.lanes)


@row_part.register
def _(spec: ValueTableSpec) -> PlainRow:
    return PlainRow(spec)


@column_part.register
def _(spec: ValueTableSpec) -> ValueTableColumn:
    return ValueTableColumn(spec)


@cell.register
def _(spec: ValueTableSpec) -> DotCell:
    return DotCell(spec, _column_shape(spec), weight_max=spec.format.entry.max)

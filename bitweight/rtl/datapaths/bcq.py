"""RTL of the look-up datapath of binary codes: tables per row, keys per column, reads per cell.

Model: ``sim.datapaths.bcq``.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from bitweight.rtl.datapath import cell, cell_ports, column_part, column_ports, row_part
from bitweight.rtl.datapaths.dot_product import accumulate_planes
from bitweight.rtl.datapaths.half_table import HalfTableRow, half_key, read, tables_shape
from bitweight.sim.datapaths.bcq import BcqSpec


class BcqColumn(wiring.Component):
    """Half keys of a beat.

    Ports:
        units: One unit per plane: a sign per lane.
        out: Half keys, plane by plane.
    """

    def __init__(self, spec: BcqSpec) -> None:
        self.spec = spec
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        for plane in range(self.spec.units):
            for at in range(self.spec.keys):
                key = self.units[plane].word_select(at, self.spec.key)
                m.d.comb += self.out[plane * self.spec.keys + at].eq(half_key(key))
        return m


class BcqCell(wiring.Component):
    """Reads an entry per plane and key, and accumulates the beat's sums.

    Ports:
        row, column: From the parts.
        first: Start new sums with this beat.
        acc: Sums, one per plane; last the activations' own, if the format has an offset.
    """

    def __init__(self, spec: BcqSpec) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=tables_shape(spec), column=_column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        spec, size = self.spec, 1 << (self.spec.key - 1)
        starts = range(0, spec.keys * size, size)
        tables = [[self.row[start + at] for at in range(size)] for start in starts]
        planes = [
            [
                read(m, table, self.column[plane * spec.keys + at], f"read_{plane}_{at}")
                for at, table in enumerate(tables)
            ]
            for plane in range(spec.units)
        ]
        if spec.format.offset:
            planes.append([table[-1] for table in tables])
        accumulate_planes(m, spec, self.first, planes, self.acc)
        return m


def _column_shape(spec: BcqSpec) -> ArrayLayout:
    return ArrayLayout(spec.key, spec.units * spec.keys)


@row_part.register
def _(spec: BcqSpec) -> HalfTableRow:
    return HalfTableRow(spec)


@column_part.register
def _(spec: BcqSpec) -> BcqColumn:
    return BcqColumn(spec)


@cell.register
def _(spec: BcqSpec) -> BcqCell:
    return BcqCell(spec)

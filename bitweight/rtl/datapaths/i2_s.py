"""RTL of the I2_S datapath: x and -x per row, codes as wires, a choice of three per lane and cell.

Model: ``sim.datapaths.i2_s``. Lanes of 16 bits are in ``rtl.datapaths.i2_s_int16``.
"""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from bitweight.rtl.datapath import (
    cell,
    cell_ports,
    column_part,
    column_ports,
    row_part,
    row_ports,
)
from bitweight.rtl.datapaths.dot_product import accumulate
from bitweight.rtl.datapaths.i2_s_int16 import Int16Cell, Int16Row
from bitweight.rtl.wires import delay, signed_sum
from bitweight.sim.datapaths.i2_s import I2SSpec

_PER_BYTE = 4


class I2SRow(wiring.Component):
    """Both signs of the activations.

    Ports:
        x: Activations of a beat.
        out: x of every lane, then -x of every lane.
    """

    def __init__(self, spec: I2SSpec) -> None:
        super().__init__(row_ports(spec, _row_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        lanes = len(self.x)
        for lane in range(lanes):
            for name, at, value in (
                ("plus", lane, self.x[lane]),
                ("minus", lanes + lane, -self.x[lane]),
            ):
                held = Signal(self.out[at].shape(), reset_less=True, name=f"{name}_{lane}")
                m.d.sync += held.eq(value)
                m.d.comb += self.out[at].eq(held)
        return m


class I2SColumn(wiring.Component):
    """Codes of a beat; wires.

    Ports:
        units: Bytes of a beat.
        out: Code of every lane: the highest two bits of every byte, then the next two, and so on.
    """

    def __init__(self, spec: I2SSpec) -> None:
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        count = len(self.units)
        for lane in range(len(self.out)):
            quarter, at = divmod(lane, count)
            m.d.comb += self.out[lane].eq(self.units[at].word_select(_PER_BYTE - 1 - quarter, 2))
        return m


class I2SCell(wiring.Component):
    """Adds, skips or subtracts each activation, and accumulates the beat's sum.

    Ports:
        row, column: From the parts.
        first: Start a new sum with this beat.
        acc: The sum.
    """

    def __init__(self, spec: I2SSpec) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=_row_shape(spec), column=_column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        lanes = len(self.column)
        choices = [
            Mux(code[1], self.row[lane], Mux(code[0], 0, self.row[lanes + lane]))
            for lane, code in enumerate(self.column)
        ]
        part = lanes // _PER_BYTE
        part_sums = [
            delay(m, signed_sum(choices[start : start + part]), 1, f"part_sum_{start}")
            for start in range(0, lanes, part)
        ]
        beat_sum = delay(m, signed_sum(part_sums), 1, "beat_sum")
        accumulate(m, self.spec, self.first, beat_sum, self.acc[0])
        return m


def _row_shape(spec: I2SSpec) -> ArrayLayout:
    value = Shape(spec.a.max_magnitude.bit_length() + 1, True)
    return ArrayLayout(value, 2 * len(spec.walk.lanes[0]))


def _column_shape(spec: I2SSpec) -> ArrayLayout:
    return ArrayLayout(2, len(spec.walk.lanes[0]))


@row_part.register
def _(spec: I2SSpec) -> I2SRow | Int16Row:
    return Int16Row(spec) if spec.is_int16 else I2SRow(spec)


@column_part.register
def _(spec: I2SSpec) -> I2SColumn:
    return I2SColumn(spec)


@cell.register
def _(spec: I2SSpec) -> I2SCell | Int16Cell:
    return Int16Cell(spec, _column_shape(spec)) if spec.is_int16 else I2SCell(spec)

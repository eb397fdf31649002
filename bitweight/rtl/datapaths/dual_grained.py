"""RTL of the dual-grained decoder: S2 on every weight, or on the sum of a beat.

Model: ``sim.datapaths.dual_grained``.
"""

from typing import Any

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout

from bitweight.rtl.datapath import cell, cell_ports, column_part, column_ports, row_part
from bitweight.rtl.datapaths.dot_product import (
    DotCell,
    PlainRow,
    accumulate,
    beat_sum,
    row_shape,
)
from bitweight.rtl.wires import delay
from bitweight.sim.datapaths.dual_grained import DualGrainedSpec
from bitweight.workloads.formats.dual_grained import CODE_MAX, WEIGHT_MAX

_S2_BITS, _Z_BITS = WEIGHT_MAX.bit_length(), CODE_MAX.bit_length()


class DualGrainedColumn(wiring.Component):
    """Weights of a beat, or codes less their zero point.

    Ports:
        units: Bytes of two codes, the first in the high nibble.
        side: S2, then z.
        out: A weight for every lane; factored, u4 - z for every lane (``codes``) and ``s2``.
    """

    def __init__(self, spec: DualGrainedSpec) -> None:
        self.spec = spec
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        s2, z = self.side[0][:_S2_BITS], self.side[1][:_Z_BITS]
        lanes = self.out.codes if self.spec.is_factored else self.out
        nibbles = [nibble for byte in self.units for nibble in (byte[4:], byte[:4])]
        for lane, nibble in enumerate(nibbles):
            code: Value = nibble - z
            weight = Signal(lanes[lane].shape(), reset_less=True, name=f"weight_{lane}")
            m.d.sync += weight.eq(code if self.spec.is_factored else code * s2)
            m.d.comb += lanes[lane].eq(weight)
        if self.spec.is_factored:
            m.d.comb += self.out.s2.eq(delay(m, s2, 1, "s2"))
        return m


class FactoredCell(wiring.Component):
    """Multiplies the sum of a beat by S2 and accumulates.

    Ports:
        row: Activations of every lane.
        column: ``codes`` of every lane and ``s2``.
        first: Start a new sum with this beat.
        acc: The sum.
    """

    def __init__(self, spec: DualGrainedSpec) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=row_shape(spec), column=_column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        spec = self.spec
        total = beat_sum(m, spec, self.row, self.column.codes, CODE_MAX)
        s2 = delay(m, self.column.s2, 1 + spec.pipelined, "s2")
        # No wider than the sum of decoded weights, since it is the same number.
        width = (len(self.row) * spec.a.max_magnitude * WEIGHT_MAX).bit_length() + 1
        scaled = Signal(Shape(width, True), reset_less=True, name="scaled")
        m.d.sync += scaled.eq(total * s2)
        accumulate(m, spec, self.first, scaled, self.acc[0])
        return m


def _column_shape(spec: DualGrainedSpec) -> Any:
    lanes = len(spec.walk.lanes[0])
    if not spec.is_factored:
        return ArrayLayout(Shape(_S2_BITS + 1, True), lanes)
    codes = ArrayLayout(Shape(_Z_BITS + 1, True), lanes)
    return StructLayout({"codes": codes, "s2": _S2_BITS})


@row_part.register
def _(spec: DualGrainedSpec) -> PlainRow:
    return PlainRow(spec)


@column_part.register
def _(spec: DualGrainedSpec) -> DualGrainedColumn:
    return DualGrainedColumn(spec)


@cell.register
def _(spec: DualGrainedSpec) -> DotCell | FactoredCell:
    if spec.is_factored:
        return FactoredCell(spec)
    return DotCell(spec, _column_shape(spec), weight_max=WEIGHT_MAX)

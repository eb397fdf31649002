"""RTL of I2_S in 16-bit lanes: sums of code times x that wrap, and the sum of x to subtract.

The accumulator shows what the lanes hold, so it is right after every beat and needs no signal that
empties them: the next group's first beat loads.

Model: ``sim.datapaths.i2_s``.
"""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout

from bitweight.rtl.datapath import cell_ports, row_ports
from bitweight.rtl.wires import delay, operand_shape, signed_sum
from bitweight.sim.datapaths.i2_s import I2SSpec

_LANE_BITS = 16
_BLOCK_BYTES = 32


class Int16Row(wiring.Component):
    """The activations and their sum.

    Ports:
        x: Activations of a beat.
        out: x of every lane, then the sum of all.
    """

    def __init__(self, spec: I2SSpec) -> None:
        super().__init__(row_ports(spec, _row_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        for lane, value in enumerate(self.x):
            m.d.comb += self.out[f"x_{lane}"].eq(delay(m, value, 1, f"x_{lane}"))
        m.d.comb += self.out.sum.eq(delay(m, signed_sum(list(self.x)), 1, "sum"))
        return m


class Int16Cell(wiring.Component):
    """Adds codes times activations to lanes that wrap; shows their sum less that of x.

    Ports:
        row, column: From the parts.
        first: Start anew with this beat.
        acc: The sum.
    """

    def __init__(self, spec: I2SSpec, column: ArrayLayout) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=_row_shape(spec), column=column))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        first = delay(m, self.first, 1, "first_register")
        lanes: list[Value] = []
        for number in range(self.spec.lane_count):
            products = [
                _times(self.row[f"x_{at}"], code)
                for at, code in enumerate(self.column)
                if at % _BLOCK_BYTES // 2 == number
            ]
            added = delay(m, signed_sum(products), 1, f"added_{number}")
            lane = Signal(Shape(_LANE_BITS, True), reset_less=True, name=f"lane_{number}")
            m.d.sync += lane.eq(Mux(first, 0, lane) + added)
            lanes.append(lane)
        of_x = Signal(Shape(self.spec.acc_width, True), reset_less=True, name="sum_of_x")
        acc = Signal(Shape(self.spec.acc_width, True), reset_less=True, name="acc_register")
        m.d.sync += [
            of_x.eq(Mux(first, 0, of_x) + delay(m, self.row.sum, 1, "added_x")),
            acc.eq(signed_sum(lanes) - of_x),
        ]
        m.d.comb += self.acc[0].eq(acc)
        return m


def _row_shape(spec: I2SSpec) -> StructLayout:
    lanes = len(spec.walk.lanes[0])
    total = Shape((lanes * spec.a.max_magnitude).bit_length() + 1, True)
    return StructLayout({**{f"x_{at}": operand_shape(spec.a) for at in range(lanes)}, "sum": total})


def _times(value: Value, code: Value) -> Value:
    """Return 0, 1 or 2 times ``value``."""
    return Mux(code[1], value << 1, Mux(code[0], value, Const(0)))

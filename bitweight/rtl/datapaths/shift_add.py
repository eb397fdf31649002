"""RTL of the look-up, shift and add datapath: reads, barrel shifters and one sum per cell.

Model: ``sim.datapaths.shift_add``.
"""

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout

from bitweight.rtl.datapath import cell, cell_ports, column_part, column_ports, row_part
from bitweight.rtl.datapaths.half_table import HalfTableRow, half_key, read, tables_shape
from bitweight.rtl.wires import delay, signed_sum
from bitweight.sim.datapaths.shift_add import ShiftAddSpec


class ShiftAddColumn(wiring.Component):
    """Half keys and shift codes of a beat.

    Ports:
        units: One unit per plane: a sign per lane.
        side: Shift codes, by plane, scale and term.
        out: Half keys, plane by plane, then the shift codes.
    """

    def __init__(self, spec: ShiftAddSpec) -> None:
        self.spec = spec
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        spec = self.spec
        for plane in range(spec.units):
            for at in range(spec.keys):
                key = self.units[plane].word_select(at, spec.key)
                m.d.comb += self.out[f"key_{plane * spec.keys + at}"].eq(half_key(key))
        for at in range(spec.side.units):
            m.d.comb += self.out[f"shift_{at}"].eq(self.side[at])
        return m


class ShiftAddCell(wiring.Component):
    """Reads an entry per plane and scale, shifts it to each term and accumulates all.

    Ports:
        row, column: From the parts.
        first: Start a new sum with this beat.
        acc: The sum, in units of the layer's least exponent.
    """

    def __init__(self, spec: ShiftAddSpec) -> None:
        self.spec = spec
        super().__init__(cell_ports(spec, row=tables_shape(spec), column=_column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        spec = self.spec
        terms: list[Value] = []
        for at in range(spec.units * spec.scales):
            entry = self._entry(m, at)
            for term in range(at * spec.format.terms, (at + 1) * spec.format.terms):
                shift = delay(m, self.column[f"shift_{term}"], 1, f"shift_register_{term}")
                is_none = Signal(name=f"is_none_{term}")
                m.d.comb += is_none.eq(shift.all())
                terms.append(Mux(is_none, 0, entry << shift))
        total = signed_sum(terms)
        beat_sum = Signal(total.shape(), reset_less=True)
        acc = Signal(Shape(spec.acc_width, True), reset_less=True, name="acc_register")
        first = delay(m, self.first, 2, "first_register")
        m.d.sync += [beat_sum.eq(total), acc.eq(Mux(first, 0, acc) + beat_sum)]
        m.d.comb += self.acc[0].eq(acc)
        return m

    def _entry(self, m: Module, at: int) -> Signal:
        """Return the registered signed sum of the 8 activations under scale ``at`` of all."""
        spec, size = self.spec, 1 << (self.spec.key - 1)
        per_scale = spec.keys // spec.scales
        reads = []
        for key in range(at * per_scale, (at + 1) * per_scale):
            start = key % spec.keys * size
            table = [self.row[start + entry] for entry in range(size)]
            reads.append(read(m, table, self.column[f"key_{key}"], f"read_{key}"))
        total = signed_sum(reads)
        entry = Signal(total.shape(), reset_less=True, name=f"entry_{at}")
        m.d.sync += entry.eq(total)
        return entry


def _column_shape(spec: ShiftAddSpec) -> StructLayout:
    keys = {f"key_{at}": spec.key for at in range(spec.units * spec.keys)}
    return StructLayout(
        {**keys, **{f"shift_{at}": spec.side.bits for at in range(spec.side.units)}}
    )


@row_part.register
def _(spec: ShiftAddSpec) -> HalfTableRow:
    return HalfTableRow(spec)


@column_part.register
def _(spec: ShiftAddSpec) -> ShiftAddColumn:
    return ShiftAddColumn(spec)


@cell.register
def _(spec: ShiftAddSpec) -> ShiftAddCell:
    return ShiftAddCell(spec)

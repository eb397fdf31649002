"""RTL of the trit-plane datapath: wires or 3 x per row, wires or trits per column, adders per cell.

Model: ``sim.datapaths.trit_planes``.
"""

from amaranth.hdl import Module, Mux, Shape, Signal, Value
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
from bitweight.rtl.datapaths.dot_product import accumulate_planes
from bitweight.rtl.wires import delay
from bitweight.sim.datapaths.trit_planes import TritPlanesSpec


class TritPlanesRow(wiring.Component):
    """The activations, and with tied planes three times each.

    Ports:
        x: Activations of a beat.
        out: x of every lane, then 3 x of every lane; without tied planes x alone.
    """

    def __init__(self, spec: TritPlanesSpec) -> None:
        self.spec = spec
        super().__init__(row_ports(spec, _row_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        lanes = len(self.x)
        if not self.spec.is_tied:
            m.d.comb += self.out.eq(self.x)
            return m
        for lane in range(lanes):
            once, thrice = (
                Signal(self.out[lane].shape(), reset_less=True, name=f"{name}_{lane}")
                for name in ("once", "thrice")
            )
            m.d.sync += [once.eq(self.x[lane]), thrice.eq(3 * self.x[lane])]
            m.d.comb += [self.out[lane].eq(once), self.out[lanes + lane].eq(thrice)]
        return m


class TritPlanesColumn(wiring.Component):
    """Trits of a beat.

    Ports:
        units: One unit: a nibble per lane.
        out: Trits (two's complement): t2 of every lane, then t1 of every lane.
    """

    def __init__(self, spec: TritPlanesSpec) -> None:
        self.spec = spec
        self.lanes = len(spec.walk.lanes[0])
        super().__init__(column_ports(spec, _column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the column part."""
        m = Module()
        for lane in range(self.lanes):
            nibble = self.units[0].word_select(lane, 4)
            low, high = nibble[2:], nibble[:2]
            if self.spec.is_tied:
                code = nibble.as_signed()
                high = Mux(code > 1, 0b01, Mux(code < -1, 0b11, 0b00))
                # 3 t1 is -t1 modulo 4.
                low = (nibble + high)[:2]
            trits = (low, high)
            for plane, trit in enumerate(trits):
                held = delay(m, trit, self.spec.column_part.latency, f"trit_{plane}_{lane}")
                m.d.comb += self.out[plane * self.lanes + lane].eq(held)
        return m


class TritPlanesCell(wiring.Component):
    """Adds, subtracts or skips each activation, and accumulates the beat's sums.

    Ports:
        row, column: From the parts.
        first: Start a new sum with this beat.
        acc: Sums, one per plane.
    """

    def __init__(self, spec: TritPlanesSpec) -> None:
        self.spec = spec
        self.lanes = len(spec.walk.lanes[0])
        super().__init__(cell_ports(spec, row=_row_shape(spec), column=_column_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        accumulate_planes(m, self.spec, self.first, self._terms(), self.acc)
        return m

    def _terms(self) -> list[list[Value]]:
        """Return the terms of each plane's sum."""
        lanes = range(self.lanes)
        trits = [[self.column[p * self.lanes + lane] for lane in lanes] for p in range(2)]
        if self.spec.is_tied:
            both = [*trits[0], *trits[1]]
            return [[_times(self.row[at], trit) for at, trit in enumerate(both)]]
        # Plane 0 is t1, which the column part puts last.
        return [[_times(self.row[at], trits[p][at]) for at in lanes] for p in (1, 0)]


def _row_shape(spec: TritPlanesSpec) -> ArrayLayout:
    value = Shape(spec.a.width + (2 if spec.is_tied else 0), spec.a.signed)
    return ArrayLayout(value, len(spec.walk.lanes[0]) * (2 if spec.is_tied else 1))


def _column_shape(spec: TritPlanesSpec) -> ArrayLayout:
    return ArrayLayout(2, 2 * len(spec.walk.lanes[0]))


def _times(value: Value, trit: Value) -> Value:
    return Mux(trit[0], Mux(trit[1], -value, value), 0)


@row_part.register
def _(spec: TritPlanesSpec) -> TritPlanesRow:
    return TritPlanesRow(spec)


@column_part.register
def _(spec: TritPlanesSpec) -> TritPlanesColumn:
    return TritPlanesColumn(spec)


@cell.register
def _(spec: TritPlanesSpec) -> TritPlanesCell:
    return TritPlanesCell(spec)

"""RTL of the column engines: command, loaders, columns that start together, and drain."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, component, module_name
from bitweight.rtl.engines.column_drain import ColumnDrain
from bitweight.rtl.engines.column_loaders import RowLoader, TileLoader, tile_layout
from bitweight.rtl.engines.column_part import ColumnPart
from bitweight.rtl.wires import COMMAND, operand_shape, result_shape
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.pe.digit import GROUP


class Column(wiring.Component):
    """Column engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Four consecutive k of ``spec.columns`` rows, in the order of ``sim.beats``; padding is 0.
        b: Beats of ``spec.pes`` lanes, likewise.
        c: Results one by one, resolved.
    """

    def __init__(self, spec: ColumnSpec) -> None:
        self.spec = spec
        name = module_name(spec.name)
        pe = Part(f"{name}_pe", component(spec.pe))
        self.column = Part(f"{name}_column", ColumnPart(spec, pe))
        self.parts = (pe, self.column)
        self.rows = RowLoader(spec)
        self.tiles = TileLoader(spec)
        self.drain = ColumnDrain(spec)
        a, b = operand_shape(spec.pe.a), operand_shape(spec.pe.b)
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(ArrayLayout(a, spec.columns * GROUP))),
                "b": In(stream.Signature(ArrayLayout(b, spec.pes))),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        rows, tiles = self.rows, self.tiles
        m.submodules.row_loader, m.submodules.tile_loader = rows, tiles
        m.submodules.drain = drain = self.drain
        wiring.connect(m, wiring.flipped(self.c), drain.c)
        launch, n, k = Signal(), *(Signal(32, name=size, reset_less=True) for size in "nk")
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += [self.cmd.ready.eq(1), launch.eq(self.cmd.valid)]
                m.d.sync += [n.eq(self.cmd.payload.n), k.eq(self.cmd.payload.k)]
                with m.If(self.cmd.valid):
                    m.next = "COMPUTE"
            with m.State("COMPUTE"), m.If(drain.empty):
                m.next = "ACCEPT"
        for unit in (rows, tiles, drain):
            m.d.comb += [unit.launch.eq(launch), unit.sizes.eq(self.cmd.payload), unit.n.eq(n)]
        for unit, port in ((rows, self.a), (tiles, self.b)):
            m.d.comb += [unit.k.eq(k), unit.valid.eq(port.valid), port.ready.eq(unit.ready)]
        self._columns(m, launch, self._sequence(m))
        return m

    def _sequence(self, m: Module) -> dict[str, Value]:
        """Start a row tile when all that it needs is there; return what columns must know of it."""
        spec, rows, tiles, drain = self.spec, self.rows, self.tiles, self.drain
        running, oldest = Signal(), Signal()
        fetched, idle = Signal(spec.columns), Signal(spec.columns)
        end, start = Signal(), Signal()
        coming = Signal(tile_layout(spec))
        tile = Signal(tile_layout(spec), reset_less=True)
        used, place, result = (
            Signal(range(spec.c_depth + 1)),
            Signal(range(max(2, spec.c_depth))),
            Signal(range(max(2, spec.c_depth)), reset_less=True),
        )
        # The buffer that starts next is the one that is not running.
        is_next = Mux(running, ~oldest, oldest)
        has_b = ~coming.first | tiles.loaded
        has_room = ~coming.closes | (used != spec.c_depth)
        m.d.comb += [
            coming.eq(Mux(is_next, rows.tiles[1].as_value(), rows.tiles[0].as_value())),
            end.eq(running & idle.all()),
            start.eq((~running | end) & fetched.all() & has_b & has_room),
            rows.ended.eq(end),
            tiles.start.eq(start & coming.first),
        ]
        opens = start & coming.closes
        m.d.sync += [
            running.eq(start | (running & ~end)),
            oldest.eq(oldest ^ end),
            used.eq(used + opens - drain.tile_read),
        ]
        with m.If(start):
            m.d.sync += [tile.eq(coming), result.eq(place)]
        with m.If(opens):
            m.d.sync += place.eq(Mux(place == spec.c_depth - 1, 0, place + 1))
        # The last PE still reads b for ``pes`` clocks.
        left = Signal(range(spec.pes + 1))
        m.d.comb += tiles.ended.eq(left == 1)
        with m.If(end & tile.last):
            m.d.sync += left.eq(spec.pes)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        usable = Cat(rows.full[half] & ~(end & (oldest == half)) for half in range(2))
        return {
            "start": start,
            "usable": usable,
            "fetched": fetched,
            "idle": idle,
            "fresh": tile.fresh,
            "closes": tile.closes,
            "rows": tile.rows,
            "slot": tile.slot,
            "result": result,
        }

    def _columns(self, m: Module, launch: Value, row: dict[str, Value]) -> None:
        """Place the columns."""
        spec, rows, tiles, drain = self.spec, self.rows, self.tiles, self.drain
        ports = self.column.component
        shared: dict[str, Any] = {
            "a_write": rows.write,
            "a_row": rows.row,
            "b": self.b.payload,
            "b_write": tiles.write,
            "b_address": tiles.address,
            "usable": row["usable"],
            "last_group": Cat(tile.last_group for tile in (rows.tiles[0], rows.tiles[1])),
            "b_half": Cat(tile.b_half for tile in (rows.tiles[0], rows.tiles[1])),
            "flush": launch,
            "start": row["start"],
            "fresh": row["fresh"],
            "slot": _fit(m, row["slot"], ports.slot.shape(), "slot"),
            "result": _fit(m, row["result"], ports.result.shape(), "result"),
            "result_row": drain.result,
            "place": drain.place,
        }
        for number in range(spec.columns):
            data = Signal(Shape(spec.pe.acc_width, True), name=f"data_{number}")
            m.d.comb += drain.data[number].eq(data)
            m.submodules[f"column_{number}"] = self.column.place(
                a=Cat(self.a.payload[GROUP * number + place] for place in range(GROUP)),
                closes=row["closes"] & (row["rows"] > number),
                fetched=row["fetched"][number],
                idle=row["idle"][number],
                read=drain.read[number],
                data=data,
                complete=drain.complete[number],
                **shared,
            )


def _fit(m: Module, value: Value, shape: Shape, name: str) -> Signal:
    """Return ``value`` in a port's width."""
    fitted = Signal(shape, name=f"{name}_port")
    m.d.comb += fitted.eq(value)
    return fitted


@component.register
def _(spec: ColumnSpec) -> Column:
    return Column(spec)

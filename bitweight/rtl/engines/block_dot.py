"""RTL of the block dot-product engine: control, parts and cells, result buffer.

``BlockDot`` joins the input streams and registers a beat; ``BlockDotControl`` walks tiles, groups
and beats (``rtl.engines.block_dot_control``); ``GroupBuffer`` takes complete groups to ``c``.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, component, module_name
from bitweight.rtl.datapath import cell, column_part, row_part
from bitweight.rtl.engines.block_dot_buffer import GroupBuffer
from bitweight.rtl.engines.block_dot_control import BlockDotControl
from bitweight.rtl.wires import COMMAND, delay, operand_shape
from bitweight.sim.engines.block_dot import BlockDotSpec


class BlockDot(wiring.Component):
    """Block dot-product engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Beats of ``rows`` times ``lanes`` activations, in the order of ``sim.beats``.
        b: Beats of ``columns`` times ``units`` packed units.
        s: Beats of side integers, if the format has them.
        c: Sums of one row, plane and group, ``columns`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: BlockDotSpec) -> None:
        self.spec = spec
        pe, name = spec.pe, module_name(spec.name)
        self.row = Part(f"{name}_row", row_part(pe))
        self.column = Part(f"{name}_column", column_part(pe))
        self.cell = Part(f"{name}_cell", cell(pe))
        self.parts = (self.row, self.column, self.cell)
        activations = ArrayLayout(operand_shape(pe.a), spec.rows * spec.lanes)
        side: dict[str, Any] = {}
        if pe.side:
            lanes = pe.side.units * (1 if pe.side.sets else spec.columns)
            side["s"] = In(stream.Signature(ArrayLayout(pe.side.bits, lanes)))
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(activations)),
                "b": In(stream.Signature(ArrayLayout(pe.unit_bits, spec.columns * pe.units))),
                **side,
                "c": Out(stream.Signature(ArrayLayout(Shape(pe.acc_width, True), spec.columns))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        spec = self.spec
        m.submodules.control = control = BlockDotControl(spec)
        m.submodules.buffer = buffer = GroupBuffer(spec)
        wiring.connect(m, wiring.flipped(self.cmd), control.cmd)
        wiring.connect(m, wiring.flipped(self.c), buffer.c)
        beat = self._join(m, control)
        rows = self._rows(m, beat)
        columns = self._columns(m, beat, control)
        first = Signal()
        m.d.sync += first.eq(beat & control.first)
        first_to_cells = delay(m, first, spec.part_latency, "first")
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                wires = {"row": row, "column": column, "first": first_to_cells}
                m.submodules[f"cell_{i}_{j}"] = self.cell.place(acc=buffer.acc[i][j], **wires)
        m.d.comb += [
            buffer.launch.eq(beat & control.last),
            buffer.launch_rows.eq(control.tile_rows),
            buffer.launch_columns.eq(control.tile_columns),
            control.has_room.eq(buffer.has_room),
            control.is_empty.eq(buffer.is_empty),
        ]
        return m

    def _join(self, m: Module, control: BlockDotControl) -> Signal:
        """Accept a beat of all streams at once; s only where a new side beat is due."""
        beat = Signal()
        streams: list[tuple[Any, Value]] = [(self.a, Value.cast(1)), (self.b, Value.cast(1))]
        if self.spec.pe.side:
            streams.append((self.s, control.needs_side))
        for one, is_due in streams:
            others = [other.valid | ~due for other, due in streams if other is not one]
            m.d.comb += one.ready.eq(control.go & is_due & Cat(others).all())
        m.d.comb += beat.eq(control.go & Cat(one.valid | ~due for one, due in streams).all())
        m.d.comb += control.beat.eq(beat)
        return beat

    def _rows(self, m: Module, beat: Signal) -> list[Value]:
        """Register the activations and place the row parts; return what cells read."""
        spec = self.spec
        register = Signal.like(self.a.payload, reset_less=True, name="a_register")
        wait = spec.part_latency - spec.pe.row_part.latency
        if spec.pe.walk.interval == 1:
            # A bubble is zeros, which add nothing.
            m.d.sync += register.eq(Mux(beat, self.a.payload.as_value(), 0))
        else:
            # The column part answers once per beat: x waits for it, here.
            wait = 0
            with m.If(beat):
                m.d.sync += register.eq(self.a.payload)
        outputs: list[Value] = []
        for i in range(spec.rows):
            lanes = [register[i * spec.lanes + lane] for lane in range(spec.lanes)]
            out = Signal(self.row.component.out.shape(), name=f"row_{i}_out")
            m.submodules[f"row_{i}"] = self.row.place(x=Cat(lanes), out=out)
            outputs.append(delay(m, Value.cast(out), wait, f"row_{i}"))
        return outputs

    def _columns(self, m: Module, beat: Signal, control: BlockDotControl) -> list[Value]:
        """Register words and side integers and place the column parts; return what cells read."""
        spec, pe = self.spec, self.spec.pe
        units = Signal.like(self.b.payload, reset_less=True, name="b_register")
        tags: dict[str, Value] = {}
        with m.If(beat):
            m.d.sync += units.eq(self.b.payload)
        if pe.walk.tail:
            tags["tail"] = Signal(name="tail_register", reset_less=True)
            m.d.sync += tags["tail"].eq(control.tail)
        if pe.walk.interval > 1:
            tags["start"] = Signal(name="start_register")
            m.d.sync += tags["start"].eq(beat)
        if pe.side:
            side = Signal.like(self.s.payload, reset_less=True, name="s_register")
            with m.If(beat & control.needs_side):
                m.d.sync += side.eq(self.s.payload)
        outputs: list[Value] = []
        for j in range(spec.columns):
            inputs = {"units": Cat(units[j * pe.units + unit] for unit in range(pe.units)), **tags}
            if pe.side:
                start = 0 if pe.side.sets else j * pe.side.units
                inputs["side"] = Cat(side[start + at] for at in range(pe.side.units))
            out = Signal(self.column.component.out.shape(), name=f"column_{j}_out")
            m.submodules[f"column_{j}"] = self.column.place(out=out, **inputs)
            wait = spec.part_latency - pe.column_part.latency
            outputs.append(delay(m, Value.cast(out), wait, f"column_{j}"))
        return outputs


@component.register
def _(spec: BlockDotSpec) -> BlockDot:
    return BlockDot(spec)

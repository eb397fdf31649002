"""RTL of the multiplier-adder tree: control, columns and accumulator memories."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, array, component, module_name
from bitweight.rtl.engines.adder_tree_column import AdderTreeColumn, lane_layout
from bitweight.rtl.fold_control import FoldControl
from bitweight.rtl.k_accumulator import TAG, KAccumulator
from bitweight.rtl.recoding import recode
from bitweight.rtl.wires import delay, operand_shape, result_shape
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec


class Encoder(wiring.Component):
    """Recodes one lane of ``a`` once, for all columns.

    Ports:
        value: The operand.
        lines: Select lines of its digits.
    """

    def __init__(self, spec: AdderTreeSpec, pe: SameWeightTreeSpec) -> None:
        self.pe = pe
        super().__init__({"value": In(operand_shape(pe.a)), "lines": Out(lane_layout(spec))})

    def elaborate(self, platform: object) -> Module:
        """Build the recoder."""
        m = Module()
        digits = recode(m, self.pe.recoding, self.pe.a, self.value)
        for number, lines in enumerate(self.pe.select_lines):
            for line in lines:
                m.d.comb += self.lines[f"{line}{number}"].eq(getattr(digits[number], line))
        return m


class AdderTreeArray(wiring.Component):
    """Encoder, if there is one, and columns, without control.

    Ports:
        a: Lanes of a row; zeros are a bubble.
        b: A column of b.
        load: One bit per column: take ``b``.
        swap: A fold starts with this row (with ``double_buffer``).
        sums: Per column the sum of the row that came ``depth`` edges before, j more for column j.
    """

    def __init__(self, spec: AdderTreeSpec) -> None:
        self.spec = spec
        self.column = column = Part(f"{module_name(spec.name)}_column", AdderTreeColumn(spec))
        self.parts = (column,)
        super().__init__(
            {
                "a": In(ArrayLayout(operand_shape(spec.pe.a), spec.lanes)),
                "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.lanes)),
                "load": In(spec.columns),
                **({"swap": In(1)} if spec.double_buffer else {}),
                "sums": Out(ArrayLayout(column.component.sum.shape(), spec.columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the array."""
        m = Module()
        spec = self.spec
        row, b, load = self._front(m)
        tags: dict[str, Value] = {}
        if spec.double_buffer:
            tags["swap"] = self._late_tag(m, self.swap)
        for j in range(spec.columns):
            outputs = {
                name: Signal.like(getattr(self.column.component, name), name=f"{name}_{j}")
                for name in ("row_next", *(f"{tag}_next" for tag in tags))
            }
            m.submodules[f"column_{j}"] = self.column.place(
                row=row, b=b, load=load[j], sum=self.sums[j], **tags, **outputs
            )
            row = outputs["row_next"]
            tags = {tag: outputs[f"{tag}_next"] for tag in tags}
        return m

    def _front(self, m: Module) -> tuple[Value, Value, Value]:
        """Return row, column of b and load as column 0 meets them."""
        spec = self.spec
        if not isinstance(spec.pe, SameWeightTreeSpec):
            return self.a, self.b, self.load
        operands = Signal.like(self.a, reset_less=True, name="operands")
        m.d.sync += operands.eq(self.a)
        row = Signal(ArrayLayout(lane_layout(spec), spec.lanes), name="encoded")
        for lane in range(spec.lanes):
            m.submodules[f"encoder_{lane}"] = encoder = Encoder(spec, spec.pe)
            m.d.comb += [encoder.value.eq(operands[lane]), row[lane].eq(encoder.lines)]
        # Weights and tags wait for the encoder too, so that they still meet their rows.
        load = Signal(spec.columns, name="late_load")
        m.d.sync += load.eq(self.load)
        return row, delay(m, self.b.as_value(), 1, "late_b"), load

    def _late_tag(self, m: Module, tag: Signal) -> Value:
        if not self.spec.front_latency:
            return tag
        late = Signal(name="late_swap")
        m.d.sync += late.eq(tag)
        return late


class AdderTree(wiring.Component):
    """Multiplier-adder tree engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Rows of ``spec.lanes`` lanes, in the order of ``sim.beats``; padding is 0.
        b: Columns of ``spec.lanes`` lanes, likewise.
        c: Result rows, ``spec.columns`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: AdderTreeSpec) -> None:
        self.spec = spec
        self.array = AdderTreeArray(spec)
        self.parts = self.array.parts
        self.control = FoldControl(spec)
        self.accumulator = KAccumulator(spec, spec.sum_width)
        super().__init__(
            {
                "cmd": In(stream.Signature(self.control.cmd.payload.shape())),
                "a": In(stream.Signature(self.array.a.shape())),
                "b": In(stream.Signature(self.array.b.shape())),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.columns))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        array, control, accumulator = self.array, self.control, self.accumulator
        m.submodules.array = array
        m.submodules.control = control
        m.submodules.accumulator = accumulator
        wiring.connect(m, control.cmd, wiring.flipped(self.cmd))
        wiring.connect(m, wiring.flipped(self.c), accumulator.c)
        m.d.comb += [
            control.a_valid.eq(self.a.valid),
            self.a.ready.eq(control.a_ready),
            control.b_valid.eq(self.b.valid),
            self.b.ready.eq(control.b_ready),
            control.rows_read.eq(accumulator.rows_read),
            control.busy.eq(accumulator.busy),
            array.a.eq(Mux(control.tag.valid, self.a.payload.as_value(), 0)),
            array.b.eq(self.b.payload),
            array.load.eq(control.load),
            accumulator.sums.eq(array.sums),
            accumulator.start.eq(control.chunk_start),
            accumulator.start_rows.eq(control.chunk_rows),
        ]
        if self.spec.double_buffer:
            m.d.comb += array.swap.eq(control.swap)
        tag: Value = control.tag
        for stage in range(self.spec.depth - 2):
            behind = Signal(TAG, name=f"tag_behind_{stage}")
            m.d.sync += behind.eq(tag)
            tag = behind
        m.d.comb += accumulator.tag.eq(tag)
        return m


@array.register
def _(spec: AdderTreeSpec) -> AdderTreeArray:
    return AdderTreeArray(spec)


@component.register
def _(spec: AdderTreeSpec) -> AdderTree:
    return AdderTree(spec)

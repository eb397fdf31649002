"""RTL of the broadcast matrix: control, edge registers with recoders, and PEs.

Rows leave through the drain of the output-stationary array.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, array, component, module_name
from bitweight.rtl.engines.systolic_os_drain import TileDrain
from bitweight.rtl.pe.same_weight_mac import lane_layout
from bitweight.rtl.recoding import recode
from bitweight.rtl.wires import COMMAND, any_of, delay, operand_shape, result_shape
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec


class DigitEncoder(wiring.Component):
    """Recodes one lane of a row of ``a`` for all PEs of the row.

    Ports:
        value: The operand.
        select: One bit per digit: the one that goes out (``temporal``).
        lines: Select lines of that digit, or of all.
    """

    def __init__(self, pe: SameWeightMacSpec) -> None:
        self.pe = pe
        super().__init__(
            {
                "value": In(operand_shape(pe.a)),
                **({"select": In(pe.digits)} if pe.temporal else {}),
                "lines": Out(lane_layout(pe)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the recoder."""
        m = Module()
        digits = recode(m, self.pe.recoding, self.pe.a, self.value)
        for number, lines in enumerate(self.pe.select_lines):
            for line in lines:
                value = getattr(digits[number], line)
                if self.pe.temporal:
                    value = any_of(
                        [getattr(digit, line) & self.select[at] for at, digit in enumerate(digits)]
                    )
                m.d.comb += self.lines[f"{line}{number}"].eq(value)
        return m


class Matrix2dArray(wiring.Component):
    """Edge registers, recoders and PEs, without control.

    Ports:
        a, b: One beat of operand lanes; zeros are a bubble.
        clear: This beat is a tile's first.
        digit: One bit per digit: the one that this pass takes (temporal ``same_weight``).
        shift: This beat is a pass's first (temporal ``same_weight``).
        select: One bit per row: puts that row's words on ``row``.
        row: Per column the words of the selected PE.
    """

    def __init__(self, spec: Matrix2dSpec) -> None:
        self.spec = spec
        self.pe = Part(f"{module_name(spec.name)}_pe", component(spec.pe))
        self.parts = (self.pe,)
        row = ArrayLayout(ArrayLayout(spec.pe.acc_width, len(spec.pe.words)), spec.cols)
        super().__init__(
            {
                "a": In(ArrayLayout(operand_shape(spec.pe.a), spec.rows * spec.k_lanes)),
                "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.cols * spec.k_lanes)),
                "clear": In(1),
                **({"digit": In(spec.passes), "shift": In(1)} if is_temporal(spec) else {}),
                "select": In(spec.rows),
                "row": Out(row),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the array."""
        m = Module()
        spec = self.spec
        clocks = 1 + spec.front_latency
        tags = {"clear": _late(m, self.clear, clocks, "clear")}
        if is_temporal(spec):
            tags["shift"] = _late(m, self.shift, clocks, "shift")
        a_rows = self._rows(m)
        b_columns = [delay(m, self._lanes(self.b, j), clocks, f"b_{j}") for j in range(spec.cols)]
        for j in range(spec.cols):
            held = []
            for i in range(spec.rows):
                words = {
                    word: Signal(spec.pe.acc_width, name=f"{word}_{i}_{j}")
                    for word in spec.pe.words
                }
                m.submodules[f"pe_{i}_{j}"] = self.pe.place(
                    a=a_rows[i], b=b_columns[j], **tags, **words
                )
                held.append(words)
            for number, word in enumerate(spec.pe.words):
                gated = [
                    held[i][word] & self.select[i].replicate(spec.pe.acc_width)
                    for i in range(spec.rows)
                ]
                m.d.comb += self.row[j][number].eq(any_of(gated))
        return m

    def _lanes(self, operand: Value, place: int) -> Value:
        """Return the k lanes of one row or column as one word."""
        lanes = self.spec.k_lanes
        return Cat(operand[place * lanes + lane] for lane in range(lanes))

    def _rows(self, m: Module) -> list[Value]:
        """Return what the PEs of each row meet of ``a``: operands, or digits."""
        spec, pe = self.spec, self.spec.pe
        operands = [delay(m, self._lanes(self.a, i), 1, f"a_{i}") for i in range(spec.rows)]
        if not isinstance(pe, SameWeightMacSpec):
            return operands
        select = delay(m, self.digit, 1, "digit_select") if pe.temporal else None
        rows: list[Value] = []
        for i in range(spec.rows):
            lines = []
            for lane in range(pe.k_lanes):
                m.submodules[f"encoder_{i}_{lane}"] = encoder = DigitEncoder(pe)
                width = pe.a.width
                m.d.comb += encoder.value.eq(operands[i][lane * width : (lane + 1) * width])
                if select is not None:
                    m.d.comb += encoder.select.eq(select)
                lines.append(encoder.lines.as_value())
            rows.append(delay(m, Cat(*lines), 1, f"digits_{i}"))
        return rows


class Matrix2d(wiring.Component):
    """Broadcast matrix engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Beats of ``spec.rows`` x ``spec.k_lanes`` lanes, in the order of ``sim.beats``; padding
            is 0.
        b: Beats of ``spec.cols`` x ``spec.k_lanes`` lanes, likewise.
        c: Result rows, resolved, ``spec.cols`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: Matrix2dSpec) -> None:
        self.spec = spec
        self.array = Matrix2dArray(spec)
        self.parts = self.array.parts
        self.drain = TileDrain(spec)
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(self.array.a.shape())),
                "b": In(stream.Signature(self.array.b.shape())),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        array, drain = self.array, self.drain
        m.submodules.array = array
        m.submodules.drain = drain
        wiring.connect(m, wiring.flipped(self.c), drain.c)
        beat, tile_rows = Signal(), Signal(range(self.spec.rows + 1))
        is_last = self._control(m, beat, tile_rows)
        m.d.comb += [
            drain.row.eq(array.row),
            array.select.eq(drain.select),
            array.a.eq(Mux(beat, self.a.payload.as_value(), 0)),
            array.b.eq(Mux(beat, self.b.payload.as_value(), 0)),
            drain.start.eq(beat & is_last),
            drain.start_rows.eq(tile_rows),
        ]
        return m

    def _control(self, m: Module, beat: Signal, tile_rows: Signal) -> Signal:
        """Walk the tiles of a GEMM: rows outside, columns inside, then passes, then k."""
        spec = self.spec
        n, k, rows_left, cols_left, k_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("n", "k", "rows_left", "cols_left", "k_left")
        )
        ends_pass, is_last = Signal(), Signal()
        m.d.comb += [
            tile_rows.eq(Mux(rows_left < spec.rows, rows_left, spec.rows)),
            ends_pass.eq(k_left <= spec.k_lanes),
            is_last.eq(ends_pass & self._passes(m, beat, k_left == k, ends_pass)),
        ]
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += self.cmd.ready.eq(1)
                sizes = self.cmd.payload
                m.d.sync += [n.eq(sizes.n), k.eq(sizes.k), k_left.eq(sizes.k)]
                m.d.sync += [rows_left.eq(sizes.m), cols_left.eq(sizes.n)]
                with m.If(self.cmd.valid):
                    m.next = "FEED"
            with m.State("FEED"):
                go = ~self.drain.blocks_tile
                m.d.comb += [
                    beat.eq(go & self.a.valid & self.b.valid),
                    self.a.ready.eq(go & self.b.valid),
                    self.b.ready.eq(go & self.a.valid),
                ]
                with m.If(beat):
                    m.d.sync += k_left.eq(Mux(ends_pass, k, k_left - spec.k_lanes))
                with m.If(beat & is_last):
                    with m.If(cols_left <= spec.cols):
                        m.d.sync += [cols_left.eq(n), rows_left.eq(rows_left - spec.rows)]
                    with m.Else():
                        m.d.sync += cols_left.eq(cols_left - spec.cols)
                    with m.If((rows_left <= spec.rows) & (cols_left <= spec.cols)):
                        m.next = "FLUSH"
            with m.State("FLUSH"), m.If(self.drain.empty):
                m.next = "ACCEPT"
        return is_last

    def _passes(self, m: Module, beat: Signal, starts_pass: Value, ends_pass: Value) -> Value:
        """Tag the beats of each pass; return whether this is a tile's last one."""
        if not is_temporal(self.spec):
            m.d.comb += self.array.clear.eq(beat & starts_pass)
            return Const(1, 1)
        # The most significant digit comes first.
        digit = Signal(self.spec.passes, init=1 << (self.spec.passes - 1))
        m.d.comb += [
            self.array.digit.eq(digit),
            self.array.shift.eq(beat & starts_pass),
            self.array.clear.eq(beat & starts_pass & digit[-1]),
        ]
        with m.If(beat & ends_pass):
            m.d.sync += digit.eq(digit.rotate_right(1))
        return digit[0]


def is_temporal(spec: Matrix2dSpec) -> bool:
    """Tell whether a tile takes one pass over k for each digit."""
    return isinstance(spec.pe, SameWeightMacSpec) and spec.pe.temporal


def _late(m: Module, tag: Value, clocks: int, name: str) -> Value:
    """Return ``tag`` ``clocks`` edges later; a tag must not appear out of nowhere."""
    for stage in range(clocks):
        register = Signal(name=f"{name}_{stage}")
        m.d.sync += register.eq(tag)
        tag = register
    return tag


@array.register
def _(spec: Matrix2dSpec) -> Matrix2dArray:
    return Matrix2dArray(spec)


@component.register
def _(spec: Matrix2dSpec) -> Matrix2d:
    return Matrix2d(spec)

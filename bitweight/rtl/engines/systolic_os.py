"""RTL of the output-stationary engine: control, array and drain.

``SystolicOs`` accepts a command and joins the two operand streams; ``SystolicOsArray`` skews lanes
and holds the PEs; a drain (``rtl.engines.systolic_os_drain``) turns complete rows into beats.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, array, component, module_name
from bitweight.rtl.engines.systolic_os_drain import ResultBuffer, TileDrain
from bitweight.rtl.wires import COMMAND, any_of, delay, operand_shape, result_shape
from bitweight.sim.engines.systolic_os import SystolicOsSpec


class SystolicOsCell(wiring.Component):
    """One place of the array: a PE and the registers that pass operands and tags on.

    Ports:
        a, b, clear, last: From the left (a and its tags) and from above (b).
        a_next, b_next, clear_next, last_next: The same one clock later.
        done: The PE holds the tile's sum. Like ``last`` it exists with ``overlap_drain`` only.
        The PE's accumulator words, by the names of the PE's ports.
    """

    def __init__(self, spec: SystolicOsSpec) -> None:
        self.spec = spec
        self.pe = component(spec.pe)
        self.tags = ("clear", "last") if spec.overlap_drain else ("clear",)
        a, b = operand_shape(spec.pe.a), operand_shape(spec.pe.b)
        super().__init__(
            {
                "a": In(a),
                "b": In(b),
                "a_next": Out(a),
                "b_next": Out(b),
                **{tag: In(1) for tag in self.tags},
                **{f"{tag}_next": Out(1) for tag in self.tags},
                **({"done": Out(1)} if spec.overlap_drain else {}),
                **{word: Out(spec.pe.acc_width) for word in spec.pe.words},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the place."""
        m = Module()
        m.submodules.pe = self.pe
        m.d.comb += [self.pe.a.eq(self.a), self.pe.b.eq(self.b), self.pe.clear.eq(self.clear)]
        m.d.comb += [getattr(self, word).eq(getattr(self.pe, word)) for word in self.spec.pe.words]
        # Operands need no reset; a tag must not appear out of nowhere.
        for name in ("a", "b"):
            port = getattr(self, name)
            register = Signal(port.shape(), reset_less=True, name=f"{name}_register")
            m.d.sync += register.eq(port)
            m.d.comb += getattr(self, f"{name}_next").eq(register)
        m.d.sync += [getattr(self, f"{tag}_next").eq(getattr(self, tag)) for tag in self.tags]
        if self.spec.overlap_drain:
            m.d.comb += self.done.eq(delay(m, self.last_next, self.spec.pe.latency - 1, "done"))
        return m


class SystolicOsArray(wiring.Component):
    """Skew registers and PEs, without control.

    Ports:
        a, b: One beat of operand lanes; zeros are a bubble.
        clear: This beat is a tile's first.
        last: This beat is a tile's last.
        last_rows: Rows of the tile that ended last, from the clock after ``last``.
        select: One bit per row: puts that row's words on ``row`` (without ``overlap_drain``).
        row: Per column the words of the selected PE.
        done: Per column, one bit per row: this PE's sum became complete on the last edge, and is
            what ``row`` shows (with ``overlap_drain``).
    """

    def __init__(self, spec: SystolicOsSpec, cell: Part) -> None:
        self.spec = spec
        self.cell = cell
        self.parts = (cell,)
        row = ArrayLayout(ArrayLayout(spec.pe.acc_width, len(spec.pe.words)), spec.cols)
        ports: dict[str, Any] = {
            "a": In(ArrayLayout(operand_shape(spec.pe.a), spec.rows)),
            "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.cols)),
            "clear": In(1),
            "row": Out(row),
        }
        if spec.overlap_drain:
            ports["last"] = In(1)
            ports["last_rows"] = In(range(spec.rows + 1))
            ports["done"] = Out(ArrayLayout(spec.rows, spec.cols))
        else:
            ports["select"] = In(spec.rows)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the array."""
        m = Module()
        spec = self.spec
        a_lanes = [delay(m, self.a[i], i + 1, f"a_skew_{i}") for i in range(spec.rows)]
        b_lanes = [delay(m, self.b[j], j + 1, f"b_skew_{j}") for j in range(spec.cols)]
        tags = {"clear": self._clear_lanes(m)}
        if spec.overlap_drain:
            tags["last"] = self._last_lanes(m)
        below: list[Value] = b_lanes
        held: list[list[dict[str, Signal]]] = []
        for i in range(spec.rows):
            left = {"a": a_lanes[i], **{tag: lanes[i] for tag, lanes in tags.items()}}
            held.append([])
            for j in range(spec.cols):
                wires = self._place(m, i, j, left, below[j])
                left = {name: wires[f"{name}_next"] for name in left}
                below = [*below[:j], wires["b_next"], *below[j + 1 :]]
                held[i].append(wires)
        self._read_rows(m, held)
        return m

    def _place(
        self, m: Module, i: int, j: int, left: dict[str, Value], b: Value
    ) -> dict[str, Signal]:
        """Place the cell at (i, j); return its outputs."""
        outputs = {
            name: Signal.like(getattr(self.cell.component, name), name=f"{name}_{i}_{j}")
            for name, member in self.cell.component.signature.members.items()
            if member.flow is wiring.Out
        }
        m.submodules[f"cell_{i}_{j}"] = self.cell.place(b=b, **left, **outputs)
        return outputs

    def _clear_lanes(self, m: Module) -> list[Value]:
        lanes: list[Value] = []
        for i in range(self.spec.rows):
            lane = Signal(name=f"clear_skew_{i}")
            m.d.sync += lane.eq(lanes[-1] if lanes else self.clear)
            lanes.append(lane)
        return lanes

    def _last_lanes(self, m: Module) -> list[Value]:
        # Rows of padding carry no tag: nothing reads them, and the next tile may end meanwhile.
        lanes: list[Value] = []
        for i in range(self.spec.rows):
            lane = Signal(name=f"last_skew_{i}")
            m.d.sync += lane.eq(lanes[-1] & (self.last_rows > i) if lanes else self.last)
            lanes.append(lane)
        return lanes

    def _read_rows(self, m: Module, held: list[list[dict[str, Signal]]]) -> None:
        """Gate every PE's words with its select bit; at most one row of a column passes."""
        spec = self.spec
        for j in range(spec.cols):
            if spec.overlap_drain:
                selects = Cat(held[i][j]["done"] for i in range(spec.rows))
                m.d.comb += self.done[j].eq(selects)
            else:
                selects = self.select
            for word, name in enumerate(spec.pe.words):
                gated = [
                    held[i][j][name] & selects[i].replicate(spec.pe.acc_width)
                    for i in range(spec.rows)
                ]
                m.d.comb += self.row[j][word].eq(any_of(gated))


class SystolicOs(wiring.Component):
    """Output-stationary systolic engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Beats of ``spec.rows`` lanes, in the order of ``sim.beats``; padding is 0.
        b: Beats of ``spec.cols`` lanes, likewise.
        c: Result rows, resolved, ``spec.cols`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: SystolicOsSpec) -> None:
        self.spec = spec
        self.array = array(spec)
        self.parts = self.array.parts
        self.drain = ResultBuffer(spec) if spec.overlap_drain else TileDrain(spec)
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(ArrayLayout(operand_shape(spec.pe.a), spec.rows))),
                "b": In(stream.Signature(ArrayLayout(operand_shape(spec.pe.b), spec.cols))),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        spec, array, drain = self.spec, self.array, self.drain
        m.submodules.array = array
        m.submodules.drain = drain
        wiring.connect(m, wiring.flipped(self.c), drain.c)
        m.d.comb += drain.row.eq(array.row)

        tile_rows = Signal(range(spec.rows + 1))
        beat, is_first, is_last = Signal(), Signal(), Signal()
        m.d.comb += [
            array.a.eq(Mux(beat, self.a.payload.as_value(), 0)),
            array.b.eq(Mux(beat, self.b.payload.as_value(), 0)),
            array.clear.eq(beat & is_first),
            drain.start.eq(beat & is_last),
            drain.start_rows.eq(tile_rows),
        ]
        if spec.overlap_drain:
            m.d.comb += [
                array.last.eq(beat & is_last),
                array.last_rows.eq(drain.tile_rows),
                drain.done.eq(array.done),
            ]
        else:
            m.d.comb += array.select.eq(drain.select)
        self._control(m, tile_rows, beat, is_first, is_last)
        return m

    def _control(
        self, m: Module, tile_rows: Signal, beat: Signal, is_first: Signal, is_last: Signal
    ) -> None:
        """Walk the tiles of a GEMM: rows outside, columns inside, k innermost."""
        spec, drain = self.spec, self.drain
        n, k, rows_left, cols_left, k_left = (
            Signal(32, name=name, reset_less=True)
            for name in ("n", "k", "rows_left", "cols_left", "k_left")
        )
        is_last_tile = (rows_left <= spec.rows) & (cols_left <= spec.cols)
        m.d.comb += [
            tile_rows.eq(Mux(rows_left < spec.rows, rows_left, spec.rows)),
            is_first.eq(k_left == k),
            is_last.eq(k_left == 1),
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
                go = ~drain.blocks_tile & ~(is_last & drain.blocks_last_beat)
                m.d.comb += [
                    beat.eq(go & self.a.valid & self.b.valid),
                    self.a.ready.eq(go & self.b.valid),
                    self.b.ready.eq(go & self.a.valid),
                ]
                with m.If(beat):
                    m.d.sync += k_left.eq(Mux(is_last, k, k_left - 1))
                with m.If(beat & is_last):
                    with m.If(cols_left <= spec.cols):
                        m.d.sync += [cols_left.eq(n), rows_left.eq(rows_left - spec.rows)]
                    with m.Else():
                        m.d.sync += cols_left.eq(cols_left - spec.cols)
                    with m.If(is_last_tile):
                        m.next = "FLUSH"
            with m.State("FLUSH"), m.If(drain.empty):
                m.next = "ACCEPT"


@array.register
def _(spec: SystolicOsSpec) -> SystolicOsArray:
    return SystolicOsArray(spec, Part(f"{module_name(spec.name)}_cell", SystolicOsCell(spec)))


@component.register
def _(spec: SystolicOsSpec) -> SystolicOs:
    return SystolicOs(spec)

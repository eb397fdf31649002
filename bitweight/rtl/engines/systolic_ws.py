"""RTL of the weight-stationary engine: control, array and edge.

``SystolicWsArray`` skews lanes and holds weights and PEs; ``rtl.engines.systolic_ws_control`` walks
the tiles; ``rtl.engines.systolic_ws_edge`` accumulates tiles of k and delivers.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, array, component, module_name
from bitweight.rtl.engines.systolic_ws_control import SystolicWsControl
from bitweight.rtl.engines.systolic_ws_edge import SystolicWsEdge
from bitweight.rtl.wires import COMMAND, delay, operand_shape, result_shape
from bitweight.sim.engines.systolic_ws import SystolicWsSpec


class SystolicWsCell(wiring.Component):
    """One place of the array: weights, a PE and the register that passes a on.

    Ports:
        a, a_next: From the left, and the same one clock later.
        b, b_next: Weight from above, and the weight that the place below takes.
        load: Take ``b``. With ``double_buffer`` it comes from the left, like ``swap``.
        swap: Take the loaded weight over for the PE (with ``double_buffer``).
        load_next, swap_next: The same one clock later (with ``double_buffer``).
        The PE's words, in and out, by the names of the PE's ports.
    """

    def __init__(self, spec: SystolicWsSpec) -> None:
        self.spec = spec
        self.pe = component(spec.chain)
        self.tags = ("load", "swap") if spec.double_buffer else ()
        a, b = operand_shape(spec.pe.a), operand_shape(spec.pe.b)
        width = spec.chain.width
        super().__init__(
            {
                "a": In(a),
                "b": In(b),
                "a_next": Out(a),
                "b_next": Out(b),
                "load": In(1),
                **{tag: In(1) for tag in self.tags},
                **{f"{tag}_next": Out(1) for tag in self.tags},
                **{f"{word}_in": In(width) for word in spec.chain.words},
                **{word: Out(width) for word in spec.chain.words},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the place."""
        m = Module()
        m.submodules.pe = pe = self.pe
        # Operands need no reset; a tag must not appear out of nowhere.
        a = Signal.like(self.a, reset_less=True, name="a_register")
        loaded = Signal.like(self.b, reset_less=True, name="loaded")
        weight = loaded
        m.d.sync += a.eq(self.a)
        m.d.sync += [getattr(self, f"{tag}_next").eq(getattr(self, tag)) for tag in self.tags]
        with m.If(self.load):
            m.d.sync += loaded.eq(self.b)
        if self.spec.double_buffer:
            weight = Signal.like(self.b, reset_less=True, name="weight")
            with m.If(self.swap):
                m.d.sync += weight.eq(loaded)
        m.d.comb += [self.a_next.eq(a), self.b_next.eq(loaded)]
        m.d.comb += [pe.a.eq(self.a), pe.b.eq(weight)]
        for word in self.spec.chain.words:
            m.d.comb += getattr(pe, f"{word}_in").eq(getattr(self, f"{word}_in"))
            m.d.comb += getattr(self, word).eq(getattr(pe, word))
        return m


class SystolicWsArray(wiring.Component):
    """Skew registers, weights and PEs, without control.

    Ports:
        a: Lanes of one row of a; zeros are a bubble.
        b: Lanes of one row of b.
        load: ``b`` is a beat. With ``double_buffer`` it is the number of rows that the beat passes
            through: ``rows`` for a tile's first, then one less for each.
        swap: ``a`` is a tile's first row (with ``double_buffer``).
        words: Per column the words at the bottom.
    """

    def __init__(self, spec: SystolicWsSpec, cell: Part) -> None:
        self.spec = spec
        self.cell = cell
        self.parts = (cell,)
        words = ArrayLayout(ArrayLayout(spec.chain.width, len(spec.chain.words)), spec.cols)
        ports: dict[str, Any] = {
            "a": In(ArrayLayout(operand_shape(spec.pe.a), spec.rows)),
            "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.cols)),
            "load": In(range(spec.rows + 1) if spec.double_buffer else 1),
            "words": Out(words),
        }
        if spec.double_buffer:
            ports["swap"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the array."""
        m = Module()
        spec = self.spec
        names = spec.chain.words
        a_lanes = [delay(m, self.a[i], i + 1, f"a_skew_{i}") for i in range(spec.rows)]
        if spec.double_buffer:
            b_lanes = [delay(m, self.b[j], j, f"b_skew_{j}") for j in range(spec.cols)]
            tags = {"load": self._load_lanes(m), "swap": self._swap_lanes(m)}
        else:
            b_lanes = [delay(m, self.b[j], 1, f"b_boundary_{j}") for j in range(spec.cols)]
            load = Signal(name="load_boundary")
            m.d.sync += load.eq(self.load)
            tags = {}
        start = dict(zip((f"{name}_in" for name in names), spec.chain_start, strict=True))
        above: list[dict[str, Any]] = [{"b": lane, **start} for lane in b_lanes]
        for i in range(spec.rows):
            left = {"a": a_lanes[i], **{tag: lanes[i] for tag, lanes in tags.items()}}
            for j in range(spec.cols):
                inputs = {**left, **above[j]} if tags else {**left, **above[j], "load": load}
                wires = self._place(m, i, j, inputs)
                left = {name: wires[f"{name}_next"] for name in left}
                above[j] = {"b": wires["b_next"], **{f"{name}_in": wires[name] for name in names}}
        m.d.comb += [
            self.words[j][word].eq(above[j][f"{name}_in"])
            for j in range(spec.cols)
            for word, name in enumerate(names)
        ]
        return m

    def _place(self, m: Module, i: int, j: int, inputs: dict[str, Any]) -> dict[str, Signal]:
        """Place the cell at (i, j); return its outputs."""
        outputs = {
            name: Signal.like(getattr(self.cell.component, name), name=f"{name}_{i}_{j}")
            for name, member in self.cell.component.signature.members.items()
            if member.flow is wiring.Out
        }
        m.submodules[f"cell_{i}_{j}"] = self.cell.place(**inputs, **outputs)
        return outputs

    def _swap_lanes(self, m: Module) -> list[Value]:
        lanes: list[Value] = [self.swap]
        for i in range(1, self.spec.rows):
            lane = Signal(name=f"swap_skew_{i}")
            m.d.sync += lane.eq(lanes[-1])
            lanes.append(lane)
        return lanes

    def _load_lanes(self, m: Module) -> list[Value]:
        """Let each row count down how many rows a beat still passes through."""
        left: Value = self.load
        lanes = [left != 0]
        for i in range(1, self.spec.rows):
            lane = Signal(range(self.spec.rows + 1 - i), name=f"load_skew_{i}")
            m.d.sync += lane.eq(Mux(left == 0, 0, left - 1))
            left = lane
            lanes.append(left != 0)
        return lanes


class SystolicWs(wiring.Component):
    """Weight-stationary systolic engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Beats of ``spec.rows`` lanes, in the order of ``sim.beats``; padding is 0.
        b: Beats of ``spec.cols`` lanes, likewise.
        c: Result rows, resolved, ``spec.cols`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: SystolicWsSpec) -> None:
        self.spec = spec
        self.array = array(spec)
        self.parts = self.array.parts
        self.edge = SystolicWsEdge(spec)
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
        m.submodules.array = grid = self.array
        m.submodules.edge = edge = self.edge
        wiring.connect(m, wiring.flipped(self.c), edge.c)
        m.d.comb += edge.words.eq(grid.words)

        m.submodules.control = control = SystolicWsControl(self.spec)
        wiring.connect(m, wiring.flipped(self.cmd), control.cmd)
        m.d.comb += [
            control.a_valid.eq(self.a.valid),
            control.b_valid.eq(self.b.valid),
            self.a.ready.eq(control.a_ready),
            self.b.ready.eq(control.b_ready),
            grid.a.eq(Mux(control.takes_a, self.a.payload.as_value(), 0)),
            grid.b.eq(self.b.payload),
        ]
        m.d.comb += [control.full.eq(edge.full), control.empty.eq(edge.empty)]
        for tag in ("starts", "stores", "ends", "adds"):
            m.d.comb += getattr(edge, tag).eq(getattr(control, tag))
        if self.spec.double_buffer:
            m.d.comb += grid.load.eq(Mux(control.takes_b, control.reach, 0))
            m.d.comb += grid.swap.eq(control.starts)
        else:
            m.d.comb += grid.load.eq(control.takes_b)
        return m


@array.register
def _(spec: SystolicWsSpec) -> SystolicWsArray:
    return SystolicWsArray(spec, Part(f"{module_name(spec.name)}_cell", SystolicWsCell(spec)))


@component.register
def _(spec: SystolicWsSpec) -> SystolicWs:
    return SystolicWs(spec)

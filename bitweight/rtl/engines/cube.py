"""RTL of the 3D cube engine: control and array.

``Cube`` accepts a command and joins the two operand streams; ``CubeArray`` skews lanes and holds
the PEs; the face (``rtl.engines.cube_face``) adds up the beats and turns complete rows over to
the same buffer that the output-stationary engine drains through.
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, array, component, module_name
from bitweight.rtl.engines.cube_face import CubeFace, chain_ends
from bitweight.rtl.engines.systolic_os_drain import ResultBuffer
from bitweight.rtl.wires import COMMAND, delay, operand_shape, result_shape
from bitweight.sim.engines.cube import CubeSpec


class CubeCell(wiring.Component):
    """One place of the cube: a PE and the registers that pass operands on.

    Ports:
        a, b: From the place before along n (a) and along m (b).
        a_next, b_next: The same one clock later.
        The PE's words in and out, by the names of the PE's ports.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        self.pe = component(spec.chain)
        a, b = operand_shape(spec.pe.a), operand_shape(spec.pe.b)
        super().__init__(
            {
                "a": In(a),
                "b": In(b),
                "a_next": Out(a),
                "b_next": Out(b),
                **{f"{word}_in": In(spec.chain.width) for word in spec.chain.words},
                **{word: Out(spec.chain.width) for word in spec.chain.words},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the place."""
        m = Module()
        m.submodules.pe = self.pe
        m.d.comb += [self.pe.a.eq(self.a), self.pe.b.eq(self.b)]
        for word in self.spec.chain.words:
            incoming = getattr(self, f"{word}_in")
            m.d.comb += getattr(self.pe, f"{word}_in").eq(incoming)
            m.d.comb += getattr(self, word).eq(getattr(self.pe, word))
        for name in ("a", "b"):
            port = getattr(self, name)
            m.d.comb += getattr(self, f"{name}_next").eq(delay(m, port, 1, f"{name}_hop"))
        return m


class CubeArray(wiring.Component):
    """Skew registers and PEs, without control and face.

    Ports:
        a: One beat: a tile of A, row by row; zeros are a bubble.
        b: One beat: a tile of B, row by row.
        ends: Per row and column the words at the end of the chain.
    """

    def __init__(self, spec: CubeSpec, cell: Part) -> None:
        self.spec = spec
        self.cell = cell
        self.parts = (cell,)
        super().__init__(
            {
                "a": In(ArrayLayout(operand_shape(spec.pe.a), spec.rows * spec.depth)),
                "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.depth * spec.cols)),
                "ends": Out(chain_ends(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the array."""
        m = Module()
        spec = self.spec
        # What a place receives: a by row and depth, b by depth and column, words by row and column.
        a = {
            (i, y): delay(m, self.a[i * spec.depth + y], i + y + 1, f"a_skew_{i}_{y}")
            for i in range(spec.rows)
            for y in range(spec.depth)
        }
        b = {
            (y, j): delay(m, self.b[y * spec.cols + j], y + j + 1, f"b_skew_{y}_{j}")
            for y in range(spec.depth)
            for j in range(spec.cols)
        }
        for i in range(spec.rows):
            for j in range(spec.cols):
                words: list[Value] = list(spec.chain.start)
                for y in range(spec.depth):
                    wires = self._place(m, (i, y, j), a[i, y], b[y, j], words)
                    a[i, y], b[y, j] = wires["a_next"], wires["b_next"]
                    words = [wires[word] for word in spec.chain.words]
                m.d.comb += [self.ends[i][j][at].eq(word) for at, word in enumerate(words)]
        return m

    def _place(
        self, m: Module, at: tuple[int, int, int], a: Value, b: Value, words: list[Value]
    ) -> dict[str, Signal]:
        """Place a cell; return its outputs."""
        suffix = "_".join(str(number) for number in at)
        ports = self.cell.component.signature.members.items()
        outputs = {
            name: Signal.like(getattr(self.cell.component, name), name=f"{name}_{suffix}")
            for name, member in ports
            if member.flow is wiring.Out
        }
        incoming = {
            f"{name}_in": word for name, word in zip(self.spec.chain.words, words, strict=True)
        }
        m.submodules[f"cell_{suffix}"] = self.cell.place(a=a, b=b, **incoming, **outputs)
        return outputs


class Cube(wiring.Component):
    """3D cube engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Beats of ``spec.rows * spec.depth`` lanes, in the order of ``sim.beats``; padding is 0.
        b: Beats of ``spec.depth * spec.cols`` lanes, likewise.
        c: Result rows, resolved, ``spec.cols`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        self.array = array(spec)
        self.face = CubeFace(spec)
        self.parts = (*self.array.parts, *self.face.parts)
        self.drain = ResultBuffer(spec)
        a_lanes, b_lanes = spec.rows * spec.depth, spec.depth * spec.cols
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(ArrayLayout(operand_shape(spec.pe.a), a_lanes))),
                "b": In(stream.Signature(ArrayLayout(operand_shape(spec.pe.b), b_lanes))),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        m.submodules.array = self.array
        m.submodules.face = face = self.face
        m.submodules.drain = drain = self.drain
        wiring.connect(m, wiring.flipped(self.c), drain.c)
        tile_rows = Signal(range(self.spec.rows + 1))
        beat, is_first, is_last = Signal(), Signal(), Signal()
        m.d.comb += [
            self.array.a.eq(Mux(beat, self.a.payload.as_value(), 0)),
            self.array.b.eq(Mux(beat, self.b.payload.as_value(), 0)),
            face.ends.eq(self.array.ends),
            face.clear.eq(beat & is_first),
            face.last.eq(beat & is_last),
            face.last_rows.eq(drain.tile_rows),
            drain.start.eq(beat & is_last),
            drain.start_rows.eq(tile_rows),
            drain.done.eq(face.done),
            drain.row.eq(face.row),
        ]
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
            is_last.eq(k_left <= spec.depth),
        ]
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += self.cmd.ready.eq(1)
                sizes = self.cmd.payload
                m.d.sync += [n.eq(sizes.n), k.eq(sizes.k), k_left.eq(sizes.k), is_first.eq(1)]
                m.d.sync += [rows_left.eq(sizes.m), cols_left.eq(sizes.n)]
                with m.If(self.cmd.valid):
                    m.next = "FEED"
            with m.State("FEED"):
                go = ~(is_last & drain.blocks_last_beat)
                m.d.comb += [
                    beat.eq(go & self.a.valid & self.b.valid),
                    self.a.ready.eq(go & self.b.valid),
                    self.b.ready.eq(go & self.a.valid),
                ]
                with m.If(beat):
                    m.d.sync += is_first.eq(is_last)
                    m.d.sync += k_left.eq(Mux(is_last, k, k_left - spec.depth))
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
def _(spec: CubeSpec) -> CubeArray:
    return CubeArray(spec, Part(f"{module_name(spec.name)}_cell", CubeCell(spec)))


@component.register
def _(spec: CubeSpec) -> Cube:
    return Cube(spec)

"""RTL of the Laconic engine: lanes that list digits, PEs that multiply pairs of them, control."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, component, module_name
from bitweight.rtl.engines.bit_slice_control import GroupWalk, RowDrain
from bitweight.rtl.engines.laconic_lane import LaconicLane
from bitweight.rtl.pe.laconic import LaconicPe
from bitweight.rtl.wires import COMMAND, delay, operand_shape, result_shape
from bitweight.sim.engines.laconic import LaconicSpec


class Laconic(wiring.Component):
    """Laconic engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Groups of ``spec.rows`` rows, ``spec.pe.lanes`` codes each, in the order of
            ``sim.beats``; padding is 0.
        b: Groups of ``spec.cols`` columns, likewise.
        c: Result rows, resolved, ``spec.cols`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: LaconicSpec) -> None:
        self.spec = spec
        self.walk = GroupWalk(spec)
        self.drain = RowDrain(spec)
        self.lane, self.pe = LaconicLane(spec), LaconicPe(spec.pe)
        name = module_name(spec.name)
        self.parts = (Part(f"{name}_lane", self.lane), Part(f"{name}_pe", self.pe))
        a = ArrayLayout(operand_shape(spec.pe.a), spec.rows * spec.pe.lanes)
        b = ArrayLayout(operand_shape(spec.pe.b), spec.cols * spec.pe.lanes)
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(a)),
                "b": In(stream.Signature(b)),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        m.submodules.walk = walk = self.walk
        m.submodules.drain = drain = self.drain
        wiring.connect(m, wiring.flipped(self.cmd), walk.cmd)
        wiring.connect(m, wiring.flipped(self.c), drain.c)
        load, over, restart = Signal(), Signal(), Signal()
        self._control(m, load, over, restart)
        self._place_pes(m, self._place_lanes(m, load, over), restart)
        return m

    def _control(self, m: Module, load: Signal, over: Signal, restart: Signal) -> None:
        """Accept groups; send what belongs to them along with their digits."""
        walk, drain = self.walk, self.drain
        held, is_first, ready = Signal(), Signal(), Signal()
        rows = Signal(range(self.spec.rows + 1), reset_less=True)
        ends = Signal()
        # Rows of a tile that ended one and two edges ago, else zero: terms, then totals.
        passing = [Signal.like(rows, reset_less=False, name=f"rows_{at}") for at in range(2)]
        is_clear = ~held & (passing[0] == 0) & (passing[1] == 0) & drain.ends
        m.d.comb += [
            ends.eq(held & over),
            ready.eq(walk.running & Mux(walk.is_first, is_clear, ~held | over)),
            load.eq(ready & self.a.valid & self.b.valid),
            self.a.ready.eq(ready & self.b.valid),
            self.b.ready.eq(ready & self.a.valid),
            walk.taken.eq(load),
            drain.start.eq(passing[1] != 0),
            drain.start_rows.eq(passing[1]),
            walk.empty.eq(~held & (passing[0] == 0) & (passing[1] == 0) & drain.empty),
            restart.eq(delay(m, is_first, 2, "restart")),
        ]
        m.d.sync += [
            is_first.eq(load & walk.is_first),
            passing[0].eq(Mux(ends, rows, 0)),
            passing[1].eq(passing[0]),
        ]
        with m.If(load | ends):
            m.d.sync += held.eq(load)
        with m.If(load):
            m.d.sync += rows.eq(Mux(walk.is_last, walk.tile_rows, 0))

    def _place_lanes(
        self, m: Module, load: Signal, over: Signal
    ) -> tuple[list[Value], list[Value]]:
        """Place the lanes; return the digits of every row and of every column, all lanes each."""
        spec = self.spec
        lanes = spec.pe.lanes
        a = [self.a.payload[place].as_unsigned() for place in range(spec.rows * lanes)]
        b = [self.b.payload[place].as_unsigned() for place in range(spec.cols * lanes)]
        a_terms, b_terms, ends = [], [], []
        for lane in range(lanes):
            terms = [
                Signal.like(port, name=f"{name}_{lane}")
                for name, port in (("a", self.lane.a_terms), ("b", self.lane.b_terms))
            ]
            over_here = Signal(name=f"over_{lane}")
            m.submodules[f"lane_{lane}"] = self.parts[0].place(
                load=load,
                a=Cat(a[lane::lanes]),
                b=Cat(b[lane::lanes]),
                over=over_here,
                a_terms=terms[0],
                b_terms=terms[1],
            )
            a_terms.append(terms[0])
            b_terms.append(terms[1])
            ends.append(over_here)
        m.d.comb += over.eq(Cat(ends).all())
        rows = [Cat(terms[i] for terms in a_terms) for i in range(spec.rows)]
        columns = [Cat(terms[j] for terms in b_terms) for j in range(spec.cols)]
        return rows, columns

    def _place_pes(
        self, m: Module, terms: tuple[list[Value], list[Value]], restart: Signal
    ) -> None:
        rows, columns = terms
        for i, a in enumerate(rows):
            for j, b in enumerate(columns):
                m.submodules[f"pe_{i}_{j}"] = self.parts[1].place(
                    a=a, b=b, restart=restart, acc=self.drain.acc[i][j]
                )


@component.register
def _(spec: LaconicSpec) -> Laconic:
    return Laconic(spec)

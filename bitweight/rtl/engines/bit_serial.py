"""RTL of the bit-serial engine: operand register, control and PEs.

The register holds one group: ``a`` rotates, least bit first, so that after ``a.width`` clocks it is
what it was, and a group whose sums cannot be stored yet is computed again.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, component, module_name
from bitweight.rtl.engines.bit_slice_control import GroupWalk, RowDrain
from bitweight.rtl.pe.bit_serial import BitSerialPe
from bitweight.rtl.wires import COMMAND, operand_shape, result_shape
from bitweight.sim.engines.bit_serial import BitSerialSpec


class BitSerial(wiring.Component):
    """Bit-serial engine.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Groups of ``spec.rows`` rows, ``spec.pe.lanes`` codes each, in the order of
            ``sim.beats``; padding is 0.
        b: Groups of ``spec.cols`` columns, likewise.
        c: Result rows, resolved, ``spec.cols`` lanes; lanes past n are 0.
    """

    def __init__(self, spec: BitSerialSpec) -> None:
        self.spec = spec
        self.walk = GroupWalk(spec)
        self.drain = RowDrain(spec)
        self.pe = BitSerialPe(spec.pe)
        self.parts = (Part(f"{module_name(spec.name)}_pe", self.pe),)
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
        takes, load = Signal(), Signal()
        controls = self._control(m, takes, load)
        bits, b = self._operands(m, takes, load)
        self._place_pes(m, bits, b, controls)
        return m

    def _control(self, m: Module, takes: Signal, load: Signal) -> dict[str, Value]:
        """Accept groups, count their bits, and store their sums.

        Args:
            m: Module that takes it.
            takes: Set if this edge takes bits.
            load: Set if it accepts a group.

        Returns:
            What the PEs are told, by the names of their ports.
        """
        held, commit, phase = Signal(), Signal(), Signal(range(self.spec.pe.a.width))
        walk, drain, width = self.walk, self.drain, self.spec.pe.a.width
        is_first, rows = Signal(), Signal(range(self.spec.rows + 1), reset_less=True)
        done_first, done_rows = Signal(), Signal(range(self.spec.rows + 1), reset_less=True)
        ends, ready = Signal(), Signal()
        m.d.comb += [
            takes.eq(held & self._may_start(is_first, phase, commit, done_rows)),
            ends.eq(takes & (phase == width - 1) & (~is_first | drain.ends)),
            ready.eq(walk.running & (~held | ends)),
            load.eq(ready & self.a.valid & self.b.valid),
            self.a.ready.eq(ready & self.b.valid),
            self.b.ready.eq(ready & self.a.valid),
            walk.taken.eq(load),
            drain.start.eq(commit & (done_rows != 0)),
            drain.start_rows.eq(done_rows),
            walk.empty.eq(~held & ~commit & drain.empty),
        ]
        m.d.sync += [commit.eq(ends), done_first.eq(is_first), done_rows.eq(rows)]
        with m.If(takes):
            m.d.sync += phase.eq(Mux(phase == width - 1, 0, phase + 1))
        with m.If(load | ends):
            m.d.sync += held.eq(load)
        with m.If(load):
            last_rows = Mux(walk.is_last, walk.tile_rows, 0)
            m.d.sync += [is_first.eq(walk.is_first), rows.eq(last_rows)]
        return {
            "first": phase == 0,
            "before_sign": phase == width - 2,
            "sign": phase == width - 1,
            "commit": commit,
            "restart": commit & done_first,
        }

    def _may_start(
        self, is_first: Signal, phase: Signal, commit: Signal, done_rows: Signal
    ) -> Value:
        """Hold a tile's first group back until rows are left for no longer than it takes.

        A tile that completes on this edge is read from the next one on.
        """
        width = self.spec.pe.a.width
        if self.spec.rows < width:
            return Const(1, 1)
        enough = Mux(commit & (done_rows != 0), done_rows < width, self.drain.rows_left <= width)
        return ~is_first | (phase != 0) | enough

    def _operands(self, m: Module, takes: Signal, load: Signal) -> tuple[list[Value], Value]:
        """Add the operand register; return the current bits, row after row, and ``b``."""
        a = Signal(self.a.payload.shape(), reset_less=True, name="a_register")
        b = Signal(self.b.payload.shape(), reset_less=True, name="b_register")
        codes = [a[place].as_unsigned() for place in range(self.spec.rows * self.spec.pe.lanes)]
        with m.If(load):
            m.d.sync += [a.eq(self.a.payload), b.eq(self.b.payload)]
        with m.Elif(takes):
            m.d.sync += a.eq(Cat(code.rotate_right(1) for code in codes))
        return [code[0] for code in codes], b.as_value()

    def _place_pes(self, m: Module, bits: list[Value], b: Value, signals: dict[str, Value]) -> None:
        spec = self.spec
        lanes = spec.pe.lanes
        wide = lanes * spec.pe.b.width
        controls = {name: signal for name, signal in signals.items() if hasattr(self.pe, name)}
        for i in range(spec.rows):
            row_bits = Cat(bits[i * lanes : (i + 1) * lanes])
            for j in range(spec.cols):
                m.submodules[f"pe_{i}_{j}"] = self.parts[0].place(
                    bits=row_bits,
                    b=b[j * wide : (j + 1) * wide],
                    acc=self.drain.acc[i][j],
                    **controls,
                )


@component.register
def _(spec: BitSerialSpec) -> BitSerial:
    return BitSerial(spec)

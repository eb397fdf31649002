"""The adder of a column: reads each PE's pair as its pass ends, and adds its value into C.

Edges of one PE's value, as the model counts them: read into a register, resolved, added, written.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import delay
from bitweight.sim.engines.column import ColumnSpec


def pass_layout(spec: ColumnSpec) -> StructLayout:
    """Return what the adder needs to know of a pass.

    ``clocks`` since the pass before ended, ``digit`` its bit-weight; ``fresh`` starts a sum,
    ``closes`` ends it; ``slot`` and ``result`` say where sums and results of the row stand.
    """
    pe = spec.pe
    return StructLayout(
        {
            "clocks": pe.sum_width - pe.row_width + 1,
            "digit": Shape.cast(range(max(2, pe.digits))),
            "fresh": 1,
            "closes": 1,
            "slot": Shape.cast(range(spec.acc_depth // spec.columns)),
            "result": Shape.cast(range(spec.c_depth)),
        }
    )


class ColumnAdder(wiring.Component):
    """Resolver, shifter, accumulation and result memory of a column.

    Ports:
        start, done: A pass ended three clocks ago; PE 0 is read on the next edge.
        sum, carry: Pair of the PE whose pass has ended.
        result, place: Result row and PE to read.
        read: Read it now.
        data: What was read one clock ago.
        complete: A row of results is complete.
    """

    def __init__(self, spec: ColumnSpec) -> None:
        self.spec = spec
        acc = Shape(spec.pe.acc_width, True)
        self.sums = Memory(shape=acc, depth=_depth(spec.acc_depth // spec.columns, spec), init=[])
        self.results = Memory(shape=acc, depth=_depth(spec.c_depth, spec), init=[])
        super().__init__(
            {
                "start": In(1),
                "done": In(pass_layout(spec)),
                "sum": In(spec.pe.sum_width),
                "carry": In(spec.pe.sum_width),
                "result": In(range(max(2, spec.c_depth))),
                "place": In(range(max(2, spec.pes))),
                "read": In(1),
                "data": Out(acc),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the adder."""
        m = Module()
        spec, pe = self.spec, self.spec.pe
        m.submodules.sums = self.sums
        m.submodules.results = self.results
        reading, place, done = self._walk(m)

        # After one edge the pair stands here, and C is addressed.
        valid = _stages(m, reading, "valid", has_reset=True)
        placed, known = _stages(m, place, "walked"), _stages(m, done, "pass")
        pair_sum = delay(m, self.sum, 1, "pair_sum")
        pair_carry = delay(m, self.carry, 1, "pair_carry")
        held = self.sums.read_port()
        m.d.comb += held.addr.eq(Cat(placed[1], known[1].slot))
        # After two it is resolved, without the offset of its clocks.
        value = Signal(Shape(pe.sum_width, True), reset_less=True)
        offset = (known[1].clocks * pe.lanes) << (pe.row_width - 1)
        m.d.sync += value.eq(pair_sum + pair_carry - offset)
        # After three it is added to C, after four written.
        shifted = Array([(value << (pe.step * digit)) for digit in range(pe.digits)])
        total = Signal(Shape(pe.acc_width, True), reset_less=True)
        m.d.sync += total.eq(Mux(known[2].fresh, 0, held.data) + shifted[known[2].digit])
        into_sums, into_results = self.sums.write_port(), self.results.write_port()
        m.d.comb += [
            into_sums.addr.eq(Cat(placed[3], known[3].slot)),
            into_results.addr.eq(Cat(placed[3], known[3].result)),
            into_sums.data.eq(total),
            into_results.data.eq(total),
            into_sums.en.eq(valid[3]),
            into_results.en.eq(valid[3] & known[3].closes),
            self.complete.eq(valid[3] & known[3].closes & (placed[3] == spec.pes - 1)),
        ]
        from_results = self.results.read_port()
        m.d.comb += [
            from_results.addr.eq(Cat(self.place[: len(place)], self.result)),
            from_results.en.eq(self.read),
            self.data.eq(from_results.data),
        ]
        return m

    def _walk(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """Count the PEs of the pass that is read; a new pass may follow without a gap."""
        reading = Signal()
        place = Signal(range(self.spec.pes), reset_less=True, name="walked")
        done = Signal.like(self.done, reset_less=True, name="done_register")
        with m.If(self.start):
            m.d.sync += [reading.eq(1), place.eq(0), done.eq(self.done)]
        with m.Else():
            m.d.sync += [reading.eq(reading & (place != self.spec.pes - 1)), place.eq(place + 1)]
        return reading, place, done


def _depth(rows: int, spec: ColumnSpec) -> int:
    """Words of a memory that is addressed by PE and row, side by side."""
    return 1 << ((rows - 1).bit_length() + (spec.pes - 1).bit_length())


def _stages(m: Module, value: Signal, name: str, *, has_reset: bool = False) -> list[Signal]:
    """Return ``value`` now and one, two and three edges later."""
    found = [value]
    for stage in range(3):
        later = Signal.like(value, reset_less=not has_reset, name=f"{name}_{stage + 1}")
        m.d.sync += later.eq(found[-1])
        found.append(later)
    return found

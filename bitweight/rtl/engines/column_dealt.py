"""RTL of the engine of dealt digits: control, lanes and PEs.

``Dealer`` and ``Tiles`` (``column_dealt_feed``) take the operand beats, ``DealtLane`` holds a
queue and issues its digits, ``DealtDrain`` delivers; here they are started, stopped and joined.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, component, module_name
from bitweight.rtl.engines.column_dealt_drain import DealtDrain, offset_width
from bitweight.rtl.engines.column_dealt_feed import Dealer, Tiles
from bitweight.rtl.engines.column_dealt_lane import DealtLane
from bitweight.rtl.engines.column_dealt_walks import SegmentWalk, segment_layout
from bitweight.rtl.wires import COMMAND, operand_shape, result_shape
from bitweight.sim.engines.column_dealt import DealtColumnSpec


class DealtArray(wiring.Component):
    """PEs, and the registers that their digits pass on the way.

    Ports:
        b: Per PE and lane what the tiles deliver, one clock after the digit was issued.
        shift, negate: Per lane the digit that is issued.
        clear: It is a row's first.
        catch: It is a row's last; how many outputs the row has.
        pairs: Per PE the words.
        caught: Like ``catch``, when ``pairs`` are complete.
        offset: What ``pairs`` hold too much, in units of a row's inverted sign.
    """

    def __init__(self, spec: DealtColumnSpec, pe: Part) -> None:
        self.spec = spec
        self.pe = pe
        lanes = spec.pe.lanes
        super().__init__(
            {
                "b": In(ArrayLayout(ArrayLayout(operand_shape(spec.pe.b), lanes), spec.pes)),
                "shift": In(ArrayLayout(range(spec.pe.max_shift + 1), lanes)),
                "negate": In(lanes),
                "clear": In(1),
                "catch": In(range(spec.pes + 1)),
                "pairs": Out(ArrayLayout(ArrayLayout(spec.pe.acc_width, 2), spec.pes)),
                "caught": Out(range(spec.pes + 1)),
                "offset": Out(offset_width(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the array."""
        m = Module()
        shift, negate, clear, catch = (
            self._twice(m, getattr(self, name), name)
            for name in ("shift", "negate", "clear", "catch")
        )
        m.d.sync += self.caught.eq(catch)
        m.d.sync += self.offset.eq(Mux(clear, 0, self.offset) + self.spec.pe.lanes)
        for number in range(self.spec.pes):
            pair = self.pairs[number]
            m.submodules[f"pe_{number}"] = self.pe.place(
                clear=clear,
                b=self.b[number],
                shift=shift,
                negate=negate,
                sum=pair[0],
                carry=pair[1],
            )
        return m

    def _twice(self, m: Module, value: Value, name: str) -> Signal:
        """Delay by two clocks: tags must not appear out of nowhere, so with reset."""
        first = Signal.like(value, name=f"{name}_fetched")
        second = Signal.like(value, name=f"{name}_registered")
        m.d.sync += [first.eq(value), second.eq(first)]
        return second


class DealtColumn(wiring.Component):
    """Engine of dealt digits.

    Ports:
        cmd: Sizes m, n, k of a GEMM, each at least 1.
        a: Beats of ``spec.beat`` elements of a row, in the order of ``sim.beats``.
        b: Beats of ``spec.beat`` times ``spec.pes`` elements, likewise.
        c: Results, one a beat.
    """

    def __init__(self, spec: DealtColumnSpec) -> None:
        self.spec = spec
        pe = Part(f"{module_name(spec.name)}_pe", component(spec.pe))
        self.parts = (pe,)
        self.tiles = Tiles(spec)
        self.drain = DealtDrain(spec)
        # From a row's last digit until its last pair is taken; no other row may end meanwhile.
        self.reserved = Signal()
        self.array = DealtArray(spec, pe)
        self.lanes = [DealtLane(spec, lane) for lane in range(spec.pe.lanes)]
        a, b = operand_shape(spec.pe.a), operand_shape(spec.pe.b)
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(ArrayLayout(a, spec.beat))),
                "b": In(stream.Signature(ArrayLayout(ArrayLayout(b, spec.pes), spec.beat))),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the engine."""
        m = Module()
        spec = self.spec
        m.submodules.array = array = self.array
        m.submodules.drain = drain = self.drain
        wiring.connect(m, wiring.flipped(self.c), drain.c)
        m.d.comb += [
            drain.pairs.eq(array.pairs),
            drain.outputs.eq(array.caught),
            drain.offset.eq(array.offset),
        ]
        start, end = Signal(), Signal()
        half, place = Signal(), Signal()
        segment, next_half = Signal(segment_layout(spec)), Signal()
        accept = Signal()
        m.submodules.tiles = self.tiles
        m.d.comb += [next_half.eq(half ^ end), self.tiles.place.eq(place)]
        has_beats = self._load(m, accept, end, half, segment)
        has_tile = self._fetch(m, accept, end & segment.ends_tile, place)
        active = self._issue(m, start, end, segment)
        can_start = Mux(next_half, has_beats[1], has_beats[0]) & has_tile
        m.d.comb += start.eq((~active | end) & can_start)
        m.d.sync += half.eq(next_half)
        with m.FSM():
            with m.State("ACCEPT"):
                m.d.comb += [self.cmd.ready.eq(1), accept.eq(self.cmd.valid)]
                with m.If(accept):
                    m.next = "RUN"
            with m.State("RUN"), m.If(end & segment.ends_all):
                m.next = "FLUSH"
            with m.State("FLUSH"), m.If(~self.reserved & drain.idle):
                m.next = "ACCEPT"
        return m

    def _load(
        self, m: Module, accept: Signal, end: Signal, half: Signal, segment: Signal
    ) -> list[Signal]:
        """Take beats of a into the queues; return which halves hold a segment."""
        spec = self.spec
        m.submodules.dealer = dealer = Dealer(spec)
        m.submodules.a_walk = walk = SegmentWalk(spec, every_row=True)
        has_beats = [Signal(name=f"has_beats_{number}") for number in range(2)]
        known = [Signal.like(segment, reset_less=True, name=f"segment_{n}") for n in range(2)]
        fills, beat = Signal(), Signal()
        # The beat of one clock before is what the dealer deals.
        dealt, dealt_first, dealt_last, dealt_half = (
            Signal(name=name) for name in ("dealt", "dealt_first", "dealt_last", "dealt_half")
        )
        m.d.comb += [
            self.a.ready.eq(walk.active & ~Mux(fills, has_beats[1], has_beats[0])),
            beat.eq(self.a.valid & self.a.ready),
            walk.command.eq(self.cmd.payload),
            walk.start.eq(accept),
            walk.beat.eq(beat),
            dealer.beat.eq(beat),
            dealer.elements.eq(self.a.payload),
            dealer.group.eq(walk.group),
            segment.eq(Mux(half, known[1].as_value(), known[0].as_value())),
        ]
        m.d.sync += [
            dealt.eq(beat),
            dealt_first.eq(walk.group == 0),
            dealt_last.eq(walk.ends),
            dealt_half.eq(fills),
            fills.eq(fills ^ (beat & walk.ends)),
        ]
        for number in range(2):
            with m.If(end & (half == number)):
                m.d.sync += has_beats[number].eq(0)
            with m.If(dealt & dealt_last & (dealt_half == number)):
                m.d.sync += has_beats[number].eq(1)
            with m.If(beat & walk.ends & (fills == number)):
                m.d.sync += known[number].eq(walk.segment)
        for number, lane in enumerate(self.lanes):
            m.submodules[f"lane_{number}"] = lane
            m.d.comb += [
                lane.beat.eq(dealt),
                lane.push.eq(dealer.push[number]),
                lane.push_first.eq(dealt_first),
                lane.push_half.eq(dealt_half),
                lane.start_half.eq(half ^ end),
                lane.word.eq(dealer.word[number]),
            ]
        return has_beats

    def _fetch(self, m: Module, accept: Signal, release: Value, place: Signal) -> Value:
        """Take beats of b into the tiles; return whether the next segment's tile is there."""
        spec, tiles = self.spec, self.tiles
        m.submodules.b_walk = walk = SegmentWalk(spec, every_row=False)
        has_tile = Signal(2 if spec.double_buffer else 1)
        fills, next_place = Signal(), Signal()
        m.d.comb += [
            self.b.ready.eq(walk.active & ~has_tile.bit_select(fills, 1)),
            walk.command.eq(self.cmd.payload),
            walk.start.eq(accept),
            walk.beat.eq(self.b.valid & self.b.ready),
            tiles.write.eq(walk.beat),
            tiles.write_place.eq(fills),
            tiles.write_group.eq(walk.group),
            tiles.beat.eq(self.b.payload),
            next_place.eq(place ^ release if spec.double_buffer else 0),
        ]
        m.d.sync += place.eq(next_place)
        with m.If(release):
            m.d.sync += has_tile.bit_select(place, 1).eq(0)
        with m.If(walk.beat & walk.ends):
            m.d.sync += has_tile.bit_select(fills, 1).eq(1)
            if spec.double_buffer:
                m.d.sync += fills.eq(~fills)
        # A tile that is being released is not the next segment's, even if there is but one.
        return has_tile.bit_select(next_place, 1) & ~(release & (next_place == place))

    def _issue(self, m: Module, start: Signal, end: Signal, segment: Signal) -> Signal:
        """Run the lanes segment by segment; return whether one is active."""
        active, fresh = Signal(), Signal()
        rest = Cat(lane.rest for lane in self.lanes).any()
        m.d.comb += end.eq(active & ~rest & ~(segment.is_last & self.reserved))
        m.d.sync += [active.eq(start | (active & ~end)), fresh.eq(start)]
        with m.If(end & segment.is_last):
            m.d.sync += self.reserved.eq(1)
        with m.If(self.drain.empties):
            m.d.sync += self.reserved.eq(0)
        array, tiles = self.array, self.tiles
        m.d.comb += [
            array.b.eq(tiles.b),
            array.clear.eq(active & fresh & segment.is_first),
            array.catch.eq(Mux(end & segment.is_last, segment.outputs, 0)),
        ]
        for number, lane in enumerate(self.lanes):
            m.d.comb += [
                lane.start.eq(start),
                lane.run.eq(active),
                tiles.group[number].eq(lane.group),
                tiles.bank[number].eq(lane.bank),
                array.shift[number].eq(lane.shift),
                array.negate[number].eq(lane.negate),
            ]
        return active


@component.register
def _(spec: DealtColumnSpec) -> DealtColumn:
    return DealtColumn(spec)

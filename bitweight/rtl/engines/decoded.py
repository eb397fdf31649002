"""RTL of an engine behind a decoder of its b stream.

Model: ``sim.engines.decoded``.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.lane_codes import lane_weight
from bitweight.sim.engines.decoded import MOST_SERVED, DecodedSpec

_COUNT_BYTES = ((MOST_SERVED - 1).bit_length() + 7) // 8


class BeatDecoder(wiring.Component):
    """Decodes every lane of a beat and holds it until the engine takes it.

    Ports:
        codes: Beats of codes.
        s: Side integers of every set of lanes, then the beats they serve, less one, in two bytes.
        weights: Beats of decoded weights, an edge later.
    """

    def __init__(self, spec: DecodedSpec) -> None:
        self.spec = spec
        self.sets = spec.lane_sets.tolist()
        lane = spec.lane
        side_bytes = (max(self.sets) + 1) * lane.side_units + _COUNT_BYTES
        side = {"s": In(stream.Signature(ArrayLayout(8, side_bytes)))}
        super().__init__(
            {
                "codes": In(stream.Signature(ArrayLayout(lane.bits, len(self.sets)))),
                **(side if lane.side_units else {}),
                "weights": Out(
                    stream.Signature(ArrayLayout(spec.engine.pe.b.width, len(self.sets)))
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the decoder."""
        m = Module()
        has_room = Signal()
        taken = Signal()
        m.d.comb += has_room.eq(~self.weights.valid | self.weights.ready)
        side = self._side(m, has_room, taken) if self.spec.lane.side_units else None
        if side is None:
            m.d.comb += [self.codes.ready.eq(has_room), taken.eq(has_room & self.codes.valid)]
        with m.If(has_room):
            m.d.sync += self.weights.valid.eq(taken)
        held = Signal.like(self.weights.payload, reset_less=True, name="weights_register")
        m.d.comb += self.weights.payload.eq(held)
        for lane, at in enumerate(self.sets):
            code = self.codes.payload[lane]
            units = self.spec.lane.side_units
            own = [side[at * units + unit] for unit in range(units)] if side is not None else ()
            weight = lane_weight(self.spec.decoder, m, code, own, f"weight_{lane}")
            # Sign extension: the engine's b may be wider than the weights.
            wide = Signal(held[lane].shape(), name=f"wide_{lane}")
            m.d.comb += wide.eq(weight)
            with m.If(taken):
                m.d.sync += held[lane].eq(wide)
        return m

    def _side(self, m: Module, has_room: Signal, taken: Signal) -> Any:
        """Join both streams; return the side integers that belong to the beat of codes."""
        left = Signal(8 * _COUNT_BYTES, name="beats_left")
        held = Signal.like(self.s.payload, reset_less=True, name="side_register")
        needs_side = Signal()
        has_side = Signal()
        served: Value = Cat(self.s.payload[at] for at in range(-_COUNT_BYTES, 0))
        m.d.comb += [
            needs_side.eq(left == 0),
            has_side.eq(~needs_side | self.s.valid),
            self.codes.ready.eq(has_room & has_side),
            self.s.ready.eq(has_room & needs_side & self.codes.valid),
            taken.eq(has_room & has_side & self.codes.valid),
        ]
        with m.If(taken):
            m.d.sync += left.eq(Mux(needs_side, served, left - 1))
        with m.If(taken & needs_side):
            m.d.sync += held.eq(self.s.payload)
        side = Signal.like(self.s.payload, name="side")
        m.d.comb += side.eq(Mux(needs_side, self.s.payload.as_value(), held.as_value()))
        return side


class Decoded(wiring.Component):
    """An engine behind a decoder.

    Ports:
        cmd, a, c: The engine's.
        b: Beats of codes, in the order of the engine's own b.
        s: Side integers, if the format has them.
    """

    def __init__(self, spec: DecodedSpec) -> None:
        self.engine = component(spec.engine)
        self.decoder = BeatDecoder(spec)
        self.parts = getattr(self.engine, "parts", ())
        ports = dict(self.engine.signature.members)
        ports["b"] = self.decoder.signature.members["codes"]
        if spec.lane.side_units:
            ports["s"] = self.decoder.signature.members["s"]
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the engine and its decoder."""
        m = Module()
        engine, decoder = self.engine, self.decoder
        m.submodules.engine = engine
        m.submodules.decoder = decoder
        for port in ("cmd", "a"):
            wiring.connect(m, wiring.flipped(getattr(self, port)), getattr(engine, port))
        wiring.connect(m, wiring.flipped(self.c), engine.c)
        wiring.connect(m, wiring.flipped(self.b), decoder.codes)
        if hasattr(self, "s"):
            wiring.connect(m, wiring.flipped(self.s), decoder.s)
        m.d.comb += [
            engine.b.valid.eq(decoder.weights.valid),
            engine.b.payload.eq(decoder.weights.payload.as_value()),
            decoder.weights.ready.eq(engine.b.ready),
        ]
        return m


@component.register
def _(spec: DecodedSpec) -> Decoded:
    return Decoded(spec)

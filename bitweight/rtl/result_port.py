"""The way out of an engine: accumulator words in, resolved results out, with backpressure.

A redundant accumulator passes two registers, its words and then their sum; a single word needs only
the second. ``spec.pe.resolve_latency`` says which, so the model knows the edges that this takes.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import resolved, result_shape
from bitweight.sim.spec import EngineSpec


class ResultPort(wiring.Component):
    """Registers, adders and clamps between accumulators and ``c``.

    Ports:
        words: Per lane the accumulator's words.
        valid: ``words`` are a row of results.
        ready: The row is taken on this edge if ``valid``.
        c: Results, ``1 + spec.pe.resolve_latency`` edges later.
        empty: No result is left inside, or the last one leaves on this edge.
    """

    def __init__(self, spec: EngineSpec, lanes: int) -> None:
        self.spec = spec
        self.lanes = lanes
        words = ArrayLayout(spec.pe.acc_width, len(spec.pe.words))
        super().__init__(
            {
                "words": In(ArrayLayout(words, lanes)),
                "valid": In(1),
                "ready": Out(1),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), lanes))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the port."""
        m = Module()
        results = Signal.like(self.c.payload, reset_less=True, name="results")
        into_c = Signal()
        m.d.comb += [self.c.payload.eq(results), into_c.eq(~self.c.valid | self.c.ready)]
        words, valid = self.words, self.valid
        m.d.comb += [self.ready.eq(into_c), self.empty.eq(into_c)]
        if self.spec.pe.resolve_latency:
            words = Signal.like(self.words, reset_less=True, name="words_register")
            valid = Signal(name="words_valid")
            m.d.comb += [self.ready.eq(~valid | into_c), self.empty.eq(~valid & into_c)]
            with m.If(self.ready):
                m.d.sync += valid.eq(self.valid)
            with m.If(self.ready & self.valid):
                m.d.sync += words.eq(self.words)
        with m.If(into_c):
            m.d.sync += self.c.valid.eq(valid)
        with m.If(into_c & valid):
            m.d.sync += [
                results[lane].eq(self._resolve(m, words, lane)) for lane in range(self.lanes)
            ]
        return m

    def _resolve(self, m: Module, words: Signal, lane: int) -> Signal:
        lane_words = [words[lane][word] for word in range(len(self.spec.pe.words))]
        return resolved(m, self.spec, lane_words, f"sum_{lane}")

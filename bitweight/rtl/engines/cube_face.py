"""The face of the 3D cube: where chains along k end, one accumulator for each output.

Tags enter column 0 of the face when their beat's first sums reach it and travel along n with them.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part, module_name
from bitweight.rtl.compressor import compress
from bitweight.rtl.wires import any_of
from bitweight.sim.engines.cube import CubeSpec


def chain_ends(spec: CubeSpec) -> ArrayLayout:
    """Return the layout of all chains' last words: by row, column and word."""
    words = ArrayLayout(spec.chain.width, len(spec.chain.words))
    return ArrayLayout(ArrayLayout(words, spec.cols), spec.rows)


class CubeFacePlace(wiring.Component):
    """One accumulator and the registers that pass tags on.

    Ports:
        ``<word>_end``: Words at the end of the chain.
        clear: They are of a tile's first beat.
        last: They are of its last beat.
        clear_next: The same one clock later.
        last_next: The same one clock later; the accumulator is complete then.
        The accumulator's words, by the names of the PE's.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                **{f"{word}_end": In(spec.chain.width) for word in spec.pe.words},
                **{tag: In(1) for tag in ("clear", "last")},
                **{f"{tag}_next": Out(1) for tag in ("clear", "last")},
                **{word: Out(spec.pe.acc_width) for word in spec.pe.words},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the place."""
        m = Module()
        spec = self.spec
        # No reset: the first beat of a tile clears it. A carry word's bit 0 is always zero.
        registers = [
            Signal(spec.pe.acc_width - number, reset_less=True, name=f"{word}_register")
            for number, word in enumerate(spec.pe.words)
        ]
        kept = [Mux(self.clear, 0, register) for register in registers]
        words = self._add_pair(m, kept) if spec.chain.is_pair else [self._add(kept[0])]
        for number, (register, word) in enumerate(zip(registers, words, strict=True)):
            m.d.sync += register.eq(word >> number)
            m.d.comb += getattr(self, spec.pe.words[number]).eq(register << number)
        m.d.sync += [self.clear_next.eq(self.clear), self.last_next.eq(self.last)]
        return m

    def _add(self, kept: Value) -> Value:
        (word,) = self.spec.pe.words
        return kept + getattr(self, f"{word}_end").as_signed()

    def _add_pair(self, m: Module, kept: list[Value]) -> list[Value]:
        spec = self.spec
        ends = [getattr(self, f"{word}_end") for word in spec.pe.words]
        ones = [Const(1, 1)] * spec.face_constant.bit_count()
        # The plan has a place for carry bit 0, so that column 0 is compressed to one bit.
        bits = [*kept[0], Const(0, 1), *kept[1], *ends[0], *ends[1][1:], *ones]
        return list(compress(m, spec.face_tree, bits))


class CubeFace(wiring.Component):
    """All accumulators.

    Ports:
        ends: Per row and column the words at the end of the chain.
        clear: The beat that enters the cube now is a tile's first.
        last: It is a tile's last.
        last_rows: Rows of the tile that ended last, from the clock after ``last``.
        done: Per column, one bit per row: this output became complete on the last edge, and is
            what ``row`` shows.
        row: Per column the words of the output that is done.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        self.place = Part(f"{module_name(spec.name)}_face_place", CubeFacePlace(spec))
        self.parts = (self.place,)
        words = ArrayLayout(spec.pe.acc_width, len(spec.pe.words))
        super().__init__(
            {
                "ends": In(chain_ends(spec)),
                "clear": In(1),
                "last": In(1),
                "last_rows": In(range(spec.rows + 1)),
                "done": Out(ArrayLayout(spec.rows, spec.cols)),
                "row": Out(ArrayLayout(words, spec.cols)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the face."""
        m = Module()
        spec = self.spec
        tags = self._tag_lanes(m)
        held: list[list[dict[str, Signal]]] = []
        for i in range(spec.rows):
            clear, last = tags["clear"][i], tags["last"][i]
            held.append([])
            for j in range(spec.cols):
                wires = self._place(m, i, j, clear, last)
                clear, last = wires["clear_next"], wires["last_next"]
                held[i].append(wires)
        for j in range(spec.cols):
            done = [held[i][j]["last_next"] for i in range(spec.rows)]
            m.d.comb += self.done[j].eq(Cat(*done))
            for at, word in enumerate(spec.pe.words):
                gated = [
                    held[i][j][word] & done[i].replicate(spec.pe.acc_width)
                    for i in range(spec.rows)
                ]
                m.d.comb += self.row[j][at].eq(any_of(gated))
        return m

    def _tag_lanes(self, m: Module) -> dict[str, list[Value]]:
        """Delay the tags as their beat's sums are: to the face, and one clock more for each row."""
        spec = self.spec
        travel = spec.depth + spec.pe.latency
        lanes: dict[str, list[Value]] = {}
        for name, tag in (("clear", self.clear), ("last", self.last)):
            lane = tag
            lanes[name] = []
            for stage in range(1, travel + spec.rows):
                row = stage - travel
                if name == "last" and row > 0:
                    # Rows of padding carry no tag: the next tile may end before they would.
                    lane = lane & (self.last_rows > row)
                register = Signal(name=f"{name}_stage_{stage}")
                m.d.sync += register.eq(lane)
                lane = register
                if row >= 0:
                    lanes[name].append(lane)
        return lanes

    def _place(self, m: Module, i: int, j: int, clear: Value, last: Value) -> dict[str, Signal]:
        """Place the accumulator of output (i, j); return its outputs."""
        outputs = {
            name: Signal.like(getattr(self.place.component, name), name=f"{name}_{i}_{j}")
            for name, member in self.place.component.signature.members.items()
            if member.flow is wiring.Out
        }
        ends = {f"{word}_end": self.ends[i][j][at] for at, word in enumerate(self.spec.pe.words)}
        m.submodules[f"place_{i}_{j}"] = self.place.place(clear=clear, last=last, **ends, **outputs)
        return outputs

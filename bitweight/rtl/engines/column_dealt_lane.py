"""A lane of the engine of dealt digits: its queue, and the walk over the digits in it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bitweight.rtl.recoding import recode
from bitweight.rtl.wires import any_of, operand_shape
from bitweight.sim.engines.column_dealt import DealtColumnSpec


def group_width(spec: DealtColumnSpec) -> int:
    """Return the bits that number the beats of a segment."""
    return bits_for(spec.words - 1) if spec.words > 1 else 0


def word_layout(spec: DealtColumnSpec) -> StructLayout:
    """Return what a lane gets of one beat: its elements, the beat's number and its layout."""
    return StructLayout(
        {
            "elements": ArrayLayout(operand_shape(spec.pe.a), spec.share),
            "group": group_width(spec),
            "by_rows": 1,
        }
    )


def lane_places(spec: DealtColumnSpec, lane: int) -> list[int]:
    """Return the places of a beat that a lane may get, in either layout, each once."""
    return sorted({place for layout in spec.layouts for place in layout[lane]})


def lowest(m: Module, bits: Value, name: str) -> tuple[Signal, Value]:
    """Return the lowest set bit alone, and whether a higher one is set."""
    first = Signal(len(bits), name=name)
    m.d.comb += first.eq(bits & (~bits + 1))
    return first, (bits & ~first).any()


class DealtLane(wiring.Component):
    """Queue of two segments, and one non-zero digit a clock out of it.

    Words without a non-zero element are never pushed.

    Ports:
        push: ``word`` enters the half ``push_half``; ``push_first`` is the segment's first beat.
        beat: A beat was dealt, whether or not the lane got something of it.
        start: The words of ``start_half`` are next.
        run: Issue a digit if any is left.
        rest: Something is left after this clock.
        group, bank: Where the digit's b is: one bit per place of ``lane_places``, none set in an
            empty slot.
        shift, negate: The digit.
    """

    def __init__(self, spec: DealtColumnSpec, lane: int) -> None:
        self.spec = spec
        self.lane = lane
        self.queue = Memory(shape=word_layout(spec), depth=2 << group_width(spec), init=[])
        super().__init__(
            {
                "beat": In(1),
                "push": In(1),
                "push_first": In(1),
                "push_half": In(1),
                "word": In(word_layout(spec)),
                "start": In(1),
                "start_half": In(1),
                "run": In(1),
                "rest": Out(1),
                "group": Out(group_width(spec)),
                "bank": Out(len(lane_places(spec, lane))),
                "shift": Out(range(spec.pe.max_shift + 1)),
                "negate": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()
        m.submodules.queue = self.queue
        held = self._fill(m)
        left = Signal(range(self.spec.words + 1))
        half = Signal()
        index = Signal(group_width(self.spec))
        has_issue, ends_word = Signal(), Signal()
        pop = has_issue & ends_word
        m.d.comb += [
            has_issue.eq(self.run & (left != 0)),
            self.rest.eq((left != 0) & ~((left == 1) & ends_word)),
        ]
        read = self.queue.read_port()
        ahead = Mux(self.start, 0, index + 1)[: len(index)]
        m.d.comb += [
            read.en.eq(self.start | pop),
            read.addr.eq(Cat(ahead, Mux(self.start, self.start_half, half))),
        ]
        with m.If(self.start):
            m.d.sync += [left.eq(Mux(self.start_half, held[1], held[0])), half.eq(self.start_half)]
        with m.Elif(pop):
            m.d.sync += left.eq(left - 1)
        with m.If(read.en):
            m.d.sync += index.eq(ahead)
        m.d.comb += self.group.eq(read.data.group)
        self._walk(m, read.data, has_issue, ends_word, fresh=read.en)
        return m

    def _fill(self, m: Module) -> list[Signal]:
        """Write the queue; return how many words each half holds."""
        held = [Signal(range(self.spec.words + 1), name=f"held_{half}") for half in range(2)]
        before = Mux(self.push_first, 0, Mux(self.push_half, held[1], held[0]))
        write = self.queue.write_port()
        width = group_width(self.spec)
        m.d.comb += [
            write.en.eq(self.push),
            write.addr.eq(Cat(before[:width], self.push_half)),
            write.data.eq(self.word),
        ]
        for half, words in enumerate(held):
            with m.If(self.beat & (self.push_half == half)):
                m.d.sync += words.eq(before + self.push)
        return held

    def _walk(
        self, m: Module, word: Value, has_issue: Signal, ends_word: Signal, fresh: Value
    ) -> None:
        """Find the next digit of ``word``, element by element, and note what is done."""
        pe, share = self.spec.pe, self.spec.share
        done_elements = Signal(share)
        element = Signal(operand_shape(pe.a))
        is_left = Cat(word.elements[part].any() for part in range(share))
        chosen, is_more = lowest(m, is_left & ~done_elements, "chosen")
        gated = [
            word.elements[part].as_unsigned() & chosen[part].replicate(pe.a.width)
            for part in range(share)
        ]
        m.d.comb += element.eq(any_of(gated))
        digits = recode(m, pe.recoding, pe.a, element)
        done_digits = Signal(len(digits))
        is_digit = Cat(digit.one | digit.two for digit in digits)
        place, is_more_digits = lowest(m, is_digit & ~done_digits, "place")
        shifts = [
            Mux(place[at], Mux(digit.two, pe.step * at + 1, pe.step * at), 0)
            for at, digit in enumerate(digits)
        ]
        negate = Cat(digit.negate for digit in digits) & place
        m.d.comb += [
            ends_word.eq(~is_more & ~is_more_digits),
            self.shift.eq(any_of(shifts)),
            self.negate.eq(negate.any() & has_issue),
        ]
        self._select_bank(m, chosen, word.by_rows, has_issue)
        with m.If(fresh):
            m.d.sync += [done_elements.eq(0), done_digits.eq(0)]
        with m.Elif(has_issue):
            m.d.sync += done_digits.eq(Mux(is_more_digits, done_digits | place, 0))
            with m.If(~is_more_digits):
                m.d.sync += done_elements.eq(done_elements | chosen)

    def _select_bank(self, m: Module, chosen: Signal, by_rows: Value, has_issue: Signal) -> None:
        columns, rows = (layout[self.lane] for layout in self.spec.layouts)
        selects = []
        for place in lane_places(self.spec, self.lane):
            in_columns = chosen[columns.index(place)] if place in columns else Const(0, 1)
            in_rows = chosen[rows.index(place)] if place in rows else Const(0, 1)
            selects.append(Mux(by_rows, in_rows, in_columns) & has_issue)
        m.d.comb += self.bank.eq(Cat(*selects))

"""What the engine of dealt digits is fed with: the dealer of ``a`` and the tiles of ``b``."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.rtl.engines.column_dealt_lane import group_width, lane_places, word_layout
from bitweight.rtl.recoding import recode
from bitweight.rtl.wires import any_of, operand_shape
from bitweight.sim.engines.column_dealt import DealtColumnSpec


class DigitCounter(wiring.Component):
    """Counts the non-zero digits of one element.

    Ports:
        element: The element.
        count: Its non-zero digits.
    """

    def __init__(self, spec: DealtColumnSpec) -> None:
        self.pe = spec.pe
        super().__init__(
            {"element": In(operand_shape(spec.pe.a)), "count": Out(range(spec.pe.digits + 1))}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the recoder and the sum."""
        m = Module()
        digits = recode(m, self.pe.recoding, self.pe.a, self.element)
        m.d.comb += self.count.eq(sum(digit.one | digit.two for digit in digits))
        return m


class Dealer(wiring.Component):
    """Chooses the layout of each beat, one clock after it is accepted, and deals it.

    Ports:
        beat: A beat of ``a`` arrives.
        elements, group: The beat, and its number within the segment.
        word: Per lane what it gets of the beat of one clock before.
        push: Per lane whether there is something for it.
    """

    def __init__(self, spec: DealtColumnSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "beat": In(1),
                "elements": In(ArrayLayout(operand_shape(spec.pe.a), spec.beat)),
                "group": In(group_width(spec)),
                "word": Out(ArrayLayout(word_layout(spec), spec.pe.lanes)),
                "push": Out(spec.pe.lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the dealer."""
        m = Module()
        spec, lanes = self.spec, range(self.spec.pe.lanes)
        held = Signal.like(self.elements, reset_less=True, name="held")
        group = Signal.like(self.group, reset_less=True, name="held_group")
        is_held = Signal()
        m.d.sync += [held.eq(self.elements), group.eq(self.group), is_held.eq(self.beat)]
        shares = self._shares(m)
        is_first = group == 0
        load_shape = range(spec.words * spec.share * spec.pe.digits + 1)
        loads = [Signal(load_shape, reset_less=True, name=f"load_{lane}") for lane in lanes]
        sums = [
            [Signal(load_shape, name=f"sum_{layout}_{lane}") for lane in lanes]
            for layout in range(2)
        ]
        for layout, lane in ((layout, lane) for layout in range(2) for lane in lanes):
            m.d.comb += sums[layout][lane].eq(Mux(is_first, 0, loads[lane]) + shares[layout][lane])
        by_rows = Signal()
        m.d.comb += by_rows.eq(_greatest(m, sums[1], "rows") < _greatest(m, sums[0], "columns"))
        for lane in lanes:
            with m.If(is_held):
                m.d.sync += loads[lane].eq(Mux(by_rows, sums[1][lane], sums[0][lane]))
            share = Mux(by_rows, shares[1][lane], shares[0][lane])
            word = self.word[lane]
            m.d.comb += [
                self.push[lane].eq(is_held & share.any()),
                word.group.eq(group),
                word.by_rows.eq(by_rows),
            ]
            columns, rows = (layout[lane] for layout in spec.layouts)
            for part in range(spec.share):
                m.d.comb += word.elements[part].eq(
                    Mux(by_rows, held[rows[part]], held[columns[part]])
                )
        return m

    def _shares(self, m: Module) -> list[list[Signal]]:
        """Count the digits that each lane would get in each layout; registered."""
        counts = []
        for place in range(self.spec.beat):
            m.submodules[f"counter_{place}"] = counter = DigitCounter(self.spec)
            m.d.comb += counter.element.eq(self.elements[place])
            counts.append(counter.count)
        shares: list[list[Signal]] = []
        for number, layout in enumerate(self.spec.layouts):
            shares.append([])
            for lane, places in enumerate(layout):
                most = range(self.spec.share * self.spec.pe.digits + 1)
                share = Signal(most, reset_less=True, name=f"share_{number}_{lane}")
                m.d.sync += share.eq(sum(counts[place] for place in places))
                shares[-1].append(share)
        return shares


def _greatest(m: Module, values: list[Signal], name: str) -> Value:
    """Return the greatest of ``values``, by a balanced tree."""
    level = list(values)
    stage = 0
    while len(level) > 1:
        above = []
        for at in range(0, len(level) - 1, 2):
            greater = Signal.like(level[0], name=f"{name}_{stage}_{at}")
            m.d.comb += greater.eq(Mux(level[at] < level[at + 1], level[at + 1], level[at]))
            above.append(greater)
        level = above + (level[-1:] if len(level) % 2 else [])
        stage += 1
    return level[0]


class Tiles(wiring.Component):
    """Holds the tiles of b: a bank for each place of a beat that a lane may get.

    Ports:
        write: ``beat`` enters the tile ``write_place`` as its group ``write_group``.
        place: The tile that is read.
        group, bank: Per lane which word of which of its banks, as in ``DealtLane``.
        b: Per PE and lane, one clock later; 0 in an empty slot.
    """

    def __init__(self, spec: DealtColumnSpec) -> None:
        self.spec = spec
        self.places = [lane_places(spec, lane) for lane in range(spec.pe.lanes)]
        b = operand_shape(spec.pe.b)
        width = group_width(spec)
        super().__init__(
            {
                "write": In(1),
                "write_place": In(1),
                "write_group": In(width),
                "beat": In(ArrayLayout(ArrayLayout(b, spec.pes), spec.beat)),
                "place": In(1),
                "group": In(ArrayLayout(width, spec.pe.lanes)),
                "bank": In(ArrayLayout(max(map(len, self.places)), spec.pe.lanes)),
                "b": Out(ArrayLayout(ArrayLayout(b, spec.pe.lanes), spec.pes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the banks and selectors."""
        m = Module()
        for lane, places in enumerate(self.places):
            words = []
            for number, place in enumerate(places):
                select = self.bank[lane][number]
                is_selected = Signal(name=f"is_selected_{lane}_{place}")
                m.d.sync += is_selected.eq(select)
                data = self._bank(m, lane, place, select)
                words.append(data & is_selected.replicate(len(data)))
            word = Signal(ArrayLayout(operand_shape(self.spec.pe.b), self.spec.pes))
            m.d.comb += word.as_value().eq(any_of(words))
            m.d.comb += [self.b[pe][lane].eq(word[pe]) for pe in range(self.spec.pes)]
        return m

    def _bank(self, m: Module, lane: int, place: int, select: Value) -> Value:
        """Place one memory; return the word that it reads."""
        spec = self.spec
        tiles = 2 if spec.double_buffer else 1
        width = self.spec.pes * spec.pe.b.width
        bank = Memory(shape=width, depth=tiles << group_width(spec), init=[])
        m.submodules[f"bank_{lane}_{place}"] = bank
        write, read = bank.write_port(), bank.read_port()
        tile_bits = tiles - 1
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(Cat(self.write_group, self.write_place[:tile_bits])),
            write.data.eq(self.beat[place].as_value()),
            read.en.eq(select),
            read.addr.eq(Cat(self.group[lane], self.place[:tile_bits])),
        ]
        return read.data

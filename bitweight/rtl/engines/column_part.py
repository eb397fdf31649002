"""One column: row buffers, lists of digits, hopping PEs with their b, and the adder.

Everything that runs at the column's own pace is in here; what columns share is in
``rtl.engines.column``.
"""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import Part
from bitweight.rtl.engines.column_adder import ColumnAdder, pass_layout
from bitweight.rtl.pe.digit import LIST_INPUTS, DigitList
from bitweight.rtl.wires import any_of, delay, operand_shape
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.pe.digit import GROUP

PLACE_BITS = (GROUP - 1).bit_length()


class _Group(NamedTuple):
    """The group that a lane has fetched, and the last one that it listed."""

    valid: Signal
    codes: Value
    digit: Signal
    row: Signal
    empty: Signal
    is_last: Signal
    take: Signal
    ends: Signal
    listed_last: Signal
    listed_digit: Signal


class ColumnPart(wiring.Component):
    """A column of digit PEs.

    Ports:
        a, a_write, a_row: A group of codes for the row buffer, one write bit per lane.
        b, b_write, b_address: One b for each PE, one write bit per lane.
        usable: Which row buffers may be fetched from.
        last_group, b_half: Per row buffer, its last group and where its b stands.
        flush: Clear the PEs; no pass ends.
        start: Start the row whose first groups have been fetched.
        fresh, closes, slot, result: Of the row that runs: whether it starts and ends its sums,
            and where they and its results stand.
        fetched: The first groups of the next row are there.
        idle: No row runs, or this is the last clock of one.
        result_row, place, read, data: Result to read, one clock before its data.
        complete: A row of results is complete.
    """

    def __init__(self, spec: ColumnSpec, pe: Part) -> None:
        self.spec = spec
        self.pe = pe
        known = pass_layout(spec)
        row = spec.row_bits
        self.row_buffers = [
            Memory(shape=ArrayLayout(operand_shape(spec.pe.a), GROUP), depth=1 << row, init=[])
            for _ in range(spec.pe.lanes)
        ]
        ports: dict[str, Any] = {
            "a": In(ArrayLayout(operand_shape(spec.pe.a), GROUP)),
            "a_write": In(spec.pe.lanes),
            "a_row": In(row),
            "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.pes)),
            "b_write": In(spec.pe.lanes),
            "b_address": In(row + PLACE_BITS),
            "usable": In(2),
            "last_group": In(ArrayLayout(range(spec.k_depth // GROUP), 2)),
            "b_half": In(2),
            "flush": In(1),
            "start": In(1),
            "fresh": In(1),
            "closes": In(1),
            "slot": In(max(1, known["slot"].width)),
            "result": In(max(1, known["result"].width)),
            "fetched": Out(1),
            "idle": Out(1),
            "result_row": In(range(max(2, spec.c_depth))),
            "place": In(range(max(2, spec.pes))),
            "read": In(1),
            "data": Out(Shape(spec.pe.acc_width, True)),
            "complete": Out(1),
        }
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the column."""
        m = Module()
        spec = self.spec
        m.submodules.adder = adder = ColumnAdder(spec)
        groups = [self._fetch(m, lane) for lane in range(spec.pe.lanes)]
        ends_pass = self._sequence(m, groups)
        stages = [ends_pass, *(Signal(name=f"ends_pass_{stage}") for stage in range(3))]
        tags = [
            ends_pass | self.flush,
            *(Signal(reset_less=True, name=f"ended_{stage}") for stage in range(3)),
        ]
        for stage in range(3):
            m.d.sync += [stages[stage + 1].eq(stages[stage]), tags[stage + 1].eq(tags[stage])]
        m.d.comb += adder.start.eq(stages[-1])
        self._note_pass(m, ends_pass, groups[0], adder)
        self._place_pes(m, groups, tags[-1], adder)
        m.d.comb += [
            adder.result.eq(self.result_row),
            adder.place.eq(self.place),
            adder.read.eq(self.read),
            self.data.eq(adder.data),
            self.complete.eq(adder.complete),
        ]
        return m

    def _fetch(self, m: Module, lane: int) -> _Group:
        """Fetch a lane's groups ahead of its list: all of them for each digit, row after row."""
        pe = self.spec.pe
        m.submodules[f"row_buffer_{lane}"] = memory = self.row_buffers[lane]
        write, read = memory.write_port(), memory.read_port()
        half = Signal(name=f"half_{lane}")
        row = Signal(self.spec.row_bits - 1, name=f"row_{lane}")
        digit = Signal(range(max(2, pe.digits)), name=f"digit_{lane}")
        group = _Group(
            valid=Signal(name=f"valid_{lane}"),
            codes=read.data,
            digit=Signal.like(digit, reset_less=True, name=f"fetched_digit_{lane}"),
            row=Signal(pe.row_bits, reset_less=True, name=f"fetched_row_{lane}"),
            empty=Signal(reset_less=True, name=f"empty_{lane}"),
            is_last=Signal(reset_less=True, name=f"is_last_{lane}"),
            take=Signal(name=f"take_{lane}"),
            ends=Signal(name=f"ends_{lane}"),
            listed_last=Signal(reset_less=True, name=f"listed_last_{lane}"),
            listed_digit=Signal.like(digit, reset_less=True, name=f"listed_digit_{lane}"),
        )
        fetch = Signal(name=f"fetch_{lane}")
        is_empty, is_last = self._extent(m, lane, half, row)
        m.d.comb += [
            write.en.eq(self.a_write[lane]),
            write.addr.eq(self.a_row),
            write.data.eq(self.a),
            fetch.eq(self.usable.bit_select(half, 1) & (~group.valid | group.take)),
            read.en.eq(fetch),
            read.addr.eq(Cat(row, half)),
        ]
        m.d.sync += group.valid.eq(fetch | (group.valid & ~group.take))
        with m.If(group.take):
            m.d.sync += [group.listed_last.eq(group.is_last), group.listed_digit.eq(group.digit)]
        with m.If(fetch):
            m.d.sync += [
                group.digit.eq(digit),
                group.row.eq(Cat(row, self.b_half.bit_select(half, 1))),
                group.empty.eq(is_empty),
                group.is_last.eq(is_last),
                row.eq(Mux(is_last, 0, row + 1)),
            ]
            with m.If(is_last):
                is_last_digit = digit == pe.digits - 1
                m.d.sync += [
                    digit.eq(Mux(is_last_digit, 0, digit + 1)),
                    half.eq(half ^ is_last_digit),
                ]
        return group

    def _extent(self, m: Module, lane: int, half: Value, row: Value) -> tuple[Value, Value]:
        """Return whether a lane has no groups in this fold, and whether ``row`` is its last."""
        bits = (self.spec.pe.lanes - 1).bit_length()
        last_group = Signal(range(self.spec.k_depth // GROUP), name=f"last_group_{lane}")
        m.d.comb += last_group.eq(Mux(half, self.last_group[1], self.last_group[0]))
        last_row, last_lane = last_group[bits:], last_group[:bits]
        is_short = Signal(name=f"is_short_{lane}")
        if lane:  # lane 0 always has as many groups as any
            m.d.comb += is_short.eq(last_lane < lane)
        is_empty = is_short & (last_row == 0)
        return is_empty, is_empty | (row == (last_row - is_short)[: len(last_row)])

    def _sequence(self, m: Module, groups: list[_Group]) -> Signal:
        """Walk passes; return whether this clock is a pass's last."""
        spec = self.spec
        busy = Signal()
        issued = Signal(range(spec.min_pass))
        ends_pass, ends_row, starts_pass = Signal(), Signal(), Signal()
        are_listed = Cat(group.listed_last & group.ends for group in groups).all()
        is_long = issued == spec.min_pass - 1
        m.d.comb += [
            ends_pass.eq(busy & are_listed & is_long),
            ends_row.eq(ends_pass & (groups[0].listed_digit == spec.pe.digits - 1)),
            starts_pass.eq(self.start | (ends_pass & ~ends_row)),
            self.idle.eq(~busy | ends_row),
            self.fetched.eq(Cat(group.valid for group in groups).all()),
        ]
        for group in groups:
            goes_on = busy & group.ends & ~group.listed_last
            m.d.comb += group.take.eq(starts_pass | goes_on)
        m.d.sync += busy.eq(self.start | (busy & ~ends_row))
        with m.If(starts_pass):
            m.d.sync += issued.eq(0)
        with m.Elif(~is_long):
            m.d.sync += issued.eq(issued + 1)
        return ends_pass

    def _note_pass(self, m: Module, ends_pass: Value, group: _Group, adder: ColumnAdder) -> None:
        """Keep what the adder must know of a pass until its first PE is read."""
        done = Signal(pass_layout(self.spec), reset_less=True)
        clocks = Signal.like(done.clocks, reset_less=True, name="clocks")
        m.d.sync += clocks.eq(Mux(ends_pass | self.flush, 0, clocks + 1))
        with m.If(ends_pass):
            m.d.sync += [
                done.clocks.eq(clocks + 1),
                done.digit.eq(group.listed_digit),
                done.fresh.eq(self.fresh & (group.listed_digit == 0)),
                done.closes.eq(self.closes & (group.listed_digit == self.spec.pe.digits - 1)),
                done.slot.eq(self.slot),
                done.result.eq(self.result),
            ]
        m.d.comb += adder.done.eq(done)

    def _place_pes(self, m: Module, groups: list[_Group], ended: Value, adder: ColumnAdder) -> None:
        """Place the PEs one behind the other, and gate the pair of the one that is read."""
        spec = self.spec
        pairs: dict[str, list[Value]] = {word: [] for word in spec.pe.words}
        place = self._own_lists(m, groups) if spec.pe.own_encoder else self._shared_lists(m, groups)
        for number in range(spec.pes):
            outputs = {
                "ended_next": Signal(name=f"ended_pe_{number}"),
                **{
                    word: Signal(spec.pe.sum_width, name=f"{word}_{number}")
                    for word in spec.pe.words
                },
            }
            place(number, {"ended": ended, **outputs})
            ended = outputs["ended_next"]
            for word, gated in pairs.items():
                gated.append(outputs[word] & ended.replicate(spec.pe.sum_width))
        m.d.comb += [getattr(adder, word).eq(any_of(gated)) for word, gated in pairs.items()]

    def _shared_lists(self, m: Module, groups: list[_Group]) -> Any:
        """Build one list per lane; return what places a PE behind the one before."""
        spec = self.spec
        lists = [DigitList(spec.pe) for _ in groups]
        for lane, (digits, group) in enumerate(zip(lists, groups, strict=True)):
            m.submodules[f"list_{lane}"] = digits
            m.d.comb += [getattr(digits, name).eq(getattr(group, name)) for name in LIST_INPUTS]
            m.d.comb += group.ends.eq(digits.ends)
        lines: dict[str, Value] = {
            line: Cat(getattr(digits, line) for digits in lists) for line in spec.pe.lines
        }
        addresses: list[Value] = [digits.address for digits in lists]

        def place(number: int, connections: dict[str, Value]) -> None:
            b = Signal(self.pe.component.b.shape(), name=f"b_{number}")
            for lane, address in enumerate(addresses):
                m.d.comb += b[lane].eq(self._bank(m, number, lane, address))
                addresses[lane] = delay(m, address, 1, f"address_{number}_{lane}")
            hops = {line: Signal(len(groups), name=f"{line}_{number}") for line in lines}
            m.submodules[f"pe_{number}"] = self.pe.place(
                b=b, **lines, **{f"{line}_next": hop for line, hop in hops.items()}, **connections
            )
            lines.update(hops)

        return place

    def _own_lists(self, m: Module, groups: list[_Group]) -> Any:
        """Return what places a PE with a list of its own; the first one's sets the pace."""
        (group,) = groups
        inputs: dict[str, Value] = {name: getattr(group, name) for name in LIST_INPUTS}

        def place(number: int, connections: dict[str, Value]) -> None:
            listed = self.pe.component
            b = Signal(listed.b.shape(), name=f"b_{number}")
            address = Signal(listed.address.shape(), name=f"address_{number}")
            ends = Signal(name=f"ends_pe_{number}")
            hops = {
                name: Signal(getattr(listed, name).shape(), name=f"{name}_{number}")
                for name in LIST_INPUTS
            }
            m.d.comb += b[0].eq(self._bank(m, number, 0, address))
            m.submodules[f"pe_{number}"] = self.pe.place(
                b=b,
                address=address,
                ends=ends,
                **inputs,
                **{f"{name}_next": hop for name, hop in hops.items()},
                **connections,
            )
            if number == 0:
                m.d.comb += group.ends.eq(ends)
            inputs.update(hops)

        return place

    def _bank(self, m: Module, number: int, lane: int, address: Value) -> Value:
        """Build the b of one PE and lane; return what it reads at ``address``."""
        bits = self.spec.row_bits - (not self.spec.double_buffer) + PLACE_BITS
        memory = Memory(shape=operand_shape(self.spec.pe.b), depth=1 << bits, init=[])
        m.submodules[f"b_{number}_{lane}"] = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.b_write[lane]),
            write.addr.eq(self.b_address),
            write.data.eq(self.b[number]),
            read.addr.eq(address),
        ]
        return read.data

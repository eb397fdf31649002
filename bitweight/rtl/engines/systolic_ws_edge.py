"""The bottom edge of the weight-stationary array: accumulators along k, and the way out.

Columns come one clock after each other, so what a row of a is for moves along them in one pipeline
of tags and addresses: stage ``j`` reads column j's memory, stage ``j + 1`` adds the column's sum,
stage ``j + 2`` writes memory or result buffer. Results leave the buffers as whole rows.
"""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import delay, resolved, result_shape
from bitweight.sim.engines.systolic_ws import SystolicWsSpec


class _Stage(NamedTuple):
    """What the row of a at one stage of the pipeline is for."""

    stores: Value  # its sums go to memory
    ends: Value  # its sums go to the result buffer
    adds: Value  # memory is added to its sums
    row: Value  # address in the memory
    slot: Value  # address in the result buffer


class SystolicWsEdge(wiring.Component):
    """Accumulators and result buffers, one of each per column.

    Ports:
        starts: A tile's first row of a enters the array.
        stores: A row of a enters whose sums stay.
        ends: A row of a enters whose sums, with those before, are results.
        adds: The row's fold has sums in memory.
        words: Per column the words at the array's bottom.
        full: No room for the results of another row.
        empty: No results are due.
        c: Resolved rows.
    """

    def __init__(self, spec: SystolicWsSpec) -> None:
        self.spec = spec
        words = ArrayLayout(spec.chain.width, len(spec.chain.words))
        super().__init__(
            {
                "starts": In(1),
                "stores": In(1),
                "ends": In(1),
                "adds": In(1),
                "words": In(ArrayLayout(words, spec.cols)),
                "full": Out(1),
                "empty": Out(1),
                "c": Out(stream.Signature(ArrayLayout(result_shape(spec), spec.cols))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the edge."""
        m = Module()
        stages = self._stages(m)
        reads = self._read_rows(m, stages[-1].ends)
        for j in range(self.spec.cols):
            total = self._accumulate(m, j, stages[j : j + 3])
            self._buffer(m, j, total, stages[j + 2], reads)
        return m

    def _stages(self, m: Module) -> list[_Stage]:
        """Delay the tags until column 0's sum comes; count addresses there; pass all on."""
        latency = self.spec.sum_latency
        early = {
            name: _delay_tag(m, getattr(self, name), latency - 1, f"{name}_early")
            for name in ("starts", "stores", "ends", "adds")
        }
        row = Signal(range(self.spec.acc_depth), reset_less=True)
        slot = Signal(range(self.spec.result_depth))
        stores, ends, adds = (
            _delay_tag(m, early[tag], 1, f"{tag}_0") for tag in ("stores", "ends", "adds")
        )
        with m.If(early["stores"] | early["ends"]):
            m.d.sync += row.eq(Mux(early["starts"], 0, row + 1))
        with m.If(ends):
            m.d.sync += slot.eq(_after(slot, self.spec.result_depth))
        stages = [_Stage(stores=stores, ends=ends, adds=adds, row=row, slot=slot)]
        for number in range(1, self.spec.cols + 2):
            stage = stages[-1]
            stages.append(
                _Stage(
                    stores=_delay_tag(m, stage.stores, 1, f"stores_{number}"),
                    ends=_delay_tag(m, stage.ends, 1, f"ends_{number}"),
                    adds=_delay_tag(m, stage.adds, 1, f"adds_{number}"),
                    row=delay(m, stage.row, 1, f"row_{number}"),
                    slot=delay(m, stage.slot, 1, f"slot_{number}"),
                )
            )
        return stages

    def _accumulate(self, m: Module, j: int, stages: list[_Stage]) -> Signal:
        """Add column ``j``'s sum to its memory; return the register of the total."""
        spec = self.spec
        reads, adds, writes = stages
        memory = Memory(shape=Shape(spec.pe.acc_width, True), depth=spec.acc_depth, init=[])
        m.submodules[f"memory_{j}"] = memory
        write, read = memory.write_port(), memory.read_port()
        partial = Signal(Shape(spec.chain.width, True), reset_less=True, name=f"partial_{j}")
        words = [self.words[j][word] for word in range(len(spec.chain.words))]
        domain = m.d.sync if spec.pe.resolve_latency else m.d.comb
        domain += partial.eq(sum(words[1:], words[0]))
        total = Signal(Shape(spec.pe.acc_width, True), reset_less=True, name=f"total_{j}")
        kept = (read.data & adds.adds.replicate(spec.pe.acc_width)).as_signed()
        m.d.sync += total.eq(kept + partial)
        m.d.comb += [
            read.addr.eq(reads.row),
            read.en.eq(reads.adds),
            write.addr.eq(writes.row),
            write.data.eq(total),
            write.en.eq(writes.stores),
        ]
        return total

    def _buffer(
        self, m: Module, j: int, total: Signal, stage: _Stage, reads: tuple[Value, Value]
    ) -> None:
        """Write column ``j``'s results to its buffer, and read them with the other columns'."""
        spec = self.spec
        buffer = Memory(shape=result_shape(spec), depth=spec.result_depth, init=[])
        m.submodules[f"buffer_{j}"] = buffer
        write_port, read_port = buffer.write_port(), buffer.read_port()
        m.d.comb += [
            write_port.addr.eq(stage.slot),
            write_port.data.eq(resolved(m, spec, [total], f"result_{j}")),
            write_port.en.eq(stage.ends),
            read_port.en.eq(reads[0]),
            read_port.addr.eq(reads[1]),
            self.c.payload[j].eq(read_port.data),
        ]

    def _read_rows(self, m: Module, written: Value) -> tuple[Value, Value]:
        """Read rows that the last column has written; return read enable and address."""
        depth = self.spec.result_depth
        due, waiting = Signal(range(depth + 1)), Signal(range(depth + 1))
        read, reading = Signal(), Signal(range(depth))
        is_free = ~self.c.valid | self.c.ready
        m.d.comb += [
            read.eq((waiting != 0) & is_free),
            self.full.eq(due == depth),
            self.empty.eq(due == 0),
        ]
        m.d.sync += [
            due.eq(due + self.ends - (self.c.valid & self.c.ready)),
            waiting.eq(waiting + written - read),
        ]
        with m.If(read):
            m.d.sync += reading.eq(_after(reading, depth))
        with m.If(is_free):
            m.d.sync += self.c.valid.eq(read)
        return read, reading


def _after(address: Signal, depth: int) -> Value:
    return Mux(address == depth - 1, 0, address + 1)


def _delay_tag(m: Module, tag: Value, clocks: int, name: str) -> Value:
    """Return ``tag`` ``clocks`` edges later; it must not appear out of nowhere."""
    for stage in range(clocks):
        register = Signal(name=f"{name}_{stage}")
        m.d.sync += register.eq(tag)
        tag = register
    return tag

"""Parts of a datapath in Amaranth's simulator, and values as the bits of their ports."""

from collections.abc import Iterator, Sequence
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import Layout
from amaranth.sim import Simulator


def play(part: Any, inputs: Sequence[dict[str, int]], output: str, latency: int) -> list[int]:
    """Apply one input a clock; return the output's bits, ``latency`` edges later."""
    found = []

    async def bench(context: Any) -> None:
        for clock in range(len(inputs) + latency):
            for name, value in inputs[min(clock, len(inputs) - 1)].items():
                context.set(Value.cast(getattr(part, name)), value)
            if latency == 0:
                await context.delay(1e-7)
            else:
                await context.tick()
            if clock >= latency - 1:
                found.append(context.get(Value.cast(getattr(part, output))))

    class Clocked(wiring.Component):
        """The part, and a clock even if it has no registers."""

        def __init__(self) -> None:
            super().__init__({})

        def elaborate(self, platform: object) -> Any:
            m = Module()
            m.submodules.part = part
            m.d.sync += Signal(name="ticking").eq(1)
            return m

    simulator = Simulator(Clocked())
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found[: len(inputs)]


def packed_bits(values: Sequence[int], width: int) -> int:
    total = 0
    for at, value in enumerate(values):
        total |= (value & ((1 << width) - 1)) << (at * width)
    return total


def layout_bits(port: Any, values: Sequence[int]) -> int:
    """Pack one value per field of a port's layout, in the order of the fields."""
    total = 0
    for (offset, width), value in zip(places(port.shape()), values, strict=True):
        total |= (value & ((1 << width) - 1)) << offset
    return total


def places(layout: Any, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield offset and width of every field of a layout, also of layouts inside it."""
    for _key, field in layout:
        if isinstance(field.shape, Layout):
            yield from places(field.shape, start + field.offset)
        else:
            yield start + field.offset, field.width

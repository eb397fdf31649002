"""Parts of every datapath in Amaranth's simulator: the model's values, the spec's edges later."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from bitweight.rtl.datapath import cell, column_part, row_part
from bitweight.sim import DATAPATHS
from bitweight.sim.datapath import contribute, decode, draw, prepare, side, units

BEATS = 24


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
    fields = [field for _key, field in port.shape()]
    assert len(fields) == len(values), (len(fields), len(values))
    for field, value in zip(fields, values, strict=True):
        total |= (value & ((1 << field.width) - 1)) << field.offset
    return total


def beats_of(name: str) -> tuple[Any, list[list[int]], list[list[int]], list[list[int]]]:
    """Return activations, units and side integers of some drawn beats."""
    pe: Any = DATAPATHS[name].pe
    rng = np.random.default_rng(5)
    k = pe.k_multiple * max(1, BEATS * pe.walk.chunk // len(pe.walk.lanes) // pe.k_multiple)
    packed = draw(pe, rng, k=k, n=1)
    words, integers = units(pe, packed)[:, 0], side(pe, packed)
    lanes = len(pe.walk.lanes[0])
    x = rng.choice([pe.a.min, pe.a.max, 0, 1, -1 if pe.a.signed else 2], (len(words), lanes))
    beside = [
        integers[beat // pe.side_beats, 0].tolist() if pe.side_beats else []
        for beat in range(len(words))
    ]
    return pe, x.tolist(), words.tolist(), beside


@pytest.mark.parametrize("name", [n for n, d in DATAPATHS.items() if d.pe.interval == 1])
def test_parts_answer_as_the_model_after_their_latency(name: str) -> None:
    pe, x, words, beside = beats_of(name)
    tails = [False, *([True] if pe.walk.tail else [])]
    rows = [prepare(pe, beat) for beat in x]
    row_part_ = row_part(pe)
    found = play(
        row_part_, [{"x": packed_bits(beat, pe.a.width)} for beat in x], "out", pe.row_latency
    )
    assert found == [layout_bits(row_part_.out, row) for row in rows]
    for is_tail in tails:
        columns = [
            decode(pe, unit, integers, is_tail=is_tail)
            for unit, integers in zip(words, beside, strict=True)
        ]
        part = column_part(pe)
        inputs = [
            {
                "units": packed_bits(unit, pe.unit_bits),
                **({"side": packed_bits(integers, pe.side_bits)} if pe.side_beats else {}),
                **({"tail": int(is_tail)} if pe.walk.tail else {}),
            }
            for unit, integers in zip(words, beside, strict=True)
        ]
        found = play(part, inputs, "out", pe.column_latency)
        assert found == [layout_bits(part.out, column) for column in columns]
        check_cell(pe, rows, columns)


def check_cell(pe: Any, rows: list[Any], columns: list[Any]) -> None:
    """Accumulate all beats, starting anew at every fifth."""
    part = cell(pe)
    inputs, wanted, total = [], [], [0] * pe.planes
    for beat, (row, column) in enumerate(zip(rows, columns, strict=True)):
        is_first = beat % 5 == 0
        inputs.append(
            {
                "row": layout_bits(part.row, row),
                "column": layout_bits(part.column, column),
                "first": int(is_first),
            }
        )
        added = contribute(pe, row, column)
        total = [(0 if is_first else old) + new for old, new in zip(total, added, strict=True)]
        wanted.append(packed_bits(total, pe.acc_width))
    assert play(part, inputs, "acc", pe.cell_latency) == wanted

"""Parts of every datapath in Amaranth's simulator: the model's values, the spec's edges later."""

from typing import Any

import numpy as np
import pytest
from parts import layout_bits, packed_bits, play

from bitweight.rtl.datapath import cell, column_part, row_part
from bitweight.sim import DATAPATHS
from bitweight.sim.datapath import contribute, decode, draw, prepare, settle, side, units
from bitweight.verify.plan import switches

BEATS = 24
VARIANTS = {
    f"{name} {setting}".rstrip(): pe
    for name, spec in DATAPATHS.items()
    for setting, pe in [("", spec.pe), *switches(spec.pe)]
    if pe.walk.interval == 1
}


def beats_of(pe: Any) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Return activations, units and side integers of some drawn beats."""
    rng = np.random.default_rng(5)
    step = pe.walk.k_multiple
    k = step * max(1, BEATS * pe.walk.chunk // len(pe.walk.lanes) // step)
    packed = draw(pe, rng, k=k, n=(pe.side.sets if pe.side else 0) or 1)
    words, integers = units(pe, packed)[:, 0], side(pe, packed)
    lanes = len(pe.walk.lanes[0])
    x = rng.choice([pe.a.min, pe.a.max, 0, 1, -1 if pe.a.signed else 2], (len(words), lanes))
    beside = [
        integers[beat // pe.side.beats, 0].tolist() if pe.side else [] for beat in range(len(words))
    ]
    return x.tolist(), words.tolist(), beside


@pytest.mark.parametrize("variant", VARIANTS)
def test_parts_answer_as_the_model_after_their_latency(variant: str) -> None:
    pe = VARIANTS[variant]
    x, words, beside = beats_of(pe)
    tails = [False, *([True] if pe.walk.tail else [])]
    rows = [prepare(pe, beat) for beat in x]
    row_part_ = row_part(pe)
    found = play(
        row_part_, [{"x": packed_bits(beat, pe.a.width)} for beat in x], "out", pe.row_part.latency
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
                **({"side": packed_bits(integers, pe.side.bits)} if pe.side else {}),
                **({"tail": int(is_tail)} if pe.walk.tail else {}),
            }
            for unit, integers in zip(words, beside, strict=True)
        ]
        found = play(part, inputs, "out", pe.column_part.latency)
        assert found == [layout_bits(part.out, column) for column in columns]
        check_cell(pe, rows, columns)


def check_cell(pe: Any, rows: list[Any], columns: list[Any]) -> None:
    """Accumulate all beats, starting anew at every fifth."""
    part = cell(pe)
    inputs, wanted = [], []
    sums: list[int] = []
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
        before = [0] * len(added) if is_first else sums
        sums = [old + new for old, new in zip(before, added, strict=True)]
        wanted.append(packed_bits(settle(pe, sums), pe.acc_width))
    assert play(part, inputs, "acc", pe.cell.latency) == wanted

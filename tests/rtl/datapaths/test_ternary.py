"""RTL of the ternary datapaths where drawn beats do not lead: lanes that wrap, every index."""

from typing import Any

import numpy as np
from parts import layout_bits, packed_bits, play

from bitweight.rtl.datapath import cell, column_part, row_part
from bitweight.sim.datapath import contribute, decode, prepare, settle
from bitweight.sim.datapaths.i2_s import I2SSpec, LaneSums
from bitweight.sim.datapaths.tl1 import Tl1Spec
from bitweight.sim.datapaths.tl2 import Tl2Spec
from bitweight.workloads.formats import INT8


def test_lanes_of_16_bits_wrap_as_in_the_model() -> None:
    pe = I2SSpec(lane_sums=LaneSums.INT16)
    part = cell(pe)
    # 40 blocks of all ones: a lane holds 2,032 more each, and wraps with the 17th and the 33rd.
    row, column = prepare(pe, [127] * 128), [2] * 128
    inputs = [
        {
            "row": layout_bits(part.row, row),
            "column": layout_bits(part.column, column),
            "first": int(beat == 0),
        }
        for beat in range(40)
    ]
    added = contribute(pe, row, column)
    totals = [settle(pe, [beat * value for value in added])[0] for beat in range(1, 41)]
    assert np.sign(totals[14:18]).tolist() == [1, 1, -1, -1]
    assert np.diff(totals).tolist().count(16 * 2032 - 128 * 127) == 38
    found = play(part, inputs, "acc", pe.cell.latency)
    assert found == [packed_bits([total], pe.acc_width) for total in totals]


def looked_up(pe: Any, units: list[list[int]], *, is_tail: bool = False) -> None:
    """Play beats of units with the greatest activations, of either sign, through all parts."""
    for codes in ((pe.a.max, pe.a.min, pe.a.max), (pe.a.min, pe.a.min, pe.a.min)):
        x = [codes[lane % 3] for lane in range(len(pe.walk.lanes[0]))]
        rows, columns, wanted = [], [], []
        for beat in units:
            rows.append(prepare(pe, x))
            columns.append(decode(pe, beat, [], is_tail=is_tail))
            wanted.append(packed_bits(contribute(pe, rows[-1], columns[-1]), pe.acc_width))
        tag = {"tail": int(is_tail)} if pe.walk.tail else {}
        parts = row_part(pe), column_part(pe), cell(pe)
        found = play(parts[0], [{"x": packed_bits(x, pe.a.width)}] * 2, "out", pe.row_part.latency)
        assert found[0] == layout_bits(parts[0].out, rows[0])
        inputs = [{"units": packed_bits(beat, pe.unit_bits), **tag} for beat in units]
        found = play(parts[1], inputs, "out", pe.column_part.latency)
        assert found == [layout_bits(parts[1].out, column) for column in columns]
        inputs = [
            {
                "row": layout_bits(parts[2].row, row),
                "column": layout_bits(parts[2].column, column),
                "first": 1,
            }
            for row, column in zip(rows, columns, strict=True)
        ]
        assert play(parts[2], inputs, "acc", pe.cell.latency) == wanted


def test_every_index_of_tl1_adds_its_entry_at_the_ends() -> None:
    for pe in (Tl1Spec(), Tl1Spec(a=INT8)):
        looked_up(pe, [[index << 4 | index] * 4 for index in range(9)])


def test_every_index_and_sign_of_tl2_adds_its_entry_at_the_ends() -> None:
    nibbles = [sum(index << 4 * at for at in range(8)) for index in range(14)]
    for pe in (Tl2Spec(), Tl2Spec(a=INT8)):
        looked_up(pe, [[word | sign << 32] for word in nibbles for sign in (0, 0x5A, 0xFF)])
        looked_up(pe, [[word] for word in nibbles[:9]], is_tail=True)

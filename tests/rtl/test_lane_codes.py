"""Every lane decoder in Amaranth's simulator, over every code and side integer there is."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from parts import packed_bits, play

from bitweight.rtl.lane_codes import lane_weight
from bitweight.sim.lane_codes import LaneCodes, lane_codes
from bitweight.workloads.weight_formats import FORMATS


class Lane(wiring.Component):
    """One lane's decoder."""

    def __init__(self, form: Any, lane: LaneCodes) -> None:
        self.form = form
        self.lane = lane
        super().__init__({"code": In(lane.bits), "side": In(16), "weight": Out(lane.weights.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        side = [self.side[:8], self.side[8:]]
        m.d.comb += self.weight.eq(Cat(lane_weight(self.form, m, self.code, side, "decoded")))
        return m


@pytest.mark.parametrize("name", ["nf2", "nf3", "nf4", "i2_s", "trit_nine", "int8", "int4"])
def test_every_code_decodes_as_in_the_model(name: str) -> None:
    form = FORMATS[name]
    lane = lane_codes(form)
    codes = [
        code
        for code in range(1 << lane.bits)
        if lane.weights.min <= lane.decode(code, ()) <= lane.weights.max
    ]
    found = play(Lane(form, lane), [{"code": code, "side": 0} for code in codes], "weight", 0)
    assert found == [lane.decode(code, ()) & lane.weights.mask for code in codes]
    assert len(codes) >= 3


def test_every_dual_grained_code_decodes_as_in_the_model() -> None:
    form = FORMATS["dual_grained"]
    lane = lane_codes(form)
    cases = [
        (code, s2, z)
        for code in range(16)
        for z in range(16)
        for s2 in (1, 2, 8, 9, 63, 127)
        if abs((code - z) * s2) <= 127
    ]
    inputs = [{"code": code, "side": packed_bits([s2, z], 8)} for code, s2, z in cases]
    found = play(Lane(form, lane), inputs, "weight", 0)
    assert found == [lane.decode(code, (s2, z)) & 255 for code, s2, z in cases]

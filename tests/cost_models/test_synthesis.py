"""Synthesis against a library of five cells whose areas are added by hand."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from bitweight.cost_models import synthesis
from bitweight.cost_models.cell_library import CellLibrary, read_library
from bitweight.cost_models.fanout import limit_fanout
from bitweight.cost_models.measurements import Memory
from bitweight.cost_models.recipes import RECIPES, recipe_named
from bitweight.cost_models.synthesis import Source, SynthesisError, blocks, synthesise

FIVE_CELLS = Path(__file__).parents[1] / "data" / "five_cells.lib"
AMAP = recipe_named("brent_kung/amap/small")
NF = recipe_named("brent_kung/nf/small")
INVERTED = """
module top(input clk, input a, output q);
  reg x, y;
  always @(posedge clk) begin x <= a; y <= ~x; end
  assign q = y;
endmodule
"""
PAIR = """
module leaf(input clk, input a, output reg q);
  always @(posedge clk) q <= ~a;
endmodule
module middle(input clk, input a, output q);
  wire w;
  leaf one(.clk(clk), .a(a), .q(w));
  leaf two(.clk(clk), .a(w), .q(q));
endmodule
module top(input clk, input a, output q);
  middle only(.clk(clk), .a(a), .q(q));
endmodule
"""
STORE = """
module top(input clk, input [4:0] ra, input [4:0] wa, input we, input [3:0] d, output reg [3:0] q);
  reg [3:0] words [31:0];
  always @(posedge clk) begin
    q <= words[ra];
    if (we) words[wa] <= d;
  end
endmodule
"""


@pytest.fixture(scope="module")
def library() -> CellLibrary:
    return read_library([FIVE_CELLS])


def test_two_flip_flops_and_an_inverter_are_21_square_micrometres(
    library: CellLibrary, tmp_path: Path
) -> None:
    (netlist,) = synthesise(Source(verilog=INVERTED, top="top"), library, [AMAP], tmp_path)
    (block,) = netlist.blocks
    assert block.area_um2 == 2 * 10 + 1
    assert block.leakage_uw == pytest.approx((2 * 5 + 1) / 1000)
    assert (block.cells, block.flip_flops, block.instances) == (3, 2, 1)


def test_kept_modules_are_blocks_and_others_are_flattened(
    library: CellLibrary, tmp_path: Path
) -> None:
    source = Source(verilog=PAIR, top="top", keep=frozenset({"leaf"}))
    (netlist,) = synthesise(source, library, [AMAP], tmp_path)
    assert [(b.module, b.instances, b.area_um2) for b in netlist.blocks] == [
        ("top", 1, 0),
        ("leaf", 2, 11),
    ]


def test_a_memory_stays_a_black_box_named_by_its_size(library: CellLibrary, tmp_path: Path) -> None:
    memory = Memory(module="top", words=32, width=4, copies=1)
    source = Source(verilog=STORE, top="top", memories=(memory,))
    (netlist,) = synthesise(source, library, [AMAP], tmp_path)
    assert netlist.blocks[0].flip_flops == 0
    assert re.findall(r"memory_\d+x\d+", netlist.verilog.read_text()) == ["memory_32x4"]
    (cell,) = (
        cell
        for cell in json.loads(netlist.json.read_text())["modules"]["top"]["cells"].values()
        if cell["type"] == synthesis.memory_module(memory)
    )
    assert {port: len(bits) for port, bits in cell["connections"].items()} == {
        **{"RD_CLK": 1, "RD_EN": 1, "RD_ADDR": 5, "RD_DATA": 4},
        **{"WR_CLK": 1, "WR_EN": 4, "WR_ADDR": 5, "WR_DATA": 4},
    }


def test_without_naming_it_a_memory_is_flip_flops(library: CellLibrary, tmp_path: Path) -> None:
    (netlist,) = synthesise(Source(verilog=STORE, top="top"), library, [AMAP], tmp_path)
    assert netlist.blocks[0].flip_flops >= 32 * 4


def test_structures_that_elaborate_alike_are_mapped_once(
    library: CellLibrary, tmp_path: Path
) -> None:
    recipes = [recipe for recipe in RECIPES if recipe.mapping == AMAP.mapping]
    assert len(recipes) == 5
    made = synthesise(Source(verilog=INVERTED, top="top"), library, recipes, tmp_path)
    assert [netlist.recipe for netlist in made] == recipes[:1]


def test_a_netlist_does_not_depend_on_what_was_made_beside_it(
    library: CellLibrary, tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "beside").mkdir()
    source = Source(verilog=PAIR, top="top")
    (alone,) = synthesise(source, library, [AMAP], tmp_path / "alone")
    _, beside = synthesise(source, library, [NF, AMAP], tmp_path / "beside")
    assert alone.verilog.read_text() == beside.verilog.read_text()


def test_nothing_on_the_left_of_an_assignment_is_a_concatenation(
    library: CellLibrary, tmp_path: Path
) -> None:
    text = """
module top(input clk, input [3:0] a, output [3:0] q);
  reg [3:0] r;
  always @(posedge clk) r <= a;
  assign q = {r[0], r[3:1]};
endmodule
"""
    (netlist,) = synthesise(Source(verilog=text, top="top"), library, [AMAP], tmp_path)
    assert not re.search(r"assign \{", netlist.verilog.read_text())


def test_a_register_of_many_loads_gets_a_tree_of_buffers(library: CellLibrary) -> None:
    flip_flop = {"type": "DFF", "connections": {"CK": [2], "D": [3], "Q": [4]}}
    gates = {
        f"g{i}": {
            "type": "$_NOT_",
            "port_directions": {"A": "input", "Y": "output"},
            "connections": {"A": [4], "Y": [10 + i]},
        }
        for i in range(100)
    }
    module = {"ports": {}, "netnames": {}, "cells": {"r": flip_flop, **gates}}
    assert limit_fanout({"top": module}, "top", library) == 7  # of 16 loads each, and no level more
    loads = [
        cell["connections"]["A"] for cell in module["cells"].values() if "A" in cell["connections"]
    ]
    assert max(loads.count(one) for one in loads) == 16
    few = {**module, "cells": {"r": flip_flop, **dict(list(gates.items())[:40])}}
    assert limit_fanout({"top": few}, "top", library) == 0


def test_a_register_that_leaves_through_many_ports_drives_each_by_a_buffer(
    library: CellLibrary,
) -> None:
    flip_flop = {"type": "DFF", "connections": {"CK": [2], "D": [3], "Q": [4]}}
    ports = {f"q{i}": {"direction": "output", "bits": [4]} for i in range(5)}
    leaf = {
        "ports": ports,
        "netnames": {port: {"bits": [4]} for port in ports},
        "cells": {"r": flip_flop},
    }
    top = {"ports": {}, "netnames": {}, "cells": {"l": {"type": "leaf", "connections": {}}}}
    assert limit_fanout({"leaf": leaf, "top": top}, "top", library) == 5
    bits = [tuple(leaf["ports"][port]["bits"]) for port in ports]
    assert len(set(bits)) == 5
    assert bits == [tuple(leaf["netnames"][port]["bits"]) for port in ports]


def test_a_gate_that_drives_many_others_through_modules_is_buffered(library: CellLibrary) -> None:
    gates = {f"g{i}": {"type": "INV", "connections": {"A": [2], "Y": [10 + i]}} for i in range(40)}
    leaf = {
        "ports": {"a": {"direction": "input", "bits": [2]}},
        "netnames": {},
        "cells": gates,
    }
    driver = {"type": "INV", "connections": {"A": [3], "Y": [4]}}
    inside = {"type": "leaf", "port_directions": {"a": "input"}, "connections": {"a": [4]}}
    leaves = {f"l{i}": {**inside, "connections": {"a": [4]}} for i in range(2)}
    top = {"ports": {}, "netnames": {}, "cells": {"d": driver, **leaves}}
    assert limit_fanout({"leaf": leaf, "top": top}, "top", library) == 2
    assert [one["connections"]["a"] for one in leaves.values()] != [[4], [4]]
    assert limit_fanout({"leaf": leaf, "top": {**top, "cells": {"d": driver}}}, "top", library) == 0


def test_modules_around_the_leaves_are_mapped_to_be_fast(
    library: CellLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    run = synthesis._run_yosys

    def remember(commands: Iterable[str], beside: Path) -> None:
        ran.extend(kept := list(commands))
        run([line for line in kept if "if,-g" not in line], beside)

    monkeypatch.setattr(synthesis, "_run_yosys", remember)
    source = Source(
        verilog=PAIR,
        top="top",
        keep=frozenset({"leaf", "middle"}),
        around=frozenset({"top", "middle"}),
    )
    synthesise(source, library, [recipe_named("brent_kung/amap/small+if_g2")], tmp_path)
    around, inside = [line for line in ran if line.startswith("abc ")]
    assert around.endswith(" middle top")
    assert "if,-g" in around
    assert "upsize,-D,10;" in around
    assert inside.endswith("amap,-m;topo;buffer,-c;topo;upsize,-D,1000000;dnsize,-D,1000000")


def test_a_register_whose_gates_mapping_made_many_is_buffered_after_it(
    library: CellLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
module top(input clk, input [59:0] a, output reg [59:0] q);
  reg r;
  reg [59:0] x;
  always @(posedge clk) begin r <= a[0]; x <= a; q <= x & {60{r}}; end
endmodule
"""
    calls: list[str] = []

    def not_at_first(modules: dict[str, object], top: str, cells: CellLibrary) -> int:
        calls.append(top)
        return 0 if len(calls) == 1 else limit_fanout(modules, top, cells)

    monkeypatch.setattr(synthesis, "limit_fanout", not_at_first)
    (netlist,) = synthesise(Source(verilog=text, top="top"), library, [AMAP], tmp_path)
    cells = json.loads(netlist.json.read_text())["modules"]["top"]["cells"].values()
    inputs = [
        bits[0]
        for cell in cells
        for pin, bits in cell["connections"].items()
        if pin in {"A", "B", "D"}
    ]
    assert len(calls) == 2
    assert max(inputs.count(bit) for bit in inputs) == 16
    assert netlist.verilog.read_text().count(" BUF ") == 4


def test_cells_that_were_not_mapped_are_refused(library: CellLibrary) -> None:
    module = {"cells": {"g": {"type": "$_AND_", "connections": {}}}}
    with pytest.raises(SynthesisError, match=r"Cell \$_AND_ of top must be of the library"):
        blocks({"top": module}, "top", library)


def test_verilog_that_yosys_refuses_is_told_in_one_line(
    library: CellLibrary, tmp_path: Path
) -> None:
    with pytest.raises(SynthesisError, match=r"yosys failed: .*ERROR"):
        synthesise(Source(verilog="module top(", top="top"), library, [AMAP], tmp_path)


def test_a_missing_pyosys_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SynthesisError, match=r"pip install 'bitweight\[asic\]'"):
        synthesis.yosys_version()


def test_synthesis_does_not_load_pyosys_into_this_process() -> None:
    code = "import sys, bitweight.cost_models.synthesis; sys.exit('pyosys' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

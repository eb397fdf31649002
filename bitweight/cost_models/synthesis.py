"""Synthesis: Verilog text in, mapped netlists out, through yosys in a process of its own.

A netlist is hierarchical: modules in ``keep`` keep their identity and everything else is flattened
into the module that instantiates it. Memories that are named stay black boxes. One process
elaborates a structure once and maps it with every mapping at every target; nothing is retimed.

Two traps of the tools are dealt with here. OpenSTA reads no concatenation on the left of an
``assign``, so netlists are split into bits; and ``abc`` takes blanks in inline scripts as ends of
arguments (``recipes.Mapping.script``).
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bitweight.cost_models.cell_library import CellLibrary
from bitweight.cost_models.fanout import limit_fanout
from bitweight.cost_models.measurements import Block, Memory
from bitweight.cost_models.recipes import Recipe, Structure
from bitweight.workloads.tool_error import ToolError

_MEMORY = "memory_{words}x{width}"
_RUN = (
    "import sys; from pyosys import libyosys; libyosys.Design().run_pass('script ' + sys.argv[1])"
)


class SynthesisError(ToolError):
    """A tool that is missing, or that did not do what it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Verilog to synthesise.

    Attributes:
        verilog: Its text.
        top: Name of the top module.
        keep: Modules that stay modules; the top always does.
        around: Those that a recipe maps apart; see ``Recipe.around``.
        memories: Memories that stay black boxes.
    """

    verilog: str
    top: str
    keep: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()
    memories: tuple[Memory, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Netlist:
    """A mapped netlist on disk.

    Attributes:
        recipe: What made it.
        verilog: File with the netlist for OpenSTA and simulation; no module of a memory in it.
        json: The same netlist as yosys writes it.
        blocks: Modules, the top first, then by name.
    """

    recipe: Recipe
    verilog: Path
    json: Path
    blocks: tuple[Block, ...]


def memory_module(memory: Memory) -> str:
    """Return the type of a memory's cell: words x width.

    Its ports are ``RD_CLK``, ``RD_EN``, ``RD_ADDR``, ``RD_DATA``, ``WR_CLK``, ``WR_EN`` (a bit for
    each bit of data), ``WR_ADDR`` and ``WR_DATA``. Reads are clocked; a read of the address that is
    written on the same edge gives the old word.
    """
    return _MEMORY.format(words=memory.words, width=memory.width)


def synthesise(
    source: Source, library: CellLibrary, recipes: Iterable[Recipe], directory: Path
) -> list[Netlist]:
    """Synthesise a design with each recipe.

    Structures that elaborate alike, for want of an adder or a multiplier, are mapped once: the
    first of them stands for all.

    Args:
        source: What to synthesise.
        library: Cells to map to.
        recipes: How.
        directory: Where files go; it must exist.

    Raises:
        SynthesisError: If pyosys is missing or fails.
    """
    by_structure: dict[Structure, list[Recipe]] = {}
    for recipe in recipes:
        by_structure.setdefault(recipe.structure, []).append(recipe)
    (directory / "in.v").write_text(source.verilog)
    (directory / "memories.v").write_text(_memory_map(source.memories))
    liberty = library.write(directory)
    seen: set[str] = set()
    netlists = []
    for number, (structure, group) in enumerate(by_structure.items()):
        elaborated = directory / f"s{number}.json"
        _run_yosys(_elaborate(source, structure, liberty, elaborated), elaborated)
        document = json.loads(elaborated.read_text())
        limit_fanout(document["modules"], source.top, library)
        text = json.dumps(document["modules"])
        if text in seen:
            continue
        seen.add(text)
        elaborated.write_text(json.dumps(document))
        stems = {recipe: directory / f"s{number}_{place}" for place, recipe in enumerate(group)}
        commands = [
            line for recipe in group for line in _map(source, recipe, liberty, stems[recipe])
        ]
        _run_yosys([f"read_json {elaborated}", "design -save elaborated", *commands], elaborated)
        for recipe in group:
            _limit_again(stems[recipe], source.top, library)
        netlists += [_netlist(recipe, stems[recipe], source.top, library) for recipe in group]
    return netlists


def yosys_version() -> str:
    """Return the version of the yosys that synthesises.

    Raises:
        SynthesisError: If it is not installed.
    """
    _require_pyosys()
    return f"yosys {version('pyosys')}"


def _require_pyosys() -> None:
    if importlib.util.find_spec("pyosys") is None:
        raise SynthesisError("pyosys is not installed: pip install 'bitweight[asic]'")


def _run_yosys(commands: Iterable[str], beside: Path) -> None:
    _require_pyosys()
    script = beside.with_suffix(".ys")
    script.write_text("\n".join(commands))
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(script)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise SynthesisError(f"yosys failed: {reason.strip()}")


def _elaborate(
    source: Source, structure: Structure, liberty: Sequence[Path], out: Path
) -> list[str]:
    """Return commands up to flip-flops of the library and logic that is still to be mapped."""
    kept = sorted(source.keep - {source.top})
    booth = " -booth" if structure.booth else ""
    choice = f" -extra-map +/choices/{structure.adder}.v" if structure.adder else ""
    files = " ".join(f"-liberty {file}" for file in liberty)
    return [
        f"read_verilog {out.with_name('in.v')}",
        f"hierarchy -check -top {source.top}",
        *(f"setattr -mod -set keep_hierarchy 1 {module}" for module in kept),
        f"synth -top {source.top} -flatten{booth} -run begin:fine",
        f"techmap -map {out.with_name('memories.v')}" if source.memories else "",
        f"synth -top {source.top}{choice} -run fine:check",
        "dfflegalize -cell $_DFF_P_ 01",
        f"dfflibmap {files}",
        "opt",
        # The process that maps numbers its own names from the start again.
        "rename -enumerate -pattern _e%_",
        f"write_json {out}",
    ]


def _map(source: Source, recipe: Recipe, liberty: Sequence[Path], stem: Path) -> list[str]:
    files = " ".join(f"-liberty {file}" for file in liberty)
    around = " ".join(sorted(source.around))
    return [
        "design -load elaborated",
        f"abc {files} -script {recipe.around_script} {around}" if around else "",
        # All that is mapped by now has no logic left.
        f"abc {files} -script {recipe.abc_script}",
        "opt_clean -purge",
        "setundef -zero",
        "splitnets",
        "opt_clean",
        "rename -enumerate",
        *_write(stem),
    ]


def _write(stem: Path) -> list[str]:
    return [
        f"write_verilog -noattr -noexpr -nohex -nodec -simple-lhs {stem}.v",
        f"write_json {stem}.json",
    ]


def _limit_again(stem: Path, top: str, library: CellLibrary) -> None:
    """Limit the fan-out of registers whose few gates ABC made many."""
    mapped = stem.with_suffix(".json")
    document = json.loads(mapped.read_text())
    if limit_fanout(document["modules"], top, library):
        mapped.write_text(json.dumps(document))
        numbered = "rename -enumerate -pattern _f%_"
        _run_yosys([f"read_json {mapped}", numbered, *_write(stem)], stem)


def _memory_map(memories: Iterable[Memory]) -> str:
    """Return Verilog that replaces memories of the named sizes by cells without a body."""
    sizes = sorted({(memory.words, memory.width) for memory in memories})
    return "\n".join(_memory_rule(words, width) for words, width in sizes)


def _memory_rule(words: int, width: int) -> str:
    address = max(1, (words - 1).bit_length())
    cell = _MEMORY.format(words=words, width=width)
    return f"""
(* blackbox *)
module {cell}(
  input RD_CLK, input RD_EN, input [{address - 1}:0] RD_ADDR, output [{width - 1}:0] RD_DATA,
  input WR_CLK, input [{width - 1}:0] WR_EN, input [{address - 1}:0] WR_ADDR,
  input [{width - 1}:0] WR_DATA);
endmodule

(* techmap_celltype = "$mem_v2" *)
module map_{cell}(
  RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA);
  parameter MEMID = "";
  parameter SIZE = 0;
  parameter OFFSET = 0;
  parameter ABITS = 0;
  parameter WIDTH = 0;
  parameter INIT = 0;
  parameter RD_PORTS = 0;
  parameter RD_CLK_ENABLE = 0;
  parameter RD_CLK_POLARITY = 0;
  parameter RD_TRANSPARENCY_MASK = 0;
  parameter RD_COLLISION_X_MASK = 0;
  parameter RD_WIDE_CONTINUATION = 0;
  parameter RD_CE_OVER_SRST = 0;
  parameter RD_ARST_VALUE = 0;
  parameter RD_SRST_VALUE = 0;
  parameter RD_INIT_VALUE = 0;
  parameter WR_PORTS = 0;
  parameter WR_CLK_ENABLE = 0;
  parameter WR_CLK_POLARITY = 0;
  parameter WR_PRIORITY_MASK = 0;
  parameter WR_WIDE_CONTINUATION = 0;
  input [RD_PORTS-1:0] RD_CLK, RD_EN, RD_ARST, RD_SRST;
  input [RD_PORTS*ABITS-1:0] RD_ADDR;
  output [RD_PORTS*WIDTH-1:0] RD_DATA;
  input [WR_PORTS-1:0] WR_CLK;
  input [WR_PORTS*WIDTH-1:0] WR_EN, WR_DATA;
  input [WR_PORTS*ABITS-1:0] WR_ADDR;
  wire _TECHMAP_FAIL_ = SIZE != {words} || WIDTH != {width} || RD_PORTS != 1 || WR_PORTS != 1
    || RD_CLK_ENABLE != 1 || OFFSET != 0;
  {cell} _TECHMAP_REPLACE_ (
    .RD_CLK(RD_CLK), .RD_EN(RD_EN), .RD_ADDR(RD_ADDR), .RD_DATA(RD_DATA),
    .WR_CLK(WR_CLK), .WR_EN(WR_EN), .WR_ADDR(WR_ADDR), .WR_DATA(WR_DATA));
endmodule
"""


def _netlist(recipe: Recipe, stem: Path, top: str, library: CellLibrary) -> Netlist:
    modules = json.loads(stem.with_suffix(".json").read_text())["modules"]
    return Netlist(
        recipe=recipe,
        verilog=stem.with_suffix(".v"),
        json=stem.with_suffix(".json"),
        blocks=blocks(modules, top, library),
    )


def blocks(modules: Mapping[str, Any], top: str, library: CellLibrary) -> tuple[Block, ...]:
    """Return the blocks of a netlist in yosys's JSON form.

    Args:
        modules: Its ``modules``.
        top: The top module.
        library: Where areas and leakages are.

    Raises:
        SynthesisError: If a cell is neither of the library, nor a module, nor a memory.
    """
    inside = {name: _own(name, module, modules, library) for name, module in modules.items()}
    counts = dict.fromkeys(inside, 0)

    def place(module: str) -> None:
        counts[module] += 1
        for child in inside[module][1]:
            place(child)

    place(top)
    ordered = [top, *sorted(name for name in inside if name != top and counts[name])]
    return tuple(
        Block(
            module=name,
            instances=counts[name],
            area_um2=round(sum(library.cells[cell].area_um2 for cell in inside[name][0]), 6),
            leakage_uw=round(sum(library.cells[cell].leakage_uw for cell in inside[name][0]), 9),
            cells=len(inside[name][0]),
            flip_flops=sum(library.cells[cell].is_flip_flop for cell in inside[name][0]),
        )
        for name in ordered
    )


def _own(
    name: str, module: Mapping[str, Any], modules: Mapping[str, Any], library: CellLibrary
) -> tuple[list[str], list[str]]:
    """Return the library cells of a module, and the modules that it instantiates."""
    cells, children = [], []
    for cell in module["cells"].values():
        kind = cell["type"]
        if kind in library.cells:
            cells.append(kind)
        elif kind in modules and not kind.startswith("memory_"):
            children.append(kind)
        elif not kind.startswith("memory_"):
            raise SynthesisError(f"Cell {kind} of {name} must be of the library: it was not mapped")
    return cells, children

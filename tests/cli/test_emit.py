"""``bitweight emit``: Verilog in a file, whole or not at all."""

import hashlib
import json
from pathlib import Path

import pytest

from bitweight.cli.app import run
from bitweight.rtl import emit
from bitweight.sim import design

SMALL = ("systolic_os/mac", "--set", "rows=2", "--set", "cols=3")


def test_the_file_holds_the_designs_verilog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "array.v"
    assert run(["emit", *SMALL, "-o", str(out), "--json"]) == 0
    assert out.read_text() == emit(design("systolic_os/mac", ("rows=2", "cols=3")))
    assert json.loads(capsys.readouterr().out) == {
        "file": str(out),
        "top": "systolic_os_mac",
        "bytes": out.stat().st_size,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "memories": [],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("systolic_os/mca", "-o", "a.v"), "Design must be in the catalog, not 'systolic_os/mca'"),
        ((*SMALL, "--set", "cols=0", "-o", "a.v"), "Systolic array cols must be 1 to 256, not 0"),
        ((*SMALL, "-o", "absent/a.v"), "absent/a.v: No such file or directory"),
        ((*SMALL, "-o", "."), ".: Is a directory"),
        (SMALL, "Missing option '--out'"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["emit", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []

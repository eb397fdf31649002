"""``bitweight compare DESIGN... -o DIR``: the folder it writes; costs here are made up."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_data import made_up

from bitweight.cli.app import run
from bitweight.cost_models import TECHNOLOGIES
from bitweight.cost_models.measurements import shipped
from bitweight.reports.comparison import make
from bitweight.workloads import Layer, Trace

DESIGNS = ("systolic_os/mac", "systolic_os/carry_save", "column/grouped", "bit_slice/laconic")
RNG = np.random.default_rng(7)


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    known = {name: made_up(name) for name in TECHNOLOGIES}
    monkeypatch.setattr(make, "shipped", lambda name: known.get(name) or shipped(name))
    path = tmp_path / "t.safetensors"
    x, w = RNG.integers(-99, 99, (4, 64)), RNG.integers(-99, 99, (64, 16))
    layers = (Layer.from_arrays("first", x, w), Layer.from_arrays("second", x, w))
    Trace(layers=layers).save(path)
    return str(path)


def compare(out: Path, trace: str, *options: str) -> int:
    arguments = ["--trace", trace, "--formats", "nf4", "-o", str(out), *options]
    return run(["compare", *DESIGNS, *arguments])


def test_a_folder_of_a_page_and_its_data_is_written(
    tmp_path: Path, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page"
    assert compare(out, trace, "--technology", "asap7,sg13g2", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["folder"] == str(out)
    assert {row["file"]: row["bytes"] for row in shown["files"]} == {
        path.name: path.stat().st_size for path in out.iterdir()
    }
    page = (out / "index.html").read_text()
    command = (
        f"bitweight compare {' '.join(DESIGNS)} --formats nf4 --trace t.safetensors "
        "--technology asap7,sg13g2 -o page"
    )
    assert page.count(command) == 1 + 7
    assert str(tmp_path) not in page
    assert "2 layers (first, second), prefill of 4 tokens, operands of t.safetensors" in page


def test_the_same_command_writes_the_same_bytes_in_place_of_the_old(
    tmp_path: Path, trace: str
) -> None:
    out = tmp_path / "page"
    options = ("--technology", "sg13g2", "--layer", "second")
    assert compare(out, trace, *options) == 0
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert compare(out, trace, *options) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    assert "1 layer (second), prefill of 4 tokens" in first["index.html"].decode()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--technology", "asap8"),
            "Technology must be one of sg13g2, sky130hd, asap7, not 'asap8",
        ),
        (("--layer", "third"), "Layer must be one of the trace's, not 'third'"),
        (("--formats", "nf5"), "Format must be one of seedlm4, "),
        (("systolic_os/mak",), "Design must be in the catalog, not 'systolic_os/mak'; did you mea"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    trace: str,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "page"
    assert compare(out, trace, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert not out.exists()


def test_designs_want_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "systolic_os/mac"]) == 2
    assert "--out must come with designs" in capsys.readouterr().err


def test_a_missing_extra_is_named(
    tmp_path: Path,
    trace: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert compare(tmp_path / "page", trace) == 2
    assert capsys.readouterr().err == (
        "error: jinja2 is not installed: pip install 'bitweight[report]'\n"
    )

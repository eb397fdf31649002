"""``cost --fpga``: the PE and the sizes that were made, as a table and as JSON."""

import json
from pathlib import Path

import pytest

from bitweight.cli.app import run


def test_a_table_shows_the_pe_and_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "systolic_os/mac", "--fpga", "ecp5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:5] == ["pe:mac", "default", "yes", "70", "48"]
    assert lines[4].split()[:4] == ["systolic_os/mac", "rows=3", "cols=4", "yes"]
    assert "LFE5U-85F" in lines[-1]


def test_json_has_every_number_and_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "pe:mac", "--set", "structure=fused", "--fpga", "xc7", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["design"], shown["fpga"]) == ("pe:mac", "xc7")
    (point,) = shown["points"]
    assert (point["dsps"], point["fmax_mhz"], point["provenance"]) == (0, None, "measured")
    assert point["command"] == (
        "python -m bitweight.verify.characterise.fpga --fpga xc7 pe:mac --set structure=fused"
    )


def test_a_file_of_points_takes_the_place_of_the_shipped_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text('{"tools": "none"}\n')
    assert run(["cost", "pe:mac", "--fpga", "ecp5", "--data", str(path)]) == 2
    assert capsys.readouterr().err.startswith("error: pe:mac has no point for ecp5 with its def")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pe:mac", "--fpga", "xc8"], "FPGA must be one of ecp5, xc7, ice40, not 'xc8'; did you"),
        (["cube/mca", "--fpga", "xc7"], "Design must be in the catalog, not 'cube/mca'"),
        (["cube/mac", "--fpga", "xc7", "--seed", "1"], "--fpga tells of logic and clock, not of"),
        (["cube/mac/int4xint4", "--fpga", "xc7"], "cube/mac has no point for xc7 with pe.a=int4"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cost", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1

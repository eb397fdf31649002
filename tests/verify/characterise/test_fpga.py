"""Making points of FPGAs: what is made, and how a run that was stopped goes on."""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bitweight.cost_models.fpga import FAMILIES, FpgaPoint, load_fpga, shipped_fpga
from bitweight.sim import DESIGNS, ENGINES
from bitweight.verify.characterise import fpga
from bitweight.verify.characterise.fpga import Subject, fill, main, subjects

TOOLS = "tools 1"
MAC = Subject(design="pe:mac")
NF4 = Subject(design="decoder:nf4")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bool]]]:
    """Make points without tools, and tell which."""
    calls = []

    def make(subject: Subject, family: str, *, with_dsp: bool = True) -> FpgaPoint:
        calls.append((subject.design, with_dsp))
        return FpgaPoint(
            family=family,
            design=subject.design,
            settings=subject.settings,
            with_dsp=with_dsp,
            verilog_sha256=sha256(subject.verilog()[0].encode()).hexdigest(),
            luts=10,
            ffs=1,
            dsps=int(with_dsp and subject == MAC),
            brams=0,
            placed=None,
        )

    monkeypatch.setattr(fpga, "make", make)
    monkeypatch.setattr(fpga, "tool_versions", lambda: TOOLS)
    return calls


def test_what_could_use_dsp_blocks_is_made_without_too(
    tmp_path: Path, made: list[tuple[str, bool]]
) -> None:
    path = tmp_path / "points.jsonl"
    assert len(list(fill(path, ["xc7"], [NF4, MAC]))) == 3
    assert made == [("decoder:nf4", True), ("pe:mac", True), ("pe:mac", False)]
    # In the file they are in the order of the subjects.
    assert [(key[1], key[3]) for key in load_fpga(path).points] == [
        ("pe:mac", True),
        ("pe:mac", False),
        ("decoder:nf4", True),
    ]


def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, made: list[tuple[str, bool]]
) -> None:
    whole, path = tmp_path / "whole.jsonl", tmp_path / "points.jsonl"
    list(fill(whole, ["xc7"], [MAC, NF4]))
    first = next(fill(path, ["xc7"], [MAC, NF4]))
    assert [*load_fpga(path).points.values()] == [first]
    made.clear()
    list(fill(path, ["xc7"], [MAC, NF4]))
    assert made == [("pe:mac", False), ("decoder:nf4", True)]
    assert path.read_bytes() == whole.read_bytes()


def test_points_of_other_verilog_are_made_again(
    tmp_path: Path, made: list[tuple[str, bool]]
) -> None:
    path = tmp_path / "points.jsonl"
    point = next(fill(path, ["xc7"], [NF4]))
    path.write_text(path.read_text().replace(point.verilog_sha256, "1" * 64))
    made.clear()
    assert list(fill(path, ["xc7"], [NF4])) == [point]
    assert [*load_fpga(path).points.values()] == [point]


def test_points_of_other_tools_are_not_mixed(tmp_path: Path, made: object) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text('{"tools": "tools 0"}\n')
    with pytest.raises(ValueError, match=r"to go on: it has .*tools 0.*, not .*tools 1.*; rem"):
        list(fill(path, ["xc7"], [MAC]))
    assert made == []


def test_every_design_and_pe_is_a_subject() -> None:
    names = [subject.design for subject in subjects()]
    assert set(DESIGNS) <= set(names)
    assert {f"pe:{spec.pe.name}" for spec in ENGINES.values()} <= set(names)
    assert len(set(subjects())) == len(names)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shipped_points_are_subjects_in_order(family: str) -> None:
    shipped = shipped_fpga().points.values()
    points = [one for one in shipped if one.with_dsp and one.family == family]
    made = [(one.design, one.settings) for one in points]
    assert made == [
        (one.design, one.settings) for one in subjects() if (one.design, one.settings) in made
    ]
    parts = [(one.design, one.settings) for one in subjects() if one.is_part]
    assert made[: len(parts)] == parts


@pytest.mark.parametrize("subject", [one for one in subjects() if one.is_part], ids=str)
def test_the_shipped_points_are_of_the_verilog_as_it_is(subject: Subject) -> None:
    verilog, _ = subject.verilog()
    point = shipped_fpga().points["ecp5", subject.design, subject.settings, True]
    assert point.verilog_sha256 == sha256(verilog.encode()).hexdigest()


def test_a_decoder_stands_between_registers() -> None:
    verilog, top = NF4.verilog()
    text = verilog[verilog.index(f"module {top}(") :].partition("endmodule")[0]
    assert "reg [31:0] units_between" in text
    assert "always @(posedge clk)\n    out <= " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pe:mca", "--fpga", "xc7"], "PE must be one of .*, not 'mca'"),
        (["decoder:nf5", "--fpga", "xc7"], "Decoder must be one of .*, not 'nf5'; did you mean"),
        (["cube/mca", "--fpga", "xc7"], "Design must be in the catalog, not 'cube/mca'"),
        (["pe:mac", "--set", "structure=x", "--fpga", "xc7"], "'structure' must be one of"),
    ],
)
def test_bad_names_are_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"error: .*{message}.*\n", said)


def test_one_point_is_printed(made: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pe:mac", "--set", "structure=fused", "--fpga", "xc7", "--no-dsp"]) == 0
    printed: Any = capsys.readouterr().out
    assert '"settings": ["structure=fused"], "with_dsp": false' in printed

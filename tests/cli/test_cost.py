"""``bitweight cost`` on the shipped data."""

import json

import pytest

from bitweight.cli.app import run

DESIGN = "systolic_os/carry_save"


def test_figures_come_with_their_parts_and_how_they_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["cost", DESIGN, "--clock-mhz", "200", "--layer", "blk.17.attn_k", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["design"], found["technology"]) == (DESIGN, "sg13g2")
    for figure in ("area_um2", "power_mw", "energy_pj_per_mac"):
        parts = found[f"{figure}_breakdown"]
        assert sum(parts.values()) == pytest.approx(found[figure])
        assert all(part > 0 for part in parts.values())
    assert found["macs"] == 27 * 192 * 576
    assert found["clocks"] == 14535  # what `simulate` counts for this layer
    assert found["provenance"]["area"] == "measured"
    assert found["delay_ns"] <= 5
    power_mw = found["energy_pj_per_mac"] * found["macs"] / found["clocks"] * 200 / 1000
    assert found["power_mw"] == pytest.approx(power_mw)


def test_a_pe_has_area_and_delay(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "pe:carry_save", "--technology", "asap7", "--clock-mhz", "1500"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("pe:carry_save in asap7 at 1500 MHz\n")
    assert "left out: wires" in printed


def test_measurements_of_a_file_are_taken(
    capsys: pytest.CaptureFixture[str], tmp_path: pytest.TempPathFactory
) -> None:
    missing = f"{tmp_path}/own.jsonl"
    assert run(["cost", DESIGN, "--data", missing]) == 2
    assert capsys.readouterr().err == f"error: {missing}: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([DESIGN, "--technology", "sg13g3"], "Technology must be one of sg13g2, sky130hd, asap7"),
        ([DESIGN, "--clock-mhz", "0"], "Clock must be a positive number of MHz, not 0.0"),
        ([DESIGN, "--clock-mhz", "9000"], "must be at most"),
        ([DESIGN, "--set", "pe.acc_width=40"], "--set pe.acc_width=40 --liberty FILE -o DATA"),
        (["pe:carry_sav"], "PE must be in the catalog, not 'carry_sav'; did you mean"),
        ([], "DESIGN must be given"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cost", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert line in captured.err

"""``bitweight list`` against the catalog and the formats."""

import json

import pytest

from bitweight.cli.app import run
from bitweight.sim import DESIGNS
from bitweight.workloads import FORMATS


def test_designs_are_listed_with_the_fields_that_set_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["design"] for row in rows] == list(DESIGNS)
    fields = {row["design"]: row["fields"] for row in rows}["systolic_os/carry_save"]
    assert (fields["rows"], fields["cols"], fields["pe.a"]) == (16, 16, "int8")


def test_every_integer_format_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "formats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2 * 15
    assert {"format": "int8", "bits": 8, "min": -128, "max": 127} in rows
    assert {"format": "uint16", "bits": 16, "min": 0, "max": 65535} in rows


def test_packed_weight_formats_are_listed_with_their_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["list", "weights", "--json"]) == 0
    rows = {row["format"]: row["fields"] for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(FORMATS)
    assert rows["int4"] == {"code": "int4", "group": 128}
    assert rows["bcq2"] == {"bits": 2, "group": 128, "offset": True}
    assert run(["list", "weights"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["nf2"].split() == [
        "nf2",
        "table=-1.0,0.0,0.3379151,1.0",
        "group=128",
        "entry=int8",
    ]


def test_technologies_are_listed_with_their_corners(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "technologies", "--json"]) == 0
    rows = {row["technology"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == ["sg13g2", "sky130hd", "asap7"]
    assert (rows["asap7"]["node_nm"], rows["asap7"]["corner"]) == (7, "slow")
    assert (rows["sg13g2"]["voltage_v"], rows["sg13g2"]["temperature_c"]) == (1.2, 25)


def test_models_are_listed_with_their_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "models", "--json"]) == 0
    weights = {row["model"]: row["weights"] for row in json.loads(capsys.readouterr().out)}
    # 32 blocks of 4 x 4096^2 + 3 x 4096 x 11008, and the head of 32000 x 4096.
    assert weights["llama-2-7b"] == 6_607_077_376


@pytest.mark.parametrize("topic", ["designs", "formats", "weights", "models"])
def test_a_piped_table_is_not_folded(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", topic]) == 0
    table = capsys.readouterr().out.splitlines()
    assert run(["list", topic, "--json"]) == 0
    assert len(table) == 2 + len(json.loads(capsys.readouterr().out))


def test_a_designs_nest_is_printed_as_the_design_has_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["list", "--nest", "systolic_os/mac"]) == 0
    printed = capsys.readouterr().out
    assert printed == f"{DESIGNS['systolic_os/mac'].nest}\n"
    assert run(["list", "--nest", "systolic_os/mac", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nest"] == printed.splitlines()
    assert run(["list", "--nest", "systolic_os/mca"]) == 2
    assert capsys.readouterr().err.startswith("error: Design must be in the catalog")

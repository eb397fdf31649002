"""``bitweight cost --model``, on points that tests make up."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitweight.cli.app import app_for
from bitweight.cost_models.measurements import (
    Block,
    BlockEnergy,
    EnergyPoint,
    NetlistPoint,
    to_line,
)

_NAME, _TOP = "systolic_os/mac", "systolic_os_mac"
_SMALL = ("--model", "smollm2-135m", "--phase", "prefill", "--tokens", "4")


def _run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app_for(["cost"]), ["cost", *words])
    error = str(result.exception or "") if result.exit_code else ""
    return result.exit_code, result.stdout, error + result.stderr


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Write a file that knows one engine, of 256 slots a clock."""
    netlist = NetlistPoint(
        design=_NAME,
        settings=(),
        target_ns=2.0,
        recipe="r",
        verilog_sha256="0",
        delay_ns=2.0,
        path_from="a",
        path_to="b",
        blocks=(
            Block(module=_TOP, instances=1, area_um2=9.0, leakage_uw=1.0, cells=1, flip_flops=1),
        ),
        memories=(),
    )
    runs = [
        EnergyPoint(
            design=_NAME,
            settings=(),
            target_ns=2.0,
            recipe="r",
            stream=stream,
            clocks=100,
            busy_slots=busy,
            idle_slots=25_600 - busy,
            blocks=(
                BlockEnergy(
                    module=_TOP, switching_pj=100.0 + 2.0 * busy, internal_pj=0.0, clock_pj=0.0
                ),
            ),
        )
        for stream, busy in (("idle", 0), ("busy", 25_600))
    ]
    header = json.dumps({"technology": "sg13g2"})
    path = tmp_path / "points.jsonl"
    path.write_text("\n".join([header, *map(to_line, [netlist, *runs])]) + "\n")
    return str(path)


def test_a_model_on_one_design_is_shown_by_layer(data: str) -> None:
    code, out, _ = _run(_NAME, *_SMALL, "--data", data, "--clock-mhz", "200")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "smollm2-135m in sg13g2 at 200 MHz with lpddr4"
    names = [line.split()[1] for line in lines if line.startswith("prefill")]
    assert names[0] == "attn_q"
    assert names[-2:] == ["attn_scores_qk", "attn_values_pv"]
    assert f"{_NAME}/int8xint8, prefill: " in out
    assert "cycles: cycles of the model that the RTL is checked against" in out


def test_json_tells_parts_that_add_up(data: str) -> None:
    code, out, _ = _run(_NAME, *_SMALL, "--data", data, "--dram", "hbm2", "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["model"], document["dram"]) == ("smollm2-135m", "hbm2")
    (cost,) = document["designs"]
    assert cost["energy_pj"]["total"] == pytest.approx(sum(cost["energy_pj"]["parts"].values()))
    times = [
        layer["calls"] * max(layer["array_us"], layer["buffers_us"], layer["dram_us"])
        for layer in cost["layers"]
    ]
    assert cost["time_us"] == pytest.approx(sum(times))
    assert document["refused"] == []


def test_without_a_design_all_are_tried_and_those_without_a_cost_are_named(data: str) -> None:
    code, out, _ = _run(*_SMALL, "--data", data)
    assert code == 0
    rows = [line for line in out.splitlines() if line.startswith("prefill")]
    assert [row.split()[1] for row in rows] == ["systolic_os/mac/int8xint8"]
    refused = [line for line in out.splitlines() if line.startswith("no cost: ")]
    # Of four designs with MACs both structures are tried.
    assert len(refused) == 4 * 4 + 4 + 2 - 1
    assert any(line.startswith("no cost: lookup/tl2: Cost of lookup/tl2 must") for line in refused)


def test_both_phases_are_told_unless_one_is_asked_for(data: str) -> None:
    code, out, _ = _run(_NAME, "--model", "smollm2-135m", "--tokens", "2", "--data", data)
    assert code == 0
    assert {line.split()[0] for line in out.splitlines() if " attn_q " in line} == {
        "prefill",
        "decode",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "DESIGN must be given without --model"),
        ((_NAME, "--phase", "decode"), "--phase must come with --model"),
        ((_NAME, "--dram", "hbm2"), "--dram must come with --model"),
        ((*_SMALL, "--gemm", "1x2x3"), "--model brings its layers"),
        ((*_SMALL, "--fpga", "ecp5"), "--model brings its layers"),
        ((*_SMALL, "--dram", "hbm3"), "DRAM must be one of lpddr4, hbm2, gddr5, ddr3, not 'hbm3'"),
        (("--model", "smollm3"), "Model must be one of"),
        (("cube/mac", *_SMALL), "Cost of cube/mac must come from a netlist"),
        ((_NAME, *_SMALL, "--clock-mhz", "501"), "must be at most 500 MHz, not 501 MHz"),
    ],
)
def test_what_does_not_fit_is_refused(words: tuple[str, ...], message: str, data: str) -> None:
    code, _, error = _run(*words, "--data", data)
    assert code != 0
    assert message in error

"""``bitweight sweep``: what it prints and refuses; costs here are made up."""

import json
from pathlib import Path

import pytest
from made_up_data import made_up

from bitweight.cli.app import run
from bitweight.cost_models import Cost, estimate
from bitweight.reports.sweep import points, runner
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec

SPACE = """
technologies = ["sg13g2"]
clocks_mhz = [100, 200, 300]
refused = "rows"
[[designs]]
names = ["systolic_os/mac", "systolic_os/carry_save"]
[[layers]]
trace = "example"
names = ["blk.17.attn_k"]
"""


def cost(
    spec: DesignSpec, technology: str, *, clock_mhz: float, activity: Activity | None = None
) -> Cost:
    return estimate(spec, made_up(technology), clock_mhz=clock_mhz, activity=activity)


@pytest.fixture(autouse=True)
def _made_up_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "estimate", cost)
    monkeypatch.setattr(runner, "estimate", cost)
    monkeypatch.setattr(points, "shipped", made_up)
    points._uncosted.cache_clear()
    points._data_sha256.cache_clear()


def sweep(tmp_path: Path, *options: str, text: str = SPACE) -> int:
    (tmp_path / "space.toml").write_text(text)
    files = [str(tmp_path / "space.toml"), "-o", str(tmp_path / "o.csv")]
    return run(["sweep", *files, "--processes", "1", *options])


def test_the_front_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert {name: shown[name] for name in ("points", "computed", "refused")} == {
        "points": 6,
        "computed": 5,
        "refused": 1,
    }
    found = [(total["design"], total["clock_mhz"]) for total in shown["front"]]
    # At 100 MHz the MAC is smaller and as fast; at 200 MHz it is so, too; only one is faster.
    assert found == [
        ("systolic_os/mac", 100.0),
        ("systolic_os/mac", 200.0),
        ("systolic_os/carry_save", 300.0),
    ]
    assert (tmp_path / "o.csv").read_text().count("\n") == 7


def test_tables_show_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[2].split()[1:] == ["6", "5", "1"]
    assert shown[4].split()[:5] == ["technology", "design", "settings", "format", "MHz"]
    assert [line.split()[1] for line in shown[6:]] == [
        "systolic_os/mac",
        "systolic_os/mac",
        "systolic_os/carry_save",
    ]


def test_a_second_run_computes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path)
    capsys.readouterr()
    assert sweep(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["computed"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPACE.replace('"rows"', '"stop"'), "must be at most 250 MHz, not 300 MHz; leave it out"),
        (SPACE.replace("names", "name"), "designs[0] has no key 'name'"),
        (SPACE.replace("sg13g2", "sg13"), "must be of sg13g2, sky130hd, asap7, not 'sg13'"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert sweep(tmp_path, text=text) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1

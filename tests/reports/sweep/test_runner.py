"""Running a space: what is computed, what is kept, what is refused; costs here are made up."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bitweight.cost_models import Cost, Figure, Provenance
from bitweight.cost_models.measurements import Measurements
from bitweight.reports.sweep import Row, Space, Sweep, points, read_space, run, runner
from bitweight.reports.sweep.journal import journal_path
from bitweight.sim import DESIGNS as DESIGNS_BY_NAME
from bitweight.sim import layers
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec
from bitweight.workloads import Gemm

BEGIN = 'technologies = ["sg13g2", "asap7"]\nclocks_mhz = [100, 200]\n'
ONE = 'technologies = ["sg13g2"]\nclocks_mhz = [100]\n'
DESIGNS = """
[[designs]]
names = ["systolic_os/mac"]
settings = [[], ["rows=4", "cols=4"]]
formats = ["int8", "int4", "nf4"]
[[designs]]
names = ["lookup/tl2"]
"""
LAYERS = '\n[[layers]]\ntrace = "example"\nnames = ["blk.17.attn_k"]\n'
GEMM = '[[layers]]\nmodel = "smollm2-135m"\nphase = "decode"\nnames = ["attn_k"]\n'


def cost(
    spec: DesignSpec, technology: str, *, clock_mhz: float, activity: Activity | None = None
) -> Cost:
    """Return round numbers, and none above 150 MHz in asap7."""
    if technology == "asap7" and clock_mhz > 150:
        raise ValueError(f"Clock must be at most 150 MHz, not\n{clock_mhz:g}")

    def figure(value: float, provenance: Provenance = Provenance.MEASURED) -> Figure:
        return Figure(parts={"all": value}, provenance=provenance, source="made up")

    return Cost(
        design=spec.name,
        technology=technology,
        clock_mhz=clock_mhz,
        area_um2=figure(spec.peak_macs),
        memory_um2=figure(7),
        delay_ns=5,
        path="",
        leakage_mw=1,
        energy_pj=None if activity is None else figure(activity.macs / 4, Provenance.COMPOSED),
        clocks=1,
        macs=activity.macs if activity else 0,
    )


@pytest.fixture(autouse=True)
def _made_up_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "estimate", cost)
    monkeypatch.setattr(runner, "estimate", cost)
    monkeypatch.setattr(
        points,
        "shipped",
        lambda name: Measurements(technology=name, header={}, netlists=(), energies=()),
    )
    points._uncosted.cache_clear()
    points._data_sha256.cache_clear()


@pytest.fixture
def space(tmp_path: Path) -> Callable[[str], Space]:
    def read(text: str) -> Space:
        file = tmp_path / "space.toml"
        file.write_text(text)
        return read_space(file)

    return read


def sweep(space: Space, out: Path) -> Sweep:
    return run(space, out, processes=1)


ROWS = 'refused = "rows"\n'


def test_a_point_has_a_row_with_its_figures(tmp_path: Path, space: Callable[[str], Space]) -> None:
    found = sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), tmp_path / "o.csv")
    assert len(found.rows) == found.computed * 4 // 3 == (2 * 3 + 1) * 2 * 2
    row = found.rows[0]
    assert (row.design, row.settings, row.format) == ("systolic_os/mac", "", "int8")
    assert (row.technology, row.clock_mhz) == ("sg13g2", 100.0)
    assert (row.m, row.n, row.k, row.cycles) == (27, 192, 576, 14534)  # as the README prints
    assert (row.area_um2, row.memory_um2, row.energy_pj) == (256, 7, 27 * 192 * 576 / 4)
    assert row.energy_pj_per_mac == 0.25
    # 27 x 576 activations, 576 x 192 weights with 192 scales of two bytes, 27 x 192 results.
    assert row.dram_bytes == 15552 + 110592 + 384 + 5184
    assert (row.array_us, row.time_us, row.limiting) == (145.34, 145.34, "array")
    assert row.provenance == "composed"


def test_the_axes_come_in_the_order_of_the_space(
    tmp_path: Path, space: Callable[[str], Space]
) -> None:
    rows = sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), tmp_path / "o.csv").rows
    assert [(row.settings, row.format) for row in rows[::4]] == [
        (settings, form) for settings in ("", "rows=4 cols=4") for form in ("int8", "int4", "nf4")
    ] + [("", "tl2")]
    assert [(row.technology, row.clock_mhz) for row in rows[:4]] == [
        ("sg13g2", 100),
        ("sg13g2", 200),
        ("asap7", 100),
        ("asap7", 200),
    ]


def test_refused_points_say_why_in_one_line(tmp_path: Path, space: Callable[[str], Space]) -> None:
    rows = sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), tmp_path / "o.csv").rows
    refused = [row for row in rows if row.refused]
    assert {(row.technology, row.clock_mhz) for row in refused} == {("asap7", 200)}
    assert {row.refused for row in refused} == {"Clock must be at most 150 MHz, not 200"}
    assert {row.energy_pj for row in refused} == {None}


def test_a_stopped_sweep_goes_on_and_gives_the_same_bytes(
    tmp_path: Path, space: Callable[[str], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    points_of = space(BEGIN + ROWS + DESIGNS + LAYERS)
    whole, out = tmp_path / "whole.csv", tmp_path / "o.csv"
    assert sweep(points_of, whole).computed == 21
    calls: list[str] = []
    real = runner.run_job

    def stop_in_the_fifth(job: points.Job) -> list[Row]:
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(job.variant.name)
        return real(job)

    monkeypatch.setattr(runner, "run_job", stop_in_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        sweep(points_of, out)
    assert not out.exists()
    assert journal_path(out).exists()
    monkeypatch.setattr(runner, "run_job", real)
    assert sweep(points_of, out).computed == 21 - 4 * 3
    assert out.read_bytes() == whole.read_bytes()
    assert not journal_path(out).exists()


def test_a_finished_sweep_computes_nothing_again(
    tmp_path: Path, space: Callable[[str], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o.csv"
    sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), out)
    before = out.read_bytes()
    monkeypatch.setattr(runner, "run_job", lambda _job: pytest.fail("computed again"))
    assert sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), out).computed == 0
    assert out.read_bytes() == before


def test_a_wider_space_computes_what_is_new(tmp_path: Path, space: Callable[[str], Space]) -> None:
    out = tmp_path / "o.csv"
    sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), out)
    wider = BEGIN.replace("[100", "[50, 100") + ROWS + DESIGNS + LAYERS
    assert sweep(space(wider), out).computed == 7 * 2
    assert sweep(space(wider), tmp_path / "fresh.csv").computed == 35
    assert out.read_bytes() == (tmp_path / "fresh.csv").read_bytes()


def test_other_data_make_other_points(
    tmp_path: Path, space: Callable[[str], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o.csv"
    sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), out)
    monkeypatch.setattr(
        points,
        "shipped",
        lambda name: Measurements(technology=name, header={"run": 2}, netlists=(), energies=()),
    )
    points._data_sha256.cache_clear()
    assert sweep(space(BEGIN + ROWS + DESIGNS + LAYERS), out).computed == 21


def test_shapes_run_with_drawn_values(tmp_path: Path, space: Callable[[str], Space]) -> None:
    (first, *_) = sweep(space(ONE + DESIGNS + GEMM), tmp_path / "o.csv").rows
    assert first.source == "smollm2-135m decode, normal:20 seed 0"
    assert (first.layer, first.m, first.n, first.k, first.calls) == ("attn_k", 1, 192, 576, 30)
    gemm = Gemm(name="attn_k", m=1, n=192, k=576)
    assert first.cycles == layers.run_gemm(DESIGNS_BY_NAME["systolic_os/mac"], gemm).cycles


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DESIGNS.replace('"int4"', '"seedlm4"'), "systolic_os/mac with seedlm4 weights on blk.17."),
        (DESIGNS.replace('"int4"', '"fp8"'), "floating-point codes are not supported"),
        (DESIGNS.replace("rows=4", "row=4"), "has no field 'row' .*; did you mean 'rows'"),
        (DESIGNS.replace("os/mac", "os/mak"), "not 'systolic_os/mak'; did you mean"),
        (
            DESIGNS + 'formats = ["tl1"]',
            "with tl1 weights .* takes tl2 weights, not tl1",
        ),
        (DESIGNS + 'settings = [["pe.a=int4"]]', "x must hold int4 codes"),
        (DESIGNS + DESIGNS, "Points must differ, but systolic_os/mac with int8 weights on blk.17."),
        (DESIGNS + '[[layers]]\nmodel = "smollm2-135m"\nnames = ["attn"]', "not 'attn'; did you m"),
        (DESIGNS + '[[layers]]\ntrace = "absent"', "absent"),
        (DESIGNS.replace("os/mac", "os/mac/int8xint8"), "names its operand formats already"),
    ],
)
def test_what_cannot_be_stops_a_sweep_before_it_begins(
    tmp_path: Path, space: Callable[[str], Space], text: str, message: str
) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        sweep(space(ONE + text + LAYERS), tmp_path / "o.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["space.toml"]


def test_a_clock_that_is_not_met_stops_a_sweep(
    tmp_path: Path, space: Callable[[str], Space]
) -> None:
    message = "in asap7 at 200 MHz cannot be: Clock must be at most 150 .* set refused = .rows.$"
    with pytest.raises(ValueError, match=message):
        sweep(space(BEGIN + DESIGNS + LAYERS), tmp_path / "o.csv")


def test_an_output_that_cannot_be_written_is_told_before_anything_runs(
    tmp_path: Path, space: Callable[[str], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "expand", lambda _space: pytest.fail("began"))
    with pytest.raises(OSError, match="No such file"):
        sweep(space(BEGIN + DESIGNS + LAYERS), tmp_path / "absent" / "o.csv")

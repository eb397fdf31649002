"""Which netlist runs, and that a data file is gone on with where it was left."""

from pathlib import Path

import pytest

from bitweight.cost_models.measurements import Block, BlockEnergy, EnergyPoint, NetlistPoint, load
from bitweight.verify.characterise import energies
from bitweight.verify.characterise.data_file import write_points


def _netlist(design: str, target_ns: float, area_um2: float) -> NetlistPoint:
    return NetlistPoint(
        design=design,
        settings=(),
        target_ns=target_ns,
        recipe="any",
        verilog_sha256="0" * 64,
        delay_ns=target_ns,
        path_from="a",
        path_to="b",
        blocks=(
            Block(
                module="top",
                instances=1,
                area_um2=area_um2,
                leakage_uw=1.0,
                cells=1,
                flip_flops=1,
            ),
        ),
        memories=(),
    )


def _energy(point: NetlistPoint) -> EnergyPoint:
    return EnergyPoint(
        design=point.design,
        settings=point.settings,
        target_ns=point.target_ns,
        recipe=point.recipe,
        stream="idle",
        clocks=1,
        busy_slots=0,
        idle_slots=1,
        blocks=(BlockEnergy(module="top", switching_pj=0.0, internal_pj=0.0, clock_pj=1.0),),
    )


def test_the_netlist_of_least_area_times_period_runs() -> None:
    points = [_netlist("pe:mac", 2.0, 30.0), _netlist("pe:mac", 3.0, 10.0)]
    points.append(_netlist("pe:mac", 5.0, 9.0))
    assert energies.best(points) is points[1]


def test_energies_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.jsonl"
    points = [_netlist("pe:mac", 2.0, 10.0), _netlist("pe:dealt", 2.0, 10.0)]
    points.append(_netlist("pe:digit_list", 1.0, 1.0))
    held = [_energy(points[0])]
    write_points(path, {"technology": "own"}, points, held)
    asked = []

    def measure(given: list[NetlistPoint], cells: object, power: object) -> list[EnergyPoint]:
        asked.extend(point.design for point in given)
        return [_energy(point) for point in given]

    monkeypatch.setattr(energies, "measure_energies", measure)
    addresses = [(point.design, point.settings) for point in (points[1], points[0], points[2])]
    for _ in range(2):
        energies.add_energies(path, addresses, None, None)  # type: ignore[arg-type]
    assert asked == ["pe:dealt"]
    # In the order of the designs, whatever was measured first.
    assert [energy.design for energy in load(path).energies] == ["pe:dealt", "pe:mac"]

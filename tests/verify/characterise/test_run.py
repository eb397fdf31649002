"""A run that is killed at any moment goes on where it was, and gives the same bytes."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitweight.cost_models.measurements import (
    Block,
    BlockEnergy,
    EnergyPoint,
    NetlistPoint,
    load,
)
from bitweight.verify.characterise import run
from bitweight.verify.characterise.data_file import Address, write_points
from bitweight.verify.characterise.run import characterise, technology_library

ADDRESSES = [("pe:one", ()), ("two", ()), ("two", ("rows=2",)), ("three", ())]
LIBRARY = SimpleNamespace(names=("cells.lib",), sha256s=("0" * 64,))


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Replace tools: synthesis takes no time here, and may be told to stop."""
    state = SimpleNamespace(measured=[], stop_at=None, verilog="module top; endmodule")

    def source(name: str, settings: tuple[str, ...] = ()) -> SimpleNamespace:
        return SimpleNamespace(verilog=f"// {name} {settings}\n{state.verilog}")

    def measure(
        address: Address,
        given: SimpleNamespace,
        library: object,
        recipes: object,
        *,
        targets_ns: Sequence[float] = (),
    ) -> list[NetlistPoint]:
        if len(state.measured) == state.stop_at:
            raise KeyboardInterrupt
        state.measured.append(address)
        return [point(address, given.verilog, target) for target in targets_ns or (1.0, 2.0)]

    monkeypatch.setattr(run, "source", source)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run, "recipes_for", lambda address, measured: ())
    monkeypatch.setattr(run, "yosys_version", lambda: "yosys 0.1")
    monkeypatch.setattr(run, "sta_version", lambda: "OpenSTA 0.1")
    return state


def point(address: Address, verilog: str, target_ns: float) -> NetlistPoint:
    block = Block(module="top", instances=1, area_um2=1, leakage_uw=0, cells=1, flip_flops=0)
    return NetlistPoint(
        design=address[0],
        settings=address[1],
        target_ns=target_ns,
        recipe="r",
        verilog_sha256=sha256(verilog.encode()).hexdigest(),
        delay_ns=target_ns,
        path_from="x",
        path_to="y",
        blocks=(block,),
        memories=(),
    )


def test_a_run_stopped_anywhere_goes_on_without_loss_or_repetition(
    flow: SimpleNamespace, tmp_path: Path
) -> None:
    characterise("own", LIBRARY, ADDRESSES, tmp_path / "whole.jsonl")
    for stop in range(len(ADDRESSES)):
        out = tmp_path / f"stopped{stop}.jsonl"
        flow.measured, flow.stop_at = [], stop
        with pytest.raises(KeyboardInterrupt):
            characterise("own", LIBRARY, ADDRESSES, out)
        flow.stop_at = None
        characterise("own", LIBRARY, ADDRESSES, out)
        assert flow.measured == ADDRESSES
        assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_an_engine_measured_alone_takes_the_recipes_of_the_shipped_pe(
    flow: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[set[str]] = []

    def recipes_for(address: Address, measured: Sequence[NetlistPoint]) -> tuple[()]:
        given.append({point.design for point in measured})
        return ()

    monkeypatch.setattr(run, "recipes_for", recipes_for)
    characterise("sg13g2", LIBRARY, ADDRESSES[:1], tmp_path / "fresh.jsonl")
    characterise("own", LIBRARY, ADDRESSES[:1], tmp_path / "own.jsonl")
    assert "pe:carry_save" in given[0]
    assert given[1] == set()


def test_designs_may_be_added_in_any_order(flow: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "own.jsonl"
    characterise("own", LIBRARY, ADDRESSES[2:], out)
    characterise("own", LIBRARY, ADDRESSES, out)
    assert flow.measured == [*ADDRESSES[2:], *ADDRESSES[:2]]
    found = list(dict.fromkeys((p.design, p.settings) for p in load(out).netlists))
    assert found == ADDRESSES


def test_changed_verilog_replaces_a_designs_points_and_drops_its_energies(
    flow: SimpleNamespace, tmp_path: Path
) -> None:
    out = tmp_path / "own.jsonl"
    characterise("own", LIBRARY, ADDRESSES, out)
    held = load(out)
    block = BlockEnergy(module="top", switching_pj=1, internal_pj=1, clock_pj=1)
    energy = EnergyPoint(
        **{"design": "two", "settings": (), "target_ns": 1.0, "recipe": "r", "stream": "idle"},
        **{"clocks": 1, "busy_slots": 0, "idle_slots": 0, "blocks": (block,)},
    )
    write_points(out, held.header, held.netlists, [energy])
    characterise("own", LIBRARY, ADDRESSES, out)
    assert load(out).energies == (energy,)
    flow.verilog, flow.measured = "module other; endmodule", []
    characterise("own", LIBRARY, ADDRESSES, out)
    assert flow.measured == ADDRESSES
    assert load(out).energies == ()
    assert len(load(out).netlists) == len(held.netlists)


def test_targets_that_are_not_there_are_made(flow: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "own.jsonl"
    characterise("own", LIBRARY, ADDRESSES[:1], out, targets_ns=[1.5])
    characterise("own", LIBRARY, ADDRESSES[:1], out, targets_ns=[1.5])
    assert [p.target_ns for p in load(out).netlists] == [1.5]
    assert flow.measured == ADDRESSES[:1]


def test_a_file_of_other_cells_is_refused(flow: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "own.jsonl"
    characterise("own", LIBRARY, ADDRESSES[:1], out)
    other = SimpleNamespace(names=("cells.lib",), sha256s=("1" * 64,))
    with pytest.raises(ValueError, match="must be of this liberty to go on"):
        characterise("own", other, ADDRESSES, out)


def test_a_header_names_files_without_folders(flow: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "own.jsonl"
    out.parent.mkdir()
    characterise("own", LIBRARY, ADDRESSES[:1], out)
    header = json.loads(out.read_text().splitlines()[0])
    assert header["command"] == (
        "bitweight characterise --technology own --liberty cells.lib -o own.jsonl"
    )
    assert str(tmp_path) not in out.read_text()


def test_a_shipped_technology_takes_its_own_files_alone(tmp_path: Path) -> None:
    other = tmp_path / "cells.lib"
    other.write_text('library (cells) {\n  time_unit : "1ns";\n  leakage_power_unit : "1nW";\n}\n')
    with pytest.raises(ValueError, match="must be a Liberty file of sg13g2"):
        technology_library("sg13g2", [other])
    assert technology_library("own", [other]).names == ("cells.lib",)

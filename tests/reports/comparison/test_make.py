"""What a page is asked to compare, before anything is simulated."""

import shutil
from importlib import resources
from pathlib import Path

import pytest

from bitweight.cost_models.measurements import shipped
from bitweight.reports.comparison.make import Request

DATA = resources.files("bitweight.cost_models") / "data"


def request(*data: Path, technologies: tuple[str, ...] = ()) -> Request:
    return Request(
        designs=("systolic_os/mac",),
        formats=(),
        named=(),
        trace=None,
        layer=None,
        technologies=technologies,
        data=data,
    )


def copy(to: Path, technology: str) -> Path:
    with resources.as_file(DATA / f"{technology}.jsonl") as source:
        return Path(shutil.copy(source, to))


def test_files_of_ones_own_stand_for_the_shipped_ones(tmp_path: Path) -> None:
    wished = request(copy(tmp_path / "mine.jsonl", "asap7"))
    assert wished.measured == (shipped("asap7"),)
    assert wished.command == "bitweight compare systolic_os/mac --data mine.jsonl -o page"


def test_without_files_the_shipped_ones_are_taken() -> None:
    wished = request(technologies=("sky130hd",))
    assert wished.measured == (shipped("sky130hd"),)
    assert wished.command == "bitweight compare systolic_os/mac --technology sky130hd -o page"


def test_files_and_technologies_are_not_mixed(tmp_path: Path) -> None:
    mine = copy(tmp_path / "mine.jsonl", "asap7")
    with pytest.raises(ValueError, match="must come without --technology"):
        _ = request(mine, technologies=("asap7",)).measured
    with pytest.raises(ValueError, match="different technologies"):
        _ = request(mine, copy(tmp_path / "again.jsonl", "asap7")).measured

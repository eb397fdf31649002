"""SCALE-Sim's counts against runs of that simulator."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bitweight.sim import DESIGNS, cycles
from bitweight.sim.schedules import scalesim_cycles


def read_runs() -> list[tuple[str, dict[str, int], int]]:
    text = Path(__file__).with_name("scalesim_cycles.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [
        (row.pop("dataflow"), {name: int(size) for name, size in row.items()}, total)
        for row in rows
        for total in [int(row.pop("total_cycles"))]
    ]


@pytest.mark.parametrize(("dataflow", "sizes", "total"), read_runs())
def test_cycles_equal_those_of_a_run(dataflow: str, sizes: dict[str, int], total: int) -> None:
    assert scalesim_cycles(dataflow, **sizes) == total


def test_every_dataflow_has_several_runs() -> None:
    dataflows = [dataflow for dataflow, _, _ in read_runs()]
    assert {name: dataflows.count(name) for name in dataflows} == {"os": 6, "ws": 5, "is": 3}


def test_a_single_processing_element_takes_one_clock_a_product() -> None:
    # Clocks 0 .. m n k - 1: nothing to skew, nothing to load.
    assert scalesim_cycles("os", m=3, n=5, k=7, rows=1, cols=1) == 3 * 5 * 7 - 1


def test_an_unknown_dataflow_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"^Dataflow must be one of os, ws, is, not 'rs'$"):
        scalesim_cycles("rs", m=1, n=1, k=1, rows=1, cols=1)


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="size rows must be 1 to 4294967295, not 0"):
        scalesim_cycles("os", m=1, n=1, k=1, rows=0, cols=1)


def test_the_table_in_the_docs_is_what_both_functions_say() -> None:
    text = (Path(__file__).parents[2] / "docs" / "scalesim.md").read_text()
    rows = re.findall(
        r"^\| (\d+) x (\d+) x (\d+) on (\d+) x (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$",
        text,
        re.MULTILINE,
    )
    assert len(rows) == 4
    for row in rows:
        m, k, n, array_rows, cols, tiles, theirs, mac, carry_save = map(int, row)
        assert tiles == -(-m // array_rows) * -(-n // cols)
        assert scalesim_cycles("os", m=m, n=n, k=k, rows=array_rows, cols=cols) == theirs
        for name, ours in (("mac", mac), ("carry_save", carry_save)):
            spec = replace(DESIGNS[f"systolic_os/{name}"], rows=array_rows, cols=cols)
            assert cycles(spec, m=m, n=n, k=k) == ours

"""The tables of docs/system_costs.md say what the model does."""

import re
from pathlib import Path

import numpy as np
import pytest

from bitweight.cost_models.layer_counts import layer_counts
from bitweight.cost_models.memory import Ports, macros, memory_access_pj, memory_area_um2
from bitweight.cost_models.system import DRAMS, System
from bitweight.sim import design, simulate
from bitweight.workloads import Trace
from bitweight.workloads.gemm import Gemm

PAGE = (Path(__file__).parents[2] / "docs" / "system_costs.md").read_text()


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose heading begins so."""
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return table


def test_memories_cost_what_the_page_says() -> None:
    rows = _rows("technology | words x bits")
    assert len(rows) == 9
    for technology, size, *shown in rows:
        words, width = map(int, size.split(" x "))
        access = memory_access_pj(technology, words, width).parts
        found = (
            memory_area_um2(technology, words, width, ports=Ports.SINGLE).total,
            memory_area_um2(technology, words, width).total,
            access["read"],
            access["write"],
        )
        # Four digits of areas, three of energies.
        assert [float(cell) for cell in shown] == pytest.approx(found, rel=5e-3)


def test_macros_are_as_many_as_the_page_says() -> None:
    for technology, text, *_ in _rows("technology | macros"):
        counts = [int(count) for count in re.findall(r"\b(\d+) of ", text)]
        assert sum(counts) == sum(macro.technology == technology for macro in macros())


def test_drams_are_those_of_the_page() -> None:
    rows = {name: [float(bandwidth), float(energy)] for name, bandwidth, energy, _ in _rows("name")}
    assert rows == {name: [dram.bandwidth_gbs, dram.energy.value] for name, dram in DRAMS.items()}


def test_drawn_activations_are_as_near_to_real_ones_as_the_page_says() -> None:
    spec = design("column/shared_encoder")
    differences = []
    for layer in Trace.example().integer_layers:
        real = simulate(spec, layer.x, np.zeros((layer.k, layer.n), np.int8)).cycles
        kind = layer.name.split(".")[2]
        drawn = layer_counts(spec, Gemm(name=kind, m=layer.m, n=layer.n, k=layer.k)).cycles
        differences.append(drawn / real - 1)
    assert [round(min(differences), 2), round(max(differences), 2)] == [-0.15, 0.03]
    assert "15 % fewer to 3 % more" in " ".join(PAGE.split())


def test_default_buffers_are_those_of_the_page() -> None:
    system = System()
    assert system.a.capacity_bytes == system.b.capacity_bytes == 512 * 1024
    assert system.c.capacity_bytes == 64 * 1024
    assert system.a.usable_bytes >= 16 * 14_336
    assert "512 KiB for each operand" in PAGE
    assert "64 KiB for results, in banks of 1,024 words" in " ".join(PAGE.split())

"""The pages under docs: complete, true and linked."""

import re
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bitweight.sim import DESIGNS, cycles, design

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_design_has_a_row() -> None:
    text = (ROOT / "docs" / "designs.md").read_text()
    named = re.findall(r"^\| `([a-z0-9_]+/[a-z0-9_]+)` \|", text, re.MULTILINE)
    assert named == list(DESIGNS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("sizes", [*product([1, 16, 17, 40], [1, 16, 50], [1, 20, 38, 100])])
@pytest.mark.parametrize(
    ("design_name", "latency", "resolve_latency"),
    [
        ("systolic_os/mac", 1, 0),
        ("systolic_os/mac pe.pipelined=true", 2, 0),
        ("systolic_os/carry_save", 1, 1),
    ],
)
def test_cycles_are_as_the_page_says(
    design_name: str, latency: int, resolve_latency: int, sizes: tuple[int, int, int]
) -> None:
    m, n, k = sizes
    name, *settings = design_name.split()
    spec = design(name, settings)
    tiles = [min(16, m - row) for row in range(0, m, 16) for _ in range(0, n, 16)]
    total = 1 + sum(k + 16 + rows + latency - 1 for rows in tiles) + 1 + resolve_latency
    assert cycles(spec, m=m, n=n, k=k) == total
    drains = [16 + rows + latency + 2 for rows in tiles]
    overlapped = 1 + sum(max(k, drain + 1) for drain in drains[:-1]) + k + drains[-1]
    assert cycles(replace(spec, overlap_drain=True), m=m, n=n, k=k) == overlapped


@pytest.mark.parametrize(("pe", "edges"), [("mac", 9), ("carry_save", 10)])
def test_the_timing_diagram_ends_where_the_engine_does(pe: str, edges: int) -> None:
    assert cycles(design(f"systolic_os/{pe}", ("rows=2", "cols=2")), m=2, n=2, k=3) == edges


@pytest.mark.parametrize("sizes", [*product([1, 16, 300, 600], [1, 16, 50], [1, 20, 100])])
@pytest.mark.parametrize(("pe", "resolve_latency"), [("mac", 0), ("carry_save", 1)])
def test_weight_stationary_cycles_are_as_the_page_says(
    pe: str, resolve_latency: int, sizes: tuple[int, int, int]
) -> None:
    m, n, k = sizes
    folds = [min(256, m - row) for row in range(0, m, 256)]
    tiles = [fold for _ in range(0, n, 16) for fold in folds for _ in range(0, k, 16)]
    for double_buffer in (True, False):
        periods = [max(tile, 16, 3) if double_buffer else tile + 2 * 16 + 16 - 2 for tile in tiles]
        total = 1 + 16 + sum(periods[:-1]) + tiles[-1] + 16 + 16 + 1 + resolve_latency + 2
        spec = design(f"systolic_ws/{pe}", [f"double_buffer={str(double_buffer).lower()}"])
        assert cycles(spec, m=m, n=n, k=k) == total


@pytest.mark.parametrize("name", DESIGNS)
def test_every_field_of_a_design_is_described(name: str) -> None:
    text = (ROOT / "docs" / "designs.md").read_text()
    named = set(re.findall(r"`([a-z_.]+)`", text))
    spec: Any = DESIGNS[name]
    assert {field.name for field in fields(spec)} - {"pe"} <= named
    assert {f"pe.{field.name}" for field in fields(spec.pe)} - {"pe.format"} <= named
    form = getattr(spec.pe, "format", None)
    parameters = fields(form) if form is not None else ()
    assert {f"pe.format.{field.name}" for field in parameters} <= named

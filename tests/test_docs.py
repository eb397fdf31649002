"""The pages under docs: complete, true and linked."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bitweight.sim import DESIGNS, cycles

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


@pytest.mark.parametrize("m", [1, 16, 17, 40])
@pytest.mark.parametrize("n", [1, 16, 50])
@pytest.mark.parametrize("k", [1, 20, 38, 100])
@pytest.mark.parametrize(("pe", "resolve_latency"), [("mac", 0), ("carry_save", 1)])
def test_cycles_are_as_the_page_says(pe: str, resolve_latency: int, m: int, n: int, k: int) -> None:
    spec = DESIGNS[f"systolic_os/{pe}"]
    tiles = [min(16, m - row) for row in range(0, m, 16) for _ in range(0, n, 16)]
    total = 1 + sum(k + 16 + tile_rows for tile_rows in tiles) + 1 + resolve_latency
    assert cycles(spec, m=m, n=n, k=k) == total
    drains = [16 + tile_rows + 3 for tile_rows in tiles]
    overlapped = 1 + sum(max(k, drain + 1) for drain in drains[:-1]) + k + drains[-1]
    assert cycles(replace(spec, overlap_drain=True), m=m, n=n, k=k) == overlapped

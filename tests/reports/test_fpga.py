"""The page of FPGA costs is the shipped points, no more and no less."""

import re
from pathlib import Path

from bitweight.cost_models.fpga import shipped_fpga
from bitweight.reports.fpga import page
from bitweight.sim import DESIGNS

PAGE = Path(__file__).parents[2] / "docs" / "fpga.md"


def test_the_page_is_made_of_the_shipped_points() -> None:
    assert PAGE.read_text() == page(shipped_fpga())


def test_every_design_has_a_row_without_gaps() -> None:
    text = PAGE.read_text()
    for name in DESIGNS:
        (row,) = re.findall(rf"^\| `{name}` \|.*\|$", text, re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 17
        assert all(cells)

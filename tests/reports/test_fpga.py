"""The page of FPGA costs is the shipped points, no more and no less."""

import re
from pathlib import Path

from bitweight.cost_models.fpga import shipped_fpga
from bitweight.reports.fpga import page
from bitweight.sim import DESIGNS

PAGE = Path(__file__).parents[2] / "docs" / "fpga.md"


def test_the_page_is_made_of_the_shipped_points() -> None:
    assert PAGE.read_text() == page(shipped_fpga())


def test_every_design_has_a_row_with_gaps_only_where_nothing_was_made() -> None:
    text = PAGE.read_text()
    points = shipped_fpga().points.values()
    for name in DESIGNS:
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", text, re.MULTILINE)
        cells = [cell.strip() for cell in row.split("|")]
        assert len(cells) == 16
        families = [one.family for one in points if one.design == name]
        numbers = {"ecp5": cells[2:8], "xc7": cells[8:12], "ice40": cells[12:]}
        for family, shown in numbers.items():
            assert {bool(cell) for cell in shown} == {family in families}

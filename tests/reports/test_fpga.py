"""The page of FPGA costs is the shipped points, no more and no less."""

from pathlib import Path

from bitweight.cost_models.fpga import shipped_fpga
from bitweight.reports.fpga import page

PAGE = Path(__file__).parents[2] / "docs" / "fpga.md"


def test_the_page_is_made_of_the_shipped_points() -> None:
    assert PAGE.read_text() == page(shipped_fpga())

"""The page of engines against their baselines is what the shipped data say."""

from pathlib import Path

import pytest

from bitweight.cost_models import TECHNOLOGIES
from bitweight.reports.comparison.pairs import PAIRS
from bitweight.reports.comparison.ratios import BEST, EQUAL
from bitweight.reports.engine_ratios import found, page

PAGE = Path(__file__).parents[2] / "docs" / "engine_ratios.md"


@pytest.mark.slow
def test_the_page_is_made_of_the_shipped_data_and_leaves_no_pair_out() -> None:
    known = found()
    assert {(one.pair, one.data.technology, one.clocks) for one in known} == {
        (pair, technology, clocks)
        for pair in PAIRS
        for technology in TECHNOLOGIES
        for clocks in (BEST, EQUAL)
    }
    assert all(one.energy is not None for one in known)
    assert PAGE.read_text() == page(known)

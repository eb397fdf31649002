"""The page of whole models is what the shipped data say."""

from pathlib import Path

import pytest

from bitweight.reports.whole_models import page

PAGE = Path(__file__).parents[2] / "docs" / "whole_models.md"


@pytest.mark.slow
def test_the_page_is_made_of_the_shipped_data() -> None:
    text = page()
    assert PAGE.read_text() == text
    # Two models, two phases, four engines in four formats and two of their own.
    assert text.count("\n| decode |") == text.count("\n| prefill |") == 2 * (4 * 4 + 2)
    assert "nan" not in text

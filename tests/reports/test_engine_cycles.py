from pathlib import Path

import pytest

from bitweight.reports.engine_cycles import gemms, page
from bitweight.sim import ENGINES, design

PAGE = Path(__file__).parents[2] / "docs" / "cycles.md"


@pytest.mark.slow
def test_the_page_in_the_docs_is_what_the_models_say() -> None:
    assert page(ENGINES.values()) == PAGE.read_text()


def test_a_row_has_cycles_and_utilisation_of_four_gemms() -> None:
    assert [(gemm.m, gemm.k, gemm.n) for _, gemm in gemms()] == [
        (128, 576, 576),
        (1, 1536, 576),
        (1, 4096, 4096),
        (128, 4096, 11008),
    ]
    row = page([design("systolic_os/mac")]).splitlines()[-1]
    # 8 x 36 tiles of 16 x 16: 1 + 288 (576 + 16 + 16) + 1 edges.
    assert row.startswith("| `systolic_os/mac` | 175,106<br>94.7% |")

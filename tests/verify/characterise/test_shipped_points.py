"""What is shipped is of the RTL that is here: every netlist's Verilog is emitted again."""

from hashlib import sha256

import pytest

from bitweight.cost_models import TECHNOLOGIES
from bitweight.cost_models.measurements import shipped
from bitweight.verify.characterise.netlists import source


@pytest.mark.slow
def test_shipped_netlists_are_of_the_verilog_that_is_emitted_now() -> None:
    known: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for technology in TECHNOLOGIES:
        for point in shipped(technology).netlists:
            known.setdefault((point.design, point.settings), set()).add(point.verilog_sha256)
    assert known
    stale = [
        address
        for address, digests in known.items()
        if digests != {sha256(source(*address).verilog.encode()).hexdigest()}
    ]
    assert stale == [], "characterise them again"

"""Rows on disk: none lost, none half."""

from dataclasses import replace
from pathlib import Path

import pytest

from bitweight.reports.sweep.journal import appending, finish, journal_path, recover
from bitweight.reports.sweep.row import HEADER, Row, from_line, to_line

REFUSED = Row(
    point="0",
    design="systolic_os/mac",
    settings="rows=8 cols=8",
    format="nf4",
    source='a "trace", so named',
    layer="blk.0.attn_q",
    m=1,
    n=2,
    k=3,
    calls=4,
    technology="sg13g2",
    clock_mhz=0.1,
    refused="no, because",
)
COSTED = replace(
    REFUSED,
    point="1",
    refused="",
    cycles=5,
    utilisation=1 / 3,
    delay_ns=1e-9,
    area_um2=1e20,
    memory_um2=0.0,
    energy_pj=2 / 3,
    energy_pj_per_mac=0.1,
    array_us=7.0,
    buffers_us=0.5,
    dram_bytes=8,
    dram_us=6.0,
    time_us=7.0,
    limiting="array",
    provenance="measured",
)


@pytest.mark.parametrize("row", [REFUSED, COSTED])
def test_a_line_holds_a_row_exactly(row: Row) -> None:
    assert from_line(to_line(row)) == row
    assert to_line(row).count("\n") == 1


def test_appended_rows_are_found_again(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    for row in (COSTED, REFUSED):  # in two runs
        with appending(out) as journal:
            journal.append(row)
    assert recover(out) == {"1": COSTED, "0": REFUSED}


def test_a_cut_is_survived_wherever_it_is(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    lines = [to_line(COSTED), to_line(REFUSED)]
    data = "".join([HEADER, *lines]).encode()
    ends = [len(HEADER), len(HEADER + lines[0]), len(data)]
    for cut in range(len(data) + 1):
        journal_path(out).write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends[1:])
        assert len(recover(out)) == whole
        with appending(out) as journal:
            journal.append(REFUSED)
        kept = {"1": COSTED} if whole else {}
        assert recover(out) == {**kept, "0": REFUSED}


def test_the_final_file_replaces_the_journal(tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    with appending(out) as journal:
        journal.append(COSTED)
    finish(out, [REFUSED, COSTED])
    assert [path.name for path in tmp_path.iterdir()] == ["o.csv"]
    assert out.read_text() == HEADER + to_line(REFUSED) + to_line(COSTED)
    assert recover(out) == {"1": COSTED, "0": REFUSED}


@pytest.mark.parametrize("text", ["a,b\n1,2\n", HEADER + "1,2\n", HEADER + to_line(COSTED) + "x\n"])
def test_another_file_is_not_taken_for_rows(tmp_path: Path, text: str) -> None:
    out = tmp_path / "o.csv"
    out.write_text(text)
    with pytest.raises(ValueError, match=r"o\.csv must hold rows of a sweep of this version"):
        recover(out)

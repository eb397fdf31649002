"""Tables: whole in a pipe, in parts in a narrow terminal, and no number cut short."""

import re
import sys

import pytest

from bitweight.cli.output import print_table

COLUMNS = ("layer", "cycles", "a long heading", "bytes")
ROWS = [["blk.0.attn_q", 1234567, "x", 10], ["blk.1", 9, "yy", 2000000]]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines without rules, colours and bold type."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    return [line for line in text.splitlines() if not line.startswith("─")]


def test_a_pipe_gets_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    assert [line.split() for line in printed(capsys)] == [
        ["layer", "cycles", "a", "long", "heading", "bytes"],
        ["blk.0.attn_q", "1234567", "x", "10"],
        ["blk.1", "9", "yy", "2000000"],
    ]


@pytest.mark.parametrize(
    ("width", "parts"),
    [
        # 12 + 7 + 14 + 7 characters and three gaps of three.
        (49, [COLUMNS]),
        (48, [COLUMNS[:3], ("layer", "bytes")]),
        (38, [COLUMNS[:2], ("layer", "a long heading"), ("layer", "bytes")]),
    ],
)
def test_columns_that_do_not_fit_go_on_below(
    width: int,
    parts: list[tuple[str, ...]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    print_table(COLUMNS, ROWS)
    lines = printed(capsys)
    assert len(lines) == 3 * len(parts)
    assert [" ".join(line.split()) for line in lines[::3]] == [" ".join(part) for part in parts]
    assert "1234567" in lines[1]
    assert "2000000" in lines[-1]
    assert max(map(len, lines)) <= width


def test_a_column_wider_than_the_terminal_is_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    words = "one two three four five"
    print_table(("design", "fields"), [["mac", words]])
    lines = printed(capsys)
    assert " ".join(" ".join(lines).split()) == f"design fields mac {words}"

"""Walk the command line and the README: nothing undocumented, nothing shown that is not so."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from bitweight.cli.app import app_for

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^(<!-- slow -->\n)?```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELISION = "..."


@dataclass(frozen=True)
class Example:
    """A ``$ command`` of the README and the lines shown below it."""

    command: str
    shown: list[str]


def commands(command: object, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every verb with its words, ``bitweight trace info`` for example."""
    group = getattr(command, "commands", None)
    if group is None:
        yield path, command
        return
    for name, sub in group.items():
        yield from commands(sub, f"{path} {name}")


VERBS = dict(commands(typer.main.get_command(app_for([])), "bitweight"))


def read_examples(block: str) -> list[Example]:
    """Split a console block at its ``$`` lines."""
    _, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    return [Example(command, shown) for command, *shown in map(str.splitlines, parts)]


def read_blocks(text: str) -> list[Any]:
    """Return the console blocks as pytest parameters, named by their first commands."""
    return [
        pytest.param(examples, id=examples[0].command, marks=[pytest.mark.slow] if match[1] else [])
        for match in BLOCK.finditer(text)
        for examples in [read_examples(match[2])]
    ]


def is_shown(shown: list[str], printed: list[str]) -> bool:
    """Tell whether the printed lines are those shown.

    A line ``...`` stands for any number of lines, ``...`` at a line's end for its rest. How wide a
    table's columns are is not compared: that follows the longest cell, which may be elided.
    """
    text = "".join(unaligned(line) + "\n" for line in printed)
    return re.fullmatch("".join(map(line_pattern, shown)), text) is not None


def line_pattern(shown: str) -> str:
    """Return a regular expression for the printed lines that a shown line stands for."""
    if shown.strip() == ELISION:
        return r"(?:.*\n)*?"
    start, is_cut, _ = unaligned(shown).partition(f" {ELISION}")
    return re.escape(start.rstrip()) + (r"(?: .*)?\n" if is_cut else r"\n")


def unaligned(line: str) -> str:
    """Return a line with one blank between words and one character of a rule."""
    return re.sub("─+", "─", re.sub(" +", " ", line)).strip()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_helped_scripted_and_documented(verb: str) -> None:
    command = VERBS[verb]
    assert command.help
    options = [option for param in command.params for option in param.opts]
    assert "--json" in options
    assert [param.name for param in command.params if not getattr(param, "help", "")] == []
    assert verb in README.read_text()


@pytest.mark.parametrize("examples", read_blocks(README.read_text()))
def test_the_readme_shows_what_is_printed(examples: list[Example], tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for example in examples:
        done = subprocess.run(
            ["bash", "-c", example.command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        expected_code = 2 if example.shown[:1] and example.shown[0].startswith("error:") else 0
        assert done.returncode == expected_code, done.stderr
        assert is_shown(example.shown, done.stdout.splitlines()), f"printed:\n{done.stdout}"


def test_an_elision_stands_for_any_number_of_lines() -> None:
    assert is_shown(["a", "...", "d"], ["a", "b", "c", "d "])
    assert is_shown(["...", "d"], ["d"])
    assert not is_shown(["a", "...", "d"], ["a", "b", "c"])
    assert not is_shown(["a"], ["a", "b"])
    assert not is_shown(["a.c"], ["abc"])


def test_an_elision_at_a_lines_end_stands_for_its_rest() -> None:
    assert is_shown(["a  b ..."], ["a b c"])
    assert is_shown(["a b ..."], ["a b"])
    assert not is_shown(["a b ..."], ["a bc"])
    assert not is_shown(["a b ..."], ["a b c", "d"])


def test_column_widths_are_not_compared() -> None:
    assert is_shown(["a   b", "─────"], ["a      b", "────────"])
    assert not is_shown(["a b"], ["ab"])


def test_blocks_are_read_with_their_mark_and_outputs() -> None:
    text = (
        "```console\n$ one\n1\n\n2\n$ two\n```\ntext\n"
        "<!-- slow -->\n```console\n$ three\n...\n```\n"
    )
    quick, slow = read_blocks(text)
    assert quick.values == ([Example("one", ["1", "", "2"]), Example("two", [])],)
    assert slow.values == ([Example("three", ["..."])],)
    assert [mark.name for mark in slow.marks] == ["slow"]
    assert not quick.marks

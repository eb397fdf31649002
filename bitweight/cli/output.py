"""What verbs print: on stdout a table or one JSON document, on stderr progress."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

# Without a terminal nothing limits the width: a table in a file or a pipe is never folded.
_PIPE_WIDTH = 500


def print_json(document: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned.

    Args:
        columns: Headings.
        rows: Cells, shown by ``str``.
    """
    cells = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, heading in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(heading, justify="right" if numeric else "left")
    for row in cells:
        table.add_row(*map(str, row))
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False)
    with console.capture() as captured:
        console.print(table, highlight=False)
    # Cells are padded to their column's width; the last one's padding is only noise in a pipe.
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().split("\n")[:-1])


def fail(reasons: Iterable[str]) -> NoReturn:
    """Print why a check failed, a line for each reason, on stderr, and exit with 1."""
    sys.stderr.writelines(f"failed: {reason}\n" for reason in reasons)
    raise typer.Exit(1)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, of unknown length until the yielded function is first called."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

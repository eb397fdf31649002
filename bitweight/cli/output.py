"""What verbs print: on stdout a table or one JSON document, on stderr progress."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

# Without a terminal nothing limits the width: a table in a file or a pipe is never folded.
_PIPE_WIDTH = 500
# Blanks between two columns, and the place of a rule.
_GAP = 3


def print_json(document: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned.

    In a terminal that is too narrow columns go on in further tables, each with the first column
    again: a number cut short is worth less than none.

    Args:
        columns: Headings.
        rows: Cells, shown by ``str``.
    """
    cells = [list(row) for row in rows]
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False)
    for part in _parts(columns, cells, console.width):
        _print_columns(
            console, [columns[i] for i in part], [[row[i] for i in part] for row in cells]
        )


def _parts(
    columns: Sequence[str], cells: Sequence[Sequence[object]], width: int
) -> Iterator[list[int]]:
    """Yield which columns fit side by side, the first one always and at least one beside it."""
    widths = [
        max(map(cell_len, [heading, *(str(row[i]) for row in cells)]))
        for i, heading in enumerate(columns)
    ]
    part, used = [0], widths[0]
    for i in range(1, len(columns)):
        if len(part) > 1 and used + _GAP + widths[i] > width:
            yield part
            part, used = [0], widths[0]
        part.append(i)
        used += _GAP + widths[i]
    yield part


def _print_columns(
    console: Console, columns: Sequence[str], cells: Sequence[Sequence[object]]
) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, heading in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(heading, justify="right" if numeric else "left")
    for row in cells:
        table.add_row(*map(str, row))
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

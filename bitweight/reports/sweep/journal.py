"""Rows on disk while a sweep runs: a kill at any moment loses at most the row being written.

Finished rows are appended to a file beside the final one, a line at a time, each flushed to the
disk before the next. A line that a kill cut short has no end, and is dropped. When all points are
there the final file is written whole and the other removed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bitweight.reports.sweep.row import HEADER, Row, from_line, to_line
from bitweight.workloads.whole_files import write_whole


def journal_path(out: Path) -> Path:
    """Return where rows are kept until ``out`` is whole."""
    return out.with_name(f"{out.name}.partial")


def recover(out: Path) -> dict[str, Row]:
    """Return the rows that earlier runs finished, by point; a torn last line is cut off the file.

    Raises:
        ValueError: If a file is there that no sweep of this version wrote.
        OSError: If a file cannot be read.
    """
    journal = journal_path(out)
    if journal.exists():
        data = journal.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            os.truncate(journal, len(whole))
    return {row.point: row for path in (out, journal) if path.exists() for row in _rows(path)}


@contextmanager
def appending(out: Path) -> Iterator["Appender"]:
    """Open the journal of ``out`` to append rows to."""
    with journal_path(out).open("ab") as file:
        appender = Appender(file.fileno())
        if not file.tell():
            appender.write(HEADER)
        yield appender


class Appender:
    """Appends whole lines."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, row: Row) -> None:
        """Append a row; it is on the disk when this returns."""
        self.write(to_line(row))

    def write(self, line: str) -> None:
        """Append a line."""
        data = line.encode()
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)


def finish(out: Path, rows: Iterable[Row]) -> None:
    """Write the final file whole and remove the journal."""
    write_whole(out, "".join([HEADER, *map(to_line, rows)]).encode())
    journal_path(out).unlink(missing_ok=True)


def _rows(path: Path) -> list[Row]:
    header, *lines = path.read_text().splitlines(keepends=True) or [HEADER]
    try:
        if header != HEADER:
            raise ValueError("its columns are others")  # noqa: TRY301 - one message for all
        return [from_line(line) for line in lines]
    except ValueError as error:
        raise ValueError(
            f"{path} must hold rows of a sweep of this version ({error}); "
            "name another output, or remove it"
        ) from error

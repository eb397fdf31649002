"""Files that are either whole or not there.

A file is written beside its final name and renamed, so that a kill or a full disk leaves the old
file or the new one, never a part.
"""

import errno
import os
from pathlib import Path


def check_writable(path: Path) -> None:
    """Raise ``OSError`` unless ``path`` could be written now: before hours of work, not after."""
    _write_beside(path, b"").unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, replacing what was there in one step.

    Raises:
        OSError: If the folder is missing or cannot be written; nothing is left behind.
    """
    partial = _write_beside(path, data)
    try:
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_beside(path: Path, data: bytes) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):  # tell the name that was asked for
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    return partial

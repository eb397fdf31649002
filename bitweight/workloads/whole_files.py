"""Files that are either whole or not there.

A file is written beside its final name and renamed, so that a kill or a full disk leaves the old
file or the new one, never a part.
"""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, replacing what was there in one step.

    Raises:
        OSError: If the folder is missing or cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

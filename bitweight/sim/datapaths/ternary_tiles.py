"""Where bitnet.cpp's converter puts each byte of TL1 and TL2: one address per output and k.

The converter cuts a matrix into tiles, slices and blocks; an address is a number with one digit
for each level. Bytes of a tile order are gathered with these addresses, so a datapath gets the
same beats whatever the order in memory.

Source: microsoft/BitNet, utils/convert-hf-to-gguf-bitnet.py.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.tl2 import Sections, Tl2

_SLICE_ROWS = 32
_TAIL_COLUMNS = 32
_BYTE_COLUMNS = 4

Level = tuple[NDArray[np.int64], int]


def pair_byte_places(form: Tl1, *, k: int, n: int) -> NDArray[np.int64]:
    """Return the address of each TL1 byte, shape (n, k / 4)."""
    assert form.tile_rows
    row, column = np.arange(n)[:, None], np.arange(0, k, _BYTE_COLUMNS)
    rows, columns, inner = form.tile_rows, form.tile_columns, form.slice_rows
    block = 256 // inner
    return _address(
        [
            (row // rows, n // rows),
            (column // columns, k // columns),
            (row % rows // inner, rows // inner),
            (column % columns // block, columns // block),
            (row % inner // 16, inner // 16),
            (column % block // 4, block // 4),
            (row % 16, 16),
        ]
    )


def index_byte_places(form: Tl2, parts: Sections, *, n: int) -> NDArray[np.int64]:
    """Return the address of each byte of triple indices, shape (n, k / 6)."""
    return _byte_places(form, n, parts.three, form.tile_columns, 6)


def tail_byte_places(form: Tl2, parts: Sections, *, n: int) -> NDArray[np.int64]:
    """Return the address of each byte of the TL1 tail in its section, shape (n, k / 4)."""
    return _byte_places(form, n, parts.two, _TAIL_COLUMNS, _BYTE_COLUMNS)


def sign_places(form: Tl2, parts: Sections, *, n: int) -> tuple[NDArray[np.int64], ...]:
    """Return the sign word of each triple in its section and its bit, each of shape (n, k / 3)."""
    assert form.tile_rows
    row, column = np.arange(n)[:, None], np.arange(0, parts.three, 3)
    rows, columns = form.tile_rows, form.tile_columns
    word = _address(
        [
            (row // rows, n // rows),
            (column // columns, parts.three // columns),
            (row % rows // _SLICE_ROWS, rows // _SLICE_ROWS),
            (column % columns // 24, columns // 24),
            (row % 16, 16),
        ]
    )
    return word, 15 - (2 * (column % 24 // 3) + row % _SLICE_ROWS // 16)


def _byte_places(form: Tl2, n: int, k: int, columns: int, byte_columns: int) -> NDArray[np.int64]:
    assert form.tile_rows
    row, column = np.arange(n)[:, None], np.arange(0, k, byte_columns)
    rows = form.tile_rows
    # Runs of 8 outputs are ordered 0, 2, 1, 3, which swaps the two bits of a run's number.
    run = row % _SLICE_ROWS // 8
    return _address(
        [
            (row // rows, n // rows),
            (column // columns, k // columns),
            (row % rows // _SLICE_ROWS, rows // _SLICE_ROWS),
            (column % columns // byte_columns, columns // byte_columns),
            (run % 2, 2),
            (run // 2, 2),
            (row % 8, 8),
        ]
    )


def _address(levels: Sequence[Level]) -> NDArray[np.int64]:
    """Return the number whose digits are given from the highest, each with its base."""
    address = np.zeros((1, 1), np.int64)
    for digit, base in levels:
        address = address * base + digit
    return address

"""Clocks per MAC of digit engines on the shipped layers, against the bound, as a table of the docs.

The published engines are given their issue clocks alone, without loading, filling and draining.
Ours is ``steady_cycles``: ``result.cycles`` less first fill and last drain, loads included. Run as
a program it brings a page up to date::

    python -m bitweight.reports.digit_clocks docs/column_engines.md
"""

import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitweight.sim import DESIGNS
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.recoding import Recoding
from bitweight.workloads import Trace
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.whole_files import write_whole

_GROUP = 4
_LANES = 4


def group_clocks(a: NDArray[np.integer], code: Recoding, form: IntFormat) -> NDArray[np.int64]:
    """Return the clocks of every group of four k at each bit-weight, shape (m, groups, digits).

    A clock for each non-zero digit, at least one (arXiv 2503.06342, OPT3).
    """
    digits = code.digit_table(form)[a.astype(np.int64) & form.mask] != 0
    m, k, count = digits.shape
    padded = np.zeros((m, -(-k // _GROUP) * _GROUP, count), np.int64)
    padded[:, :k] = digits
    clocks: NDArray[np.int64] = np.maximum(1, padded.reshape(m, -1, _GROUP, count).sum(axis=2))
    return clocks


def shared_encoder_clocks(groups: NDArray[np.int64]) -> int:
    """Return the clocks of OPT3 and OPT4C on four columns for one tile of outputs.

    Rows are dealt to columns, and a tile of rows ends with its slowest. A single row is split
    along k over the columns instead, or three of them would idle.
    """
    if len(groups) == 1:
        return max(int(part.sum()) for part in np.array_split(groups[0], _LANES))
    rows = groups.sum(axis=(1, 2))
    return int(np.maximum.reduceat(rows, np.arange(0, len(rows), _LANES)).sum())


def grouped_clocks(groups: NDArray[np.int64]) -> int:
    """Return the clocks of OPT4E for one tile of outputs: a barrier at each bit-weight."""
    m, count, digits = groups.shape
    padded = np.zeros((m, -(-count // _LANES) * _LANES, digits), np.int64)
    padded[:, :count] = groups
    return int(padded.reshape(m, -1, _LANES, digits).sum(axis=1).max(axis=1).sum())


def table() -> str:
    """Return the table in Markdown: every layer of the example, prefill and decode."""
    spec = DESIGNS["column/dealt"]
    assert isinstance(spec, DealtColumnSpec), "the engine that the table is about"
    lines = [
        "| layer | rows | bound | OPT3, OPT4C | OPT4E | `column/dealt` |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for layer in Trace.example().integer_layers:
        x = layer.x
        cases = (
            (f"all {len(x)}", x),
            ("first", x[:1]),
            ("last", x[-1:]),
        )
        for name, rows in cases:
            lines.append(f"| {layer.name} | {name} | {_cells(spec, rows, layer.n)} |")
    return "\n".join(lines) + "\n"


def _cells(spec: DealtColumnSpec, a: NDArray[np.integer], n: int) -> str:
    groups = group_clocks(a, spec.pe.code, spec.pe.a)
    counts = spec.pe.code.nonzero_counts(spec.pe.a)[a.astype(np.int64) & spec.pe.a.mask]
    bound = int(counts.sum(dtype=np.int64)) / _LANES
    tiles = -(-n // spec.pes)
    found = (
        float(shared_encoder_clocks(groups)),
        float(grouped_clocks(groups)),
        spec.steady_cycles(a, n=n) / tiles,
    )
    cells = [f"{clocks / a.size:.3f} ({clocks / bound - 1:+.1%})" for clocks in found]
    return " | ".join([f"{bound / a.size:.3f}", *cells])


def renew(page: str) -> str:
    """Return ``page`` with its table replaced by what the models say now."""
    return re.sub(r"^\| layer \|.*?\n(?!\|)", lambda _: table(), page + "\n", flags=re.M | re.S)[
        :-1
    ]


def main() -> None:
    """Bring the page named on the command line up to date."""
    path = Path(sys.argv[1])
    write_whole(path, renew(path.read_text()).encode())


if __name__ == "__main__":
    main()

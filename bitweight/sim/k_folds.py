"""Folds of a GEMM on an engine that keeps weights: order, beats and edges.

A fold is ``lanes`` k by ``columns`` n of b, kept while rows of a stream past. Rows come in chunks
of ``acc_depth``, since so many sums fit the memory behind each column; the folds along k of a chunk
follow each other and add up there. n is outermost, then chunks, then folds along k, then rows.

Edges without stalls. A beat of b carries one column, so a fold loads in ``columns`` edges: while
the one before computes (``double_buffer``) or after its last row. The next fold starts after::

    period(r) = max(r, columns)  or  r + columns         r: rows of the fold

A chunk leaves, one row an edge, once its last row is complete everywhere: it is read ``wait = depth
+ columns`` edges after that row was accepted. Meanwhile the first fold of the next chunk follows it
row by row, since it writes the memory but need not read it; the second may not start before the
chunk has left (nor the first, if it is the only one). Between the starts of the last folds of a
chunk of q rows and of the next one, of r rows in f folds along k, there are therefore::

    step(q, r) = q + wait + (q  if f = 1 else  max(period(r), q) + (f - 2) period(r))
    cycles = columns + 2 + (f - 1) period(first r) + sum of steps + 2 (last r) + wait - 1

Source: the stationary engines of arXiv 2503.06342 end at partial sums; accumulating folds is ours.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import Locate, PortBeats
from bitweight.sim.spec import EngineSpec


class FoldedSpec(EngineSpec, Protocol):
    """An engine that keeps folds of b and accumulates behind its columns."""

    @property
    def lanes(self) -> int:
        """Length of a fold along k."""
        ...

    @property
    def columns(self) -> int:
        """Length of a fold along n; column j works j edges after column 0."""
        ...

    @property
    def acc_depth(self) -> int:
        """Rows that the memory behind a column holds."""
        ...

    @property
    def double_buffer(self) -> bool:
        """Whether a fold loads while the one before computes."""
        ...

    @property
    def depth(self) -> int:
        """Edges from the one that accepts a row to the sum of column 0, both included."""
        ...

    @property
    def front_latency(self) -> int:
        """Registers between the one that accepts a row and the one that column 0 reads."""
        ...


def fold_count(spec: FoldedSpec, *, n: int, k: int) -> tuple[int, int]:
    """Return the folds along n and along k."""
    return -(-n // spec.columns), -(-k // spec.lanes)


def fold_cycles(spec: FoldedSpec, *, m: int, n: int, k: int) -> int:
    """Return the cycles of a GEMM in closed form."""
    n_folds, k_folds = fold_count(spec, n=n, k=k)
    chunks, last = -(-m // spec.acc_depth), (m - 1) % spec.acc_depth + 1
    full = spec.acc_depth if chunks > 1 else last
    # From the first row of a chunk's last fold to that of the next chunk's last fold.
    within = (chunks - 2) * _step(spec, full, full, k_folds) if chunks > 1 else 0
    into_last = _step(spec, full, last, k_folds) if chunks > 1 else 0
    across = _step(spec, last, full, k_folds)
    started = spec.columns + 2 + (k_folds - 1) * _period(spec, full)
    started += n_folds * (within + into_last) + (n_folds - 1) * across
    return started + last + _wait(spec) - 1 + last


def _period(spec: FoldedSpec, rows: int) -> int:
    """Edges from a fold's first row to the next one's."""
    return max(rows, spec.columns) if spec.double_buffer else rows + spec.columns


def _wait(spec: FoldedSpec) -> int:
    """Edges from the one that accepts a chunk's last row to the one that reads its first sum."""
    return spec.depth + spec.columns


def _step(spec: FoldedSpec, before: int, rows: int, k_folds: int) -> int:
    """Edges from the start of a chunk's last fold to that of the next chunk's last fold."""
    first = before + _wait(spec)
    if k_folds == 1:
        return first + before
    period = _period(spec, rows)
    return first + max(period, before) + (k_folds - 2) * period


def fold_beats(spec: FoldedSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    """Return what the ports carry: rows of a, columns of b, rows of C."""
    n_folds, k_folds = fold_count(spec, n=n, k=k)
    chunks = -(-m // spec.acc_depth)
    ports = {
        "a": PortBeats(
            matrix="A",
            count=n_folds * k_folds * m,
            lanes=spec.lanes,
            locate=_a_lanes(spec, m, k_folds),
        ),
        "b": PortBeats(
            matrix="B",
            count=n_folds * chunks * k_folds * spec.columns,
            lanes=spec.lanes,
            locate=_b_lanes(spec, chunks, k_folds),
        ),
        "c": PortBeats(matrix="C", count=n_folds * m, lanes=spec.columns, locate=_c_lanes(spec, m)),
    }
    return MappingProxyType(ports)


def _a_lanes(spec: FoldedSpec, m: int, k_folds: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        chunk, within = np.divmod(beat % (m * k_folds), spec.acc_depth * k_folds)
        # Only the last chunk of rows can be short, so the chunks before it are all full.
        rows = np.minimum(spec.acc_depth, m - chunk * spec.acc_depth)
        k_fold, row = np.divmod(within, rows)
        columns = (k_fold * spec.lanes)[:, None] + np.arange(spec.lanes)
        return np.broadcast_to((chunk * spec.acc_depth + row)[:, None], columns.shape), columns

    return locate


def _b_lanes(spec: FoldedSpec, chunks: int, k_folds: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        fold, column = np.divmod(beat, spec.columns)
        rows = (fold % k_folds * spec.lanes)[:, None] + np.arange(spec.lanes)
        n_fold = fold // (chunks * k_folds)
        return rows, np.broadcast_to((n_fold * spec.columns + column)[:, None], rows.shape)

    return locate


def _c_lanes(spec: FoldedSpec, m: int) -> Locate:
    def locate(beat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        n_fold, row = np.divmod(beat, m)
        columns = (n_fold * spec.columns)[:, None] + np.arange(spec.columns)
        return np.broadcast_to(row[:, None], columns.shape), columns

    return locate

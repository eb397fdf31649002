"""Tiles of a real layer that fill an engine: what its energy is measured on.

A tile has as many rows as the engine takes at once and as many columns as give it a few hundred
clocks, so that filling and draining weigh as little as in a layer. Integer weights that an engine's
``b`` cannot hold are rounded to it, each output by its own scale; packed ones are encoded.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import beats, simulate
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.packed_layers import engine_of
from bitweight.verify.engine_check import Work
from bitweight.verify.packed_plan import real_tile
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.trace import Trace

_LEAST_CLOCKS = 500
_MOST_CLOCKS = 5000
# Sizes at which an engine shows its whole reach.
_PROBE = 64
# Engines that hold few rows at once keep b for many: of these a tile has several batches of rows.
_MANY_ROWS = 8
_BATCHES = 3


@singledispatch
def full_tile(spec: Any) -> Work:
    """Return a tile of the shipped example's first layer that fills an engine of integers."""
    layer = Trace.example().integer_layers[0]
    x = layer.x_slice(slice(None))
    if not spec.pe.a.admits(x):
        raise ValueError(f"Activations of {layer.name} must fit {spec.pe.a}, the engine's a")

    def tile(m: int, n: int) -> Work:
        w = layer.w_slice(slice(None), slice(0, n))
        return Work(f"tile of {layer.name}", x[:m], _rounded(w, spec.pe.b))

    return _long_enough(spec, tile, *_reach(spec, layer.m), layer.n)


@full_tile.register
def _(spec: BlockDotSpec) -> Work:
    layer = Trace.example().integer_layers[0]
    k = layer.k // spec.k_multiple * spec.k_multiple

    def tile(m: int, n: int) -> Work:
        whole = -(-n // spec.n_multiple) * spec.n_multiple
        return _only(real_tile(spec.pe, m=m, n=whole, k=k), spec)

    return _long_enough(spec, tile, spec.rows, spec.columns, layer.n)


@full_tile.register
def _(spec: DecodedSpec) -> Work:
    layer = Trace.example().integer_layers[0]
    pe: Any = engine_of(spec.decoder).pe
    source = replace(pe, a=spec.engine.pe.a)
    # A float scale ends a GEMM: one group is one run.
    k = spec.lane.gemm_group or layer.k

    def tile(m: int, n: int) -> Work:
        return _only(real_tile(source, m=m, n=n, k=k), spec)

    return _long_enough(spec, tile, *_reach(spec, layer.m), layer.n)


def _reach(spec: Any, m: int) -> tuple[int, int]:
    """Return the rows of a tile, of at most ``m``, and the columns of C that fill the engine."""
    ports = beats(spec, m=m, n=_PROBE, k=_PROBE)
    first = np.zeros(1, np.int64)
    rows = len(np.unique(ports["a"].locate(first)[0]))
    columns = max(len(np.unique(ports[port].locate(first)[1])) for port in ("b", "c"))
    if rows == 1:
        rows = m
    elif rows < _MANY_ROWS:
        rows *= _BATCHES
    return min(m, rows), columns


def _long_enough(spec: Any, tile: Callable[[int, int], Work], m: int, n: int, most: int) -> Work:
    """Return the tile of fewest columns that takes enough clocks, with rows left out of a long one.

    Args:
        spec: The engine.
        tile: Makes a tile of so many rows and columns.
        m: Rows at most.
        n: Columns at least.
        most: Columns at most.
    """
    work = tile(m, min(n, most))
    while n < most and _cycles(spec, work) < _LEAST_CLOCKS:
        n *= 2
        work = tile(m, min(n, most))
    while m > 1 and _cycles(spec, work) > _MOST_CLOCKS:
        m = -(-m // 2)
        work = tile(m, min(n, most))
    return work


def _cycles(spec: Any, work: Work) -> int:
    return simulate(spec, work.a, work.b).cycles


def _rounded(w: NDArray[Any], form: IntFormat) -> NDArray[Any]:
    if form.admits(w):
        return w
    scale = form.max / np.maximum(np.abs(w.astype(np.float64)).max(axis=0), 1)
    rounded: NDArray[np.int64] = np.rint(w * scale).astype(np.int64)
    return rounded


def _only(works: Iterator[Work], spec: Any) -> Work:
    work = next(works, None)
    if work is None:
        raise ValueError(f"{spec.name} must take the shipped example's activations")
    return work

"""What ``bitweight verify`` runs for an engine of packed weights.

* The design as it is, once: the smallest GEMM, ragged tiles and groups, the ends of the
  activations, and a tile of a real layer that is encoded first.
* Small variants: each turn of the datapath's switches, other widths of its format, groups so short
  that results set the pace, and other activation formats that it takes.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bitweight.sim.catalog import DATAPATHS
from bitweight.sim.datapath import DatapathSpec, draw
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.verify.engine_check import Work
from bitweight.verify.plan import Check, drawn_codes, plan_checks, switches
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8
from bitweight.workloads.quantize import encode
from bitweight.workloads.trace import Trace
from bitweight.workloads.weight_formats import FORMATS

_DRAWN_GEMMS = 6
_MAX_DRAWN_SIZE = 8
_ACTIVATIONS = (INT4, INT8, INT16, UINT8)
_CHUNKS = 3


@plan_checks.register
def _(spec: BlockDotSpec, *, seed: int = 0) -> list[Check]:
    rng = np.random.default_rng(seed)
    checks = [Check("as given", spec, tuple(_fixed_works(spec, rng)), seed)]
    checks += [
        Check(label, variant, tuple(_drawn_works(variant, rng)), seed)
        for label, variant in _variants(spec.small)
    ]
    return checks


def _variants(spec: BlockDotSpec) -> Iterator[tuple[str, BlockDotSpec]]:
    """Yield the small engine, with each switch of its datapath turned, and other activations."""
    pe: Any = spec.pe
    yield "small", spec
    for setting, turned in switches(pe):
        yield f"small pe.{setting}", replace(spec, pe=turned)
    listed = [spec.pe.format for spec in DATAPATHS.values()]
    for weights in FORMATS.values():
        if type(weights) is type(pe.format) and weights not in listed:
            yield f"small {weights.name}", replace(spec, pe=replace(pe, format=weights))
    if pe.group is not None:
        group = math.lcm(pe.walk.chunk, spec.k_multiple)
        short = replace(pe, format=replace(pe.format, group=group))
        yield f"small pe.format.group={group}", replace(spec, pe=short)
    for form in _ACTIVATIONS:
        if form == pe.a:
            continue
        try:
            yield f"small pe.a={form}", replace(spec, pe=replace(pe, a=form))
        except ValueError:
            # A datapath of its own widths says so in its constructor.
            continue


def _fixed_works(spec: BlockDotSpec, rng: np.random.Generator) -> Iterator[Work]:
    step = spec.k_multiple
    yield _drawn("smallest", spec, (1, 1, step), rng)
    sizes = (spec.rows + 1, spec.columns + 1, _ragged_k(spec))
    yield _drawn("ragged tiles", spec, sizes, rng)
    for name, code in (("least activations", spec.pe.a.min), ("greatest", spec.pe.a.max)):
        work = _drawn(name, spec, (spec.rows, spec.columns, _ragged_k(spec)), rng)
        yield replace(work, a=np.full_like(work.a, code))
    yield from _real_tile(spec)


def _ragged_k(spec: BlockDotSpec) -> int:
    """Return a k of two groups, or of two side beats, and a little; at least some chunks."""
    pe, step = spec.pe, spec.k_multiple
    served = pe.side.beats * pe.walk.chunk // len(pe.walk.lanes) if pe.side else 0
    whole = max(2 * (pe.group or served), _CHUNKS * pe.walk.chunk)
    return -(-whole // step) * step + step


def _whole(spec: BlockDotSpec, n: int) -> int:
    """Return the least n from ``n`` up that the engine takes."""
    return -(-n // spec.n_multiple) * spec.n_multiple


def _real_tile(spec: BlockDotSpec) -> Iterator[Work]:
    layer = Trace.example().integer_layers[0]
    k = layer.k // spec.k_multiple * spec.k_multiple
    yield from real_tile(spec.pe, m=spec.rows + 1, n=_whole(spec, spec.columns + 1), k=k)


def real_tile(pe: DatapathSpec, *, m: int, n: int, k: int) -> Iterator[Work]:
    """Yield a tile of the shipped example's first layer, its weights encoded.

    None if the datapath does not take the layer's activations.
    """
    layer = Trace.example().integer_layers[0]
    columns = slice(0, min(n, layer.n))
    x = layer.x_slice(slice(0, min(m, layer.m)), slice(0, k))
    scale = np.broadcast_to(1.0 if layer.w_scale is None else layer.w_scale, layer.n)[columns]
    w = layer.w_slice(slice(0, k), columns) * scale.astype(np.float64)
    if pe.a.admits(x):
        yield Work(f"tile of {layer.name}", x.astype(np.int64), encode(pe.format, w))


def _drawn_works(spec: BlockDotSpec, rng: np.random.Generator) -> Iterator[Work]:
    yield _drawn("least k", spec, (2, 3, spec.k_multiple), rng)
    steps = 2 * _ragged_k(spec) // spec.k_multiple
    for number in range(_DRAWN_GEMMS):
        m, n = (int(size) for size in rng.integers(1, _MAX_DRAWN_SIZE, 2))
        k = int(rng.integers(1, steps)) * spec.k_multiple
        yield _drawn(f"drawn {number}", spec, (m, n, k), rng)


def _drawn(
    name: str, spec: BlockDotSpec, sizes: tuple[int, int, int], rng: np.random.Generator
) -> Work:
    m, n, k = sizes
    return drawn_work(name, spec.pe, rng, m=m, n=_whole(spec, n), k=k)


def drawn_work(
    name: str, pe: DatapathSpec, rng: np.random.Generator, *, m: int, n: int, k: int
) -> Work:
    """Draw activations, extremes a quarter of the time, and legal weights."""
    a = drawn_codes(pe.a, (m, k), rng)
    return Work(name, a, draw(pe, rng, k=k, n=n))

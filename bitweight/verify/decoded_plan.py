"""What ``bitweight verify`` runs for an engine behind a decoder.

Engine and format have checks of their own; these are of the decoder between them: the design as it
is, with the ends of the activations and a tile of a real layer that is encoded first, and the small
engine on drawn sizes. Groups with a float scale are one GEMM each.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bitweight.sim.datapath import DatapathSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.packed_layers import engine_of
from bitweight.verify.engine_check import Work
from bitweight.verify.packed_plan import drawn_work, real_tile
from bitweight.verify.plan import Check, plan_checks, tile_reach
from bitweight.workloads.trace import Trace

_DRAWN_GEMMS = 6
_MAX_DRAWN_SIZE = 8
_LEAST_K = 40


@plan_checks.register
def _(spec: DecodedSpec, *, seed: int = 0) -> list[Check]:
    rng = np.random.default_rng(seed)
    small = spec.small
    return [
        Check("as given", spec, tuple(_fixed_works(spec, rng)), seed),
        Check("small", small, tuple(_drawn_works(small, rng)), seed),
    ]


def _source(spec: DecodedSpec) -> DatapathSpec:
    """Return a datapath of the format, which knows how to draw and encode weights."""
    pe: Any = engine_of(spec.decoder).pe
    source: DatapathSpec = replace(pe, a=spec.engine.pe.a)
    return source


def _greatest_k(spec: DecodedSpec, least: int) -> int:
    """Return k of one GEMM: of a scale group, or of two groups of side integers and a little."""
    lane = spec.lane
    if lane.gemm_group is not None:
        return min(lane.gemm_group, least)
    return max(least, 2 * (lane.side_group or 0) + 3)


def _fixed_works(spec: DecodedSpec, rng: np.random.Generator) -> Iterator[Work]:
    source = _source(spec)
    m, n = tile_reach(spec)
    k = _greatest_k(spec, _LEAST_K)
    yield drawn_work("smallest", source, rng, m=1, n=1, k=1)
    yield drawn_work("ragged tiles", source, rng, m=m + 3, n=n + 1, k=k)
    for name, code in (("least activations", source.a.min), ("greatest", source.a.max)):
        work = drawn_work(name, source, rng, m=2, n=3, k=k)
        yield replace(work, a=np.full_like(work.a, code))
    real_k = _greatest_k(spec, Trace.example().integer_layers[0].k)
    yield from real_tile(source, m=m, n=n, k=real_k)


def _drawn_works(spec: DecodedSpec, rng: np.random.Generator) -> Iterator[Work]:
    source = _source(spec)
    for number in range(_DRAWN_GEMMS):
        m, n = (int(size) for size in rng.integers(1, _MAX_DRAWN_SIZE, 2))
        k = int(rng.integers(1, _greatest_k(spec, _LEAST_K) + 1))
        yield drawn_work(f"drawn {number}", source, rng, m=m, n=n, k=k)

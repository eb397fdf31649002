"""What ``bitweight verify`` runs for a design: which variants, on which GEMMs.

* The design as it is, once: the smallest GEMM, ragged sizes, the extremes of both formats, and a
  tile of a real layer where the formats hold its codes.
* Small variants of it, since these build in seconds: each operand format pair below, each turn of
  its switches, on drawn sizes and operands.
"""

import enum
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import beats
from bitweight.sim.recoding import RECODINGS
from bitweight.sim.spec import DesignSpec, EngineSpec
from bitweight.verify.engine_check import Work
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.trace import Trace

FORMAT_PAIRS = ("int8xint8", "int8xint4", "int4xint4", "uint8xint8", "int16xint8")
_DRAWN_GEMMS = 6
_MAX_DRAWN_SIZE = 13
_MAX_DRAWN_DEPTH = 40
_SATURATED = 14
_MIN_TILE_ROWS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One design to build and the GEMMs to run on it.

    Attributes:
        label: What distinguishes it from the design that was asked for.
        spec: The engine.
        works: GEMMs.
        seed: Seed of the stalls.
    """

    label: str
    spec: DesignSpec
    works: tuple[Work, ...]
    seed: int


@singledispatch
def plan_checks(spec: Any, *, seed: int = 0) -> list[Check]:
    """Return the checks of a design.

    Args:
        spec: The engine; one of packed weights has a plan of its own (``verify.packed_plan``).
        seed: Seed of drawn sizes, operands and stalls.
    """
    rng = np.random.default_rng(seed)
    checks = [Check("as given", spec, tuple(_fixed_works(spec, rng)), seed)]
    checks += [
        Check(label, variant, tuple(_drawn_works(variant, rng)), seed)
        for label, variant in _variants(spec)
    ]
    return checks


def _variants(spec: EngineSpec) -> Iterator[tuple[str, EngineSpec]]:
    """Yield small engines: every format pair, going round the turns of the spec's switches."""
    turns = list(_turns(spec.small))
    for number in range(max(len(FORMAT_PAIRS), len(turns))):
        pair = FORMAT_PAIRS[number % len(FORMAT_PAIRS)]
        a, b = (IntFormat.parse(text) for text in pair.split("x"))
        label, turned = turns[number % len(turns)]
        varied = _vary(turned, pe=replace(turned.pe, a=a, b=b))
        yield " ".join(filter(None, ("small", pair, label))), varied


def _turns(spec: EngineSpec) -> Iterator[tuple[str, Any]]:
    """Yield ``spec``, with one switch of it or of its PE turned, saturating, and all at once."""
    yield "", spec
    for setting, turned in switches(spec):
        yield setting, turned
    for setting, pe in switches(spec.pe):
        yield f"pe.{setting}", _vary(spec, pe=pe)
    saturating = _vary(spec, saturate_to=_SATURATED)
    yield f"saturate_to={_SATURATED}", saturating
    yield "all switches", _all_switched(saturating)


def _all_switched(spec: Any) -> Any:
    """Return ``spec`` with the last choice of each switch of it and of its PE."""
    for owner in (False, True):
        names = {setting.partition("=")[0] for setting, _ in switches(spec.pe if owner else spec)}
        for name in sorted(names):
            part = spec.pe if owner else spec
            last = [p for setting, p in switches(part) if setting.partition("=")[0] == name][-1]
            spec = _vary(spec, pe=last) if owner else last
    return spec


def switches(spec: Any) -> Iterator[tuple[str, Any]]:
    """Yield a spec with one of its bools, enums or recodings changed at a time."""
    kinds = typing.get_type_hints(type(spec))
    for field in fields(spec):
        current, kind = getattr(spec, field.name), kinds[field.name]
        choices: Iterable[Any] = ()
        if kind is bool:
            choices = (not current,)
        elif field.name == "recoding":
            choices = RECODINGS
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            choices = kind
        for choice in choices:
            if choice != current:
                setting = f"{field.name}={str(choice).lower()}"
                yield setting, replace(spec, **{field.name: choice})


def _vary(spec: Any, **changes: Any) -> Any:
    return replace(spec, **changes)


def _fixed_works(spec: EngineSpec, rng: np.random.Generator) -> Iterator[Work]:
    a, b = spec.pe.a, spec.pe.b
    tile_m, tile_n = tile_reach(spec)
    yield _drawn("smallest", spec, (1, 1, 1), rng)
    yield _drawn("ragged tiles", spec, (tile_m + 3, tile_n + 1, 5), rng)
    for name, x, y in (
        ("least codes", a.min, b.min),
        ("least by greatest", a.min, b.max),
        ("greatest codes", a.max, b.max),
    ):
        yield Work(name, np.full((2, 64), x), np.full((64, 3), y))
    yield from _real_tile(spec, tile_m, tile_n)


def tile_reach(spec: DesignSpec) -> tuple[int, int]:
    """Return how many rows of C a beat of a reaches, at least 4, and how many columns one of b."""
    ports = beats(spec, m=1, n=1, k=1)
    first = np.zeros(1, np.int64)
    rows, columns = ports["a"].locate(first)[0], ports["b"].locate(first)[1]
    return max(_MIN_TILE_ROWS, len(np.unique(rows))), len(np.unique(columns))


def _real_tile(spec: EngineSpec, tile_m: int, tile_n: int) -> Iterator[Work]:
    """Yield one tile of the shipped example's first layer, if its codes fit the formats."""
    layer = Trace.example().integer_layers[0]
    x: NDArray[Any] = layer.x_slice(slice(0, min(tile_m, layer.m)))
    w: NDArray[Any] = layer.w_slice(slice(None), slice(0, min(tile_n, layer.n)))
    if spec.pe.a.admits(x) and spec.pe.b.admits(w):
        yield Work(f"tile of {layer.name}", x, w)


def _drawn_works(spec: EngineSpec, rng: np.random.Generator) -> Iterator[Work]:
    yield _drawn("k = 1", spec, (2, 3, 1), rng)
    yield Work("least codes", np.full((5, 9), spec.pe.a.min), np.full((9, 6), spec.pe.b.min))
    for number in range(_DRAWN_GEMMS):
        m, n = (int(size) for size in rng.integers(1, _MAX_DRAWN_SIZE, 2))
        k = int(rng.integers(1, _MAX_DRAWN_DEPTH))
        yield _drawn(f"drawn {number}", spec, (m, n, k), rng)


def _drawn(
    name: str, spec: EngineSpec, sizes: tuple[int, int, int], rng: np.random.Generator
) -> Work:
    m, n, k = sizes
    return Work(name, drawn_codes(spec.pe.a, (m, k), rng), drawn_codes(spec.pe.b, (k, n), rng))


def drawn_codes(
    form: IntFormat, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw codes that are the format's ends a quarter of the time and uniform otherwise."""
    uniform = rng.integers(form.min, form.max + 1, shape)
    extreme = rng.choice([form.min, form.max], shape)
    return np.where(rng.random(shape) < 0.25, extreme, uniform)

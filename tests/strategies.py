"""Hypothesis strategies that draw whole specs and operands that fit them.

Corner values come often: the ends of a format, the narrowest accumulator, the smallest sizes.
"""

import dataclasses
import enum
import typing
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.sim import ENGINES, PES
from bitweight.sim.compressor import InputBit
from bitweight.sim.recoding import RECODINGS
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8, IntFormat

MAX_ACC_WIDTH = 63

Triple = tuple[int, int, bool]


@st.composite
def formats(draw: st.DrawFn, max_width: int = 16) -> IntFormat:
    """Draw an operand format; the usual ones half of the time."""
    usual = [fmt for fmt in (INT4, INT8, UINT8, INT16) if fmt.width <= max_width]
    width = st.integers(2, max_width)
    return draw(st.sampled_from(usual) | st.builds(IntFormat, width=width, signed=st.booleans()))


def codes(fmt: IntFormat) -> st.SearchStrategy[int]:
    """Draw a code of a format; its ends, -1, 0 and 1 often."""
    corners = {fmt.min, fmt.max, *(code for code in (-1, 0, 1) if fmt.min <= code)}
    return st.sampled_from(sorted(corners)) | st.integers(fmt.min, fmt.max)


@st.composite
def switched(draw: st.DrawFn, spec: Any) -> Any:
    """Draw ``spec`` with each of its switches, a bool, an enum or a recoding, in any position."""
    kinds = typing.get_type_hints(type(spec))
    turned: dict[str, Any] = {}
    for field in dataclasses.fields(spec):
        kind = kinds[field.name]
        if kind is bool:
            turned[field.name] = draw(st.booleans())
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            turned[field.name] = draw(st.sampled_from(list(kind)))
        elif field.name == "recoding":
            turned[field.name] = draw(st.sampled_from(sorted(RECODINGS)))
    return dataclasses.replace(spec, **turned)


@st.composite
def pe_specs(draw: st.DrawFn, name: str | None = None, *, max_width: int = 16) -> Any:
    """Draw a PE of the catalog: its formats, accumulator and switches.

    Args:
        draw: Hypothesis's.
        name: The catalog entry; any if None.
        max_width: Widest operand.
    """
    return draw(varied_pe(PES[name or draw(st.sampled_from(sorted(PES)))], max_width=max_width))


@st.composite
def varied_pe(draw: st.DrawFn, spec: Any, *, max_width: int = 16) -> Any:
    """Draw ``spec`` with other formats, accumulator and switches."""
    spec = draw(switched(spec))
    a, b = draw(formats(max_width)), draw(formats(max_width))
    least = a.width + b.width
    acc_width = draw(st.sampled_from([least, max(least, 32)]) | st.integers(least, MAX_ACC_WIDTH))
    return dataclasses.replace(spec, a=a, b=b, acc_width=acc_width)


@st.composite
def mac_runs(
    draw: st.DrawFn, name: str | None = None, *, max_steps: int = 24
) -> tuple[Any, list[Triple]]:
    """Draw a PE and what it is fed: operand pairs, each with or without a clear; the first has."""
    spec = draw(pe_specs(name))
    step = st.tuples(codes(spec.a), codes(spec.b), st.sampled_from([False, False, False, True]))
    steps = draw(st.lists(step, min_size=1, max_size=max_steps))
    a, b, _ = steps[0]
    return spec, [(a, b, True), *steps[1:]]


@st.composite
def matrices(draw: st.DrawFn, fmt: IntFormat, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Draw codes: uniform, with a drawn share of the format's ends."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.2, 1.0]))
    ends = rng.choice([fmt.min, fmt.max], shape)
    return np.where(rng.random(shape) < share, ends, rng.integers(fmt.min, fmt.max + 1, shape))


@st.composite
def engine_specs(draw: st.DrawFn, name: str, *, max_side: int = 3, max_width: int = 8) -> Any:
    """Draw a small engine of a catalog entry: sides, switches and PE.

    Args:
        draw: Hypothesis's.
        name: The catalog entry.
        max_side: Most rows and columns.
        max_width: Widest operand.
    """
    spec = draw(switched(ENGINES[name].small))
    sides = [
        side
        for side in ("rows", "cols")
        if side in {field.name for field in dataclasses.fields(spec)}
    ]
    pe = draw(varied_pe(spec.pe, max_width=max_width))
    return dataclasses.replace(
        spec, pe=pe, **{side: draw(st.integers(1, max_side)) for side in sides}
    )


@st.composite
def engine_runs(
    draw: st.DrawFn, name: str, *, max_size: int = 7, max_depth: int = 8
) -> tuple[Any, NDArray[np.int64], NDArray[np.int64]]:
    """Draw a small engine and a GEMM for it; k = 1 and ragged tiles are common."""
    spec = draw(engine_specs(name))
    m, n = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    k = draw(st.just(1) | st.integers(1, max_depth))
    return spec, draw(matrices(spec.pe.a, (m, k))), draw(matrices(spec.pe.b, (k, n)))


@st.composite
def bit_heaps(draw: st.DrawFn) -> tuple[int, list[InputBit], list[int]]:
    """Draw a width, bits of any weight and arrival for a tree of it, and their values.

    Some stand past the last column, where they are lost.
    """
    width = draw(st.integers(1, 24))
    bit = st.builds(InputBit, column=st.integers(0, width + 1), arrival=st.integers(0, 9))
    inputs = draw(st.lists(bit, max_size=60))
    size = len(inputs)
    values = draw(st.just([1] * size) | st.lists(st.integers(0, 1), min_size=size, max_size=size))
    return width, inputs, values

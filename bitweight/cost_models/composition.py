"""Areas of sizes that were not synthesised, composed from the blocks of those that were.

An engine is so many cells, row edges, column edges and skew registers: ``quantities`` counts them
for a size. What one of each takes in every module is solved from a few small netlists (non-negative
least squares), and a module of the wished size then has its measured area at the default size times
the ratio of the two composed ones. The ratio hardly depends on library, clock or recipe, so the
small netlists are made once, in ``CALIBRATED_IN``.
"""

import math
import re
from collections.abc import Iterable, Sequence
from functools import singledispatch
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.held_memories import held_memories
from bitweight.cost_models.least_squares import solve_nonnegative
from bitweight.cost_models.measurements import (
    Measurements,
    Memory,
    NetlistPoint,
    shipped,
)
from bitweight.sim.catalog import address, design
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.settings import vary

CALIBRATED_IN = "sg13g2"
"""Technology whose data hold the small netlists."""

TOP = "top"
"""Component of the logic that stands in the top module itself."""

Sizes = tuple[tuple[int, ...], ...]
_PLANE: Sizes = ((2, 2), (2, 6), (6, 2), (4, 4), (6, 6), (3, 5), (5, 3))
_CUBE: Sizes = (
    *((2, 2, 2), (2, 2, 4), (2, 4, 2), (4, 2, 2), (3, 3, 3)),
    *((4, 4, 2), (2, 4, 4), (4, 2, 4), (4, 4, 4)),
)
_TREE: Sizes = ((4, 2), (8, 2), (16, 2), (4, 4), (8, 4), (16, 4))
_COLUMNS: Sizes = ((1, 4), (1, 8), (2, 4), (2, 8), (4, 4))
_BLOCKS: Sizes = ((1, 2), (1, 4), (1, 8), (2, 2), (2, 4), (3, 4), (3, 8))
_LANES: Sizes = ((4,), (8,), (12,))


@singledispatch
def size_fields(spec: Any) -> tuple[str, ...]:
    """Return the fields of an engine's spec that span its array."""
    raise TypeError(f"No composition takes a {type(spec).__name__}; see sim.catalog.DESIGNS")


@size_fields.register
def _(spec: SystolicOsSpec | SystolicWsSpec | Matrix2dSpec | BitSerialSpec | LaconicSpec) -> Any:
    return ("rows", "cols")


@size_fields.register
def _(spec: CubeSpec) -> Any:
    return ("rows", "cols", "depth")


@size_fields.register
def _(spec: AdderTreeSpec) -> Any:
    return ("lanes", "columns")


@size_fields.register
def _(spec: ColumnSpec) -> Any:
    return ("columns", "pes")


@size_fields.register
def _(spec: DealtColumnSpec) -> Any:
    return ("pes",)


@size_fields.register
def _(spec: BlockDotSpec) -> Any:
    return ("rows", "columns")


@size_fields.register
def _(spec: DecodedSpec) -> Any:
    return tuple(f"engine.{field}" for field in size_fields(spec.engine))


def calibration_sizes(spec: DesignSpec) -> tuple[DesignSpec, ...]:
    """Return the small sizes whose netlists calibrate the composition of ``spec``.

    The size of the catalog entry is none of them, even where it is small: it has netlists of other
    recipes.
    """
    name, _ = address(spec)
    fields = size_fields(spec)
    small = (
        design(name, [f"{field}={size}" for field, size in zip(fields, sizes, strict=True)])
        for sizes in _calibration(spec)
    )
    return tuple(one for one in small if one != design(name))


@singledispatch
def _calibration(spec: Any) -> Sizes:
    return _PLANE


@_calibration.register
def _(spec: CubeSpec) -> Sizes:
    return _CUBE


@_calibration.register
def _(spec: AdderTreeSpec) -> Sizes:
    return _TREE


@_calibration.register
def _(spec: ColumnSpec) -> Sizes:
    return _COLUMNS


@_calibration.register
def _(spec: DealtColumnSpec) -> Sizes:
    return _LANES


@_calibration.register
def _(spec: BlockDotSpec) -> Sizes:
    return _BLOCKS


@_calibration.register
def _(spec: DecodedSpec) -> Sizes:
    return _calibration(spec.engine)


def quantities(sizes: Sequence[int]) -> dict[str, int]:
    """Count what an array of these sizes is built of.

    Cells, the lanes of every edge, what skews or delays an edge by one clock more per lane, and
    what there is once.
    """
    counts: dict[str, int] = {"cells": math.prod(sizes), "once": 1}
    for axes in _edges(len(sizes)):
        lanes = [sizes[axis] for axis in axes]
        counts[f"edge {axes}"] = math.prod(lanes)
        # Sum over all lanes of an edge of the sum of a lane's indices.
        steps = sum(lane - 1 for lane in lanes)
        counts[f"skew {axes}"] = math.prod(lanes) * steps // 2
    return counts


def _edges(dimensions: int) -> Iterable[tuple[int, ...]]:
    return combinations(range(dimensions), dimensions - 1) if dimensions > 1 else ()


def components(point: NetlistPoint) -> dict[str, float]:
    """Return the area of a netlist by component: modules alike but for a number are one.

    Modules of wires alone are none.
    """
    top = point.blocks[0].module
    areas: dict[str, float] = {}
    for block in (block for block in point.blocks if block.cells):
        name = component(top, block.module)
        areas[name] = areas.get(name, 0.0) + block.instances * block.area_um2
    return areas


def component(top: str, module: str) -> str:
    """Return the component that a module belongs to: its name less the design's and numbers."""
    own = re.sub(r"_?\d+(?=_|$)", "", module.removeprefix(top)).strip("_")
    return own or TOP


def composed_areas(spec: DesignSpec, points: Sequence[NetlistPoint]) -> dict[str, float]:
    """Return the area of each component of ``spec``, composed from small netlists.

    Args:
        spec: The wished size.
        points: Netlists of the design at small sizes, all of one recipe; areas are of that one.
    """
    wanted = np.array(list(_counts(spec).values()), dtype=float)
    matrix = _matrix(points)
    measured = [components(point) for point in points]
    composed = {}
    for name in sorted({name for areas in measured for name in areas}):
        areas = np.array([one.get(name, 0.0) for one in measured])
        share, _ = solve_nonnegative(matrix, areas)
        composed[name] = float(np.dot(share, wanted))
    return composed


def area_ratios(
    spec: DesignSpec, default: DesignSpec, points: Sequence[NetlistPoint]
) -> dict[str, float]:
    """Return the area of each component of ``spec`` relative to that at another size.

    Args:
        spec: The wished size.
        default: The same design at the size that was measured.
        points: As for ``composed_areas``.
    """
    new, old = composed_areas(spec, points), composed_areas(default, points)
    return {name: new[name] / old[name] for name in old if old[name]}


def _matrix(points: Sequence[NetlistPoint]) -> NDArray[np.float64]:
    counts = [_counts(design(point.design, point.settings)) for point in points]
    return np.array([list(one.values()) for one in counts], dtype=float)


def _counts(spec: DesignSpec) -> dict[str, int]:
    return quantities([_field(spec, name) for name in size_fields(spec)])


def _field(spec: Any, dotted: str) -> int:
    for name in dotted.split("."):
        spec = getattr(spec, name)
    return int(spec)


def small_netlists(name: str, data: Measurements) -> tuple[NetlistPoint, ...]:
    """Return the netlists of a design's calibration sizes, one each, of one recipe.

    Args:
        name: Design of the catalog.
        data: Where they may be; else they are those that are shipped of ``CALIBRATED_IN``.
    """
    wished = [address(spec) for spec in calibration_sizes(design(name))]
    for points in (data.netlists, shipped(CALIBRATED_IN).netlists):
        found = {(p.design, p.settings): p for p in reversed(points)}
        if all(one in found for one in wished):
            return tuple(found[one] for one in wished)
    return ()


def memory_sizes(spec: DesignSpec, default: DesignSpec, point: NetlistPoint) -> tuple[Memory, ...]:
    """Return the memories of ``spec`` that are memories in a netlist of another size.

    Args:
        spec: The wished size.
        default: The same design at the size that was measured.
        point: A netlist of that.

    Raises:
        ValueError: If the netlist has other memories than its design holds.
    """
    old = held_memories(default)
    both = [pair for pair in zip(held_memories(spec), old, strict=True) if pair[1].is_memory]
    if [was for _, was in both] != [(m.words, m.width, m.copies) for m in point.memories]:
        raise ValueError(f"Memories of {default.name} must be as it holds them: {old!r}")
    return tuple(
        Memory(module=memory.module, words=held.words, width=held.width, copies=held.copies)
        for memory, (held, _) in zip(point.memories, both, strict=True)
    )


def default_size(spec: DesignSpec) -> DesignSpec:
    """Return ``spec`` at the size of its catalog entry; its other fields stay."""
    name, _ = address(spec)
    entry = design(name)
    return vary(spec, [f"{field}={_field(entry, field)}" for field in size_fields(spec)])

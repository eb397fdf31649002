"""Nests of the engines: five architectures, and what the rewrites make of them.

A builder gives the nest of an engine's ``mac`` row at a size; a recipe turns it into another row's.
The docstrings name the catalog rows. Builders differ in what is spatial: that alone makes an
engine output stationary (m, n), weight stationary (k, n) or a cube (m, n, k). Hops between
neighbours, buffers and drains are not part of a nest.

Source: HPCA 2025, arXiv 2503.06342: base architectures and OPT1 to OPT4; loop orders are ours.
"""

from bitweight.sim.notation.loops import Dim, Loop
from bitweight.sim.notation.nest import Nest
from bitweight.sim.notation.primitives import (
    Accumulate,
    Add,
    Encode,
    HalfReduce,
    Map,
    Shift,
    Statement,
)
from bitweight.sim.notation.rewrites import (
    defer_add,
    group_lanes,
    hoist_bw,
    hoist_shift,
    share_encoder,
    sparsify,
)

_BW = Loop(name="bw", dim=Dim.BW, spatial=True)
_K = Loop(name="k", dim=Dim.K)


def systolic_os(*, rows: int, cols: int) -> Nest:
    """Return the output-stationary array's nest: row ``systolic_os/mac``.

    ``carry_save`` of it is ``systolic_os/carry_save`` (OPT1).
    """
    loops = (*_tiles(Dim.M, rows), *_tiles(Dim.N, cols))
    return Nest(loops=(*_by_kind(loops), _K, _BW), statements=_mac(("k",)))


def systolic_ws(*, rows: int, cols: int) -> Nest:
    """Return the weight-stationary array's nest: row ``systolic_ws/mac``.

    ``rows`` unrolls k, ``cols`` n. Partial sums pass along k inside the array; tiles of k
    accumulate at its edge. ``carry_save`` of it is ``systolic_ws/carry_save`` (OPT1).
    """
    k_tile, k_row = _tiles(Dim.K, rows)
    n_tile, n_column = _tiles(Dim.N, cols)
    loops = (n_tile, k_tile, Loop(name="m", dim=Dim.M), n_column, k_row, _BW)
    return Nest(loops=loops, statements=_mac(("kp",), ("kt",)))


def cube(*, rows: int, cols: int, depth: int) -> Nest:
    """Return the 3D cube's nest, m, n and k unrolled: row ``cube/mac``.

    Tiles of k accumulate outside the cube. ``carry_save`` of it is ``cube/carry_save`` (OPT1).
    """
    tiles = (*_tiles(Dim.M, rows), *_tiles(Dim.N, cols), *_tiles(Dim.K, depth))
    return Nest(loops=(*_by_kind(tiles), _BW), statements=_mac(("kp",), ("kt",)))


def adder_tree(*, lanes: int, columns: int) -> Nest:
    """Return the multiplier-adder tree's nest: row ``adder_tree/mac``.

    The loops are those of ``systolic_ws``: a tree sums over kp where the array has a chain.
    ``share_encoder(same_weight(...))`` of it is ``adder_tree/same_weight`` (OPT2), whose released
    RTL encodes once for all columns.
    """
    return systolic_ws(rows=lanes, cols=columns)


def matrix_2d(*, rows: int, cols: int) -> Nest:
    """Return the broadcast matrix's nest: row ``matrix_2d/mac``.

    The loops are those of ``systolic_os``: operands reach all PEs at once instead of hopping.
    ``same_weight`` of it is ``matrix_2d/same_weight`` (OPT2), with ``lanes`` for a temporal bw.
    With 16 lanes and two's complement it is ``bit_slice/bit_serial``.
    """
    return systolic_os(rows=rows, cols=cols)


def column(*, columns: int, pes: int, k_depth: int | None = None) -> Nest:
    """Return the nest that the column engines start from: columns over m, their PEs over n.

    ``sparse_digit``, ``shared_encoder`` and ``grouped`` of it are the rows of these names (OPT3,
    OPT4C, OPT4E).

    Args:
        columns: Columns; rows of a are dealt to them in order.
        pes: PEs of a column.
        k_depth: Greatest k that the b tile holds; beyond it k is folded, each fold with its own
            barriers, and accumulated. ``None`` does not fold.
    """
    row_tile, row = _tiles(Dim.M, columns)
    n_tile, pe = _tiles(Dim.N, pes)
    if k_depth is None:
        return Nest(loops=(n_tile, row_tile, row, pe, _K, _BW), statements=_mac(("k",)))
    fold = Loop(name="kf", dim=Dim.K, stride=k_depth)
    inside = Loop(name="k", dim=Dim.K, extent=k_depth)
    loops = (n_tile, fold, row_tile, row, pe, inside, _BW)
    return Nest(loops=loops, statements=_mac(("k",), ("kf",)))


def carry_save(nest: Nest) -> Nest:
    """Return the nest of an engine's ``carry_save`` row (OPT1)."""
    return defer_add(nest)


def same_weight(nest: Nest, *, lanes: int | None = None) -> Nest:
    """Return the nest of an engine's ``same_weight`` row (OPT2).

    Args:
        nest: The engine's ``mac`` nest.
        lanes: k lanes of a PE for a temporal bw; ``None`` for a spatial bw.
    """
    return hoist_shift(hoist_bw(defer_add(nest), lanes=lanes))


def sparse_digit(nest: Nest, *, group: int = 4, skip_empty: bool = False) -> Nest:
    """Return the nest of ``column/sparse_digit`` (OPT3): an encoder in every PE.

    Args:
        nest: A ``column`` nest.
        group: Neighbours along k whose digits are listed together.
        skip_empty: Whether a group without non-zero digits takes no clock.
    """
    return sparsify(same_weight(nest, lanes=group), skip_empty=skip_empty)


def shared_encoder(nest: Nest, *, group: int = 4, skip_empty: bool = False) -> Nest:
    """Return the nest of ``column/shared_encoder`` (OPT4C); arguments as for ``sparse_digit``."""
    return share_encoder(sparse_digit(nest, group=group, skip_empty=skip_empty))


def grouped(nest: Nest, *, group: int = 4, lanes: int = 4, skip_empty: bool = False) -> Nest:
    """Return the nest of ``column/grouped`` (OPT4E).

    Args:
        nest: A ``column`` nest.
        group: Neighbours along k whose digits are listed together.
        lanes: Digit lanes that feed one pair of a PE.
        skip_empty: Whether a group without non-zero digits takes no clock.
    """
    return group_lanes(shared_encoder(nest, group=group, skip_empty=skip_empty), lanes=lanes)


def _tiles(dim: Dim, width: int) -> tuple[Loop, Loop]:
    """Split a dimension in temporal tiles and the spatial positions of one."""
    name = dim.value
    return (
        Loop(name=f"{name}t", dim=dim, stride=width),
        Loop(name=f"{name}p", dim=dim, spatial=True, extent=width),
    )


def _by_kind(loops: tuple[Loop, ...]) -> tuple[Loop, ...]:
    """Order temporal loops before spatial ones."""
    return tuple(sorted(loops, key=lambda loop: loop.spatial))


def _mac(inner: tuple[str, ...], outer: tuple[str, ...] = ()) -> tuple[Statement, ...]:
    """Return a multiplier and its sums over k: inside the array and, if any, at its edge."""
    statements: tuple[Statement, ...] = (
        Encode(out="d"),
        Map(out="pp", source="d"),
        Shift(out="w", source="pp"),
        HalfReduce(out="s,c", source="w", over=("bw",)),
        Add(out="p", source="s,c"),
        Accumulate(out="part" if outer else "C", source="p", over=inner),
    )
    return (*statements, Accumulate(out="C", source="part", over=outer)) if outer else statements

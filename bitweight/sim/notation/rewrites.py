"""Rewrites of a nest: each moves one thing, and refuses where the data forbid it.

======================  =====================  ===================================================
rewrite                 paper                  moves
======================  =====================  ===================================================
``defer_add``           OPT1                   ``add`` behind the sum over k: the sum stays a pair
``hoist_bw``            OPT2, first half       bw outside the sum over k, k lanes into its place
``hoist_shift``         OPT2, second half      ``shift`` behind that sum: one per bit-weight
``sparsify``            OPT3                   the k lanes into a walk over non-zero digits
``share_encoder``       OPT4, OPT4C            ``encode`` and ``sparse`` outside np
``group_lanes``         OPT4E                  groups of digits to lanes with one common pair
======================  =====================  ===================================================

What is refused follows from the loops that each primitive's operands depend on: some of it here,
where a rewrite finds nothing to move, the rest in ``lowering``, which every new nest passes.

Source: HPCA 2025, arXiv 2503.06342, OPT1 to OPT4. The paper counts ``hoist_bw`` and
``hoist_shift`` as one step; its lanes (KT x KP) keep the throughput that a temporal bw costs.
"""

from dataclasses import replace

from bitweight.sim.notation.dataflow import (
    before,
    find,
    loops_over,
    reader_of,
    rewritten,
    summed_loops,
)
from bitweight.sim.notation.loops import Dim, Loop
from bitweight.sim.notation.nest import Nest
from bitweight.sim.notation.primitives import (
    Accumulate,
    Add,
    Encode,
    HalfReduce,
    Shift,
    Sparse,
    Statement,
    Sync,
)


def defer_add(nest: Nest) -> Nest:
    """Add once per sum over k instead of once per product (OPT1).

    ``accumulate`` sums what ``add`` resolves; resolving commutes with summing, so the pair itself
    can carry the sum. Needs an ``accumulate`` over k that reads the ``add``.

    Raises:
        ValueError: If the pair already carries a sum over k, or nothing sums what ``add`` gives.
    """
    reduce, add = find(nest, HalfReduce), find(nest, Add)
    if carried := summed_loops(nest, reduce, Dim.K):
        raise ValueError(
            f"defer_add was applied before: half_reduce already sums over {carried[0].name}"
        )
    total = reader_of(nest, add)
    if not isinstance(total, Accumulate) or not summed_loops(nest, total, Dim.K):
        raise ValueError("defer_add needs an accumulate over k that reads the add")
    wider = replace(reduce, over=reduce.over + total.over)
    later = replace(add, out=total.out)
    return rewritten(nest, {reduce: (wider,), add: (later,), total: ()})


def hoist_bw(nest: Nest, *, lanes: int | None = None) -> Nest:
    """Move bw outside the sum over k, so that a sum meets digits of one weight only.

    Args:
        nest: A nest whose ``half_reduce`` sums over k.
        lanes: Make bw temporal and unroll this many k in its place; ``None`` keeps bw spatial,
            which takes one sum per bit-weight in hardware.

    Raises:
        ValueError: If ``add`` still stands inside the sum over k, if bw is already outside, or if
            no temporal k is there to be unrolled.
    """
    reduce = find(nest, HalfReduce)
    terms = summed_loops(nest, reduce, Dim.K)
    weights = loops_over(nest, Dim.BW)
    if not terms:
        raise ValueError("hoist_bw needs half_reduce to sum over k: apply defer_add first")
    if before(nest, weights, terms):
        raise ValueError(f"hoist_bw was applied before: bw is outside {terms[0].name}")
    split: dict[Loop, tuple[Loop, ...]] = {}
    if lanes is not None:
        weights = tuple(replace(loop, spatial=False) for loop in weights)
        split = _lanes_of(terms, lanes)
    order: list[Loop] = []
    for loop in nest.loops:
        order += weights if loop == terms[0] else ()
        order += split.get(loop, (loop,)) if loop.dim is not Dim.BW else ()
    renamed = {whole.name: tuple(p.name for p in parts) for whole, parts in split.items()}
    over = tuple(part for name in reduce.over for part in renamed.get(name, (name,)))
    return rewritten(nest, {reduce: (replace(reduce, over=over),)}, loops=tuple(order))


def _lanes_of(terms: tuple[Loop, ...], lanes: int) -> dict[Loop, tuple[Loop, ...]]:
    """Split the innermost temporal k of a sum in a temporal and a spatial part."""
    loop = next((k for k in terms if not k.spatial and k.stride == 1), None)
    if loop is None or len(terms) > 1:
        names = ", ".join(k.name for k in terms)
        raise ValueError(f"hoist_bw can unroll lanes of a temporal k only, not of {names}")
    extent = _divided(loop, lanes)
    return {
        loop: (
            replace(loop, name="kt", stride=lanes, extent=extent),
            replace(loop, name="kp", spatial=True, extent=lanes),
        )
    }


def _divided(loop: Loop, lanes: int) -> int | None:
    """Return how many iterations stay when ``lanes`` of them run at once."""
    if lanes < 1 or (loop.extent is not None and loop.extent % lanes):
        raise ValueError(f"Lanes must divide {loop.extent} iterations of {loop.name}, not {lanes}")
    return None if loop.extent is None else loop.extent // lanes


def hoist_shift(nest: Nest) -> Nest:
    """Shift once per bit-weight, behind the sum over k (OPT2).

    Raises:
        ValueError: If ``half_reduce`` reads unshifted words already, or if bw is inside the sum:
            its words would have different weights.
    """
    shift, reduce, add = find(nest, Shift), find(nest, HalfReduce), find(nest, Add)
    if reduce.source != shift.out:
        raise ValueError("hoist_shift was applied before: half_reduce reads unshifted words")
    terms = summed_loops(nest, reduce, Dim.K)
    if not terms:
        raise ValueError("hoist_shift needs half_reduce to sum over k: apply defer_add first")
    weights = loops_over(nest, Dim.BW)
    if not before(nest, weights, terms):
        kind = "spatial" if weights[0].spatial else "temporal"
        raise ValueError(
            f"hoist_shift cannot move shift past a sum over {terms[0].name}: shift depends on "
            f"{weights[0].name}, which is still {kind} inside {terms[0].name}"
        )
    names = tuple(loop.name for loop in weights)
    unshifted = replace(
        reduce,
        source=shift.source,
        over=tuple(name for name in reduce.over if name not in names),
    )
    resolved = replace(add, out="p")
    later_shift = Shift(out=shift.out, source="p")
    total = Accumulate(out=add.out, source=shift.out, over=names)
    changes: dict[Statement, tuple[Statement, ...]] = {
        shift: (),
        reduce: (unshifted,),
        add: (resolved, later_shift, total),
    }
    return rewritten(nest, changes)


def sparsify(nest: Nest, *, skip_empty: bool = False) -> Nest:
    """Walk the non-zero digits of each group instead of unrolling it (OPT3).

    The innermost k lanes become the group. Columns over m then end at different times, and a
    ``sync`` lets a tile of columns end with its slowest.

    Args:
        nest: A nest with hoisted shift and k lanes.
        skip_empty: Whether a group without non-zero digits takes no clock. The paper's takes one.

    Raises:
        ValueError: If sums still mix bit-weights, if several run at once, or without k lanes.
    """
    if any(isinstance(statement, Sparse) for statement in nest.statements):
        raise ValueError(f"sparsify was applied before: see {find(nest, Sparse).loop}")
    encode, reduce = find(nest, Encode), find(nest, HalfReduce)
    weights = loops_over(nest, Dim.BW)
    if summed_loops(nest, reduce, Dim.BW):
        raise ValueError(
            f"sparsify needs sums of one bit-weight: half_reduce still sums over {weights[0].name},"
            f" apply hoist_shift first"
        )
    if weights[0].spatial:
        raise ValueError(
            f"sparsify needs a temporal bw: at each weight a group has another number of digits, "
            f"and {weights[0].name} is spatial"
        )
    lanes = [loop for loop in summed_loops(nest, reduce, Dim.K) if loop.spatial]
    if not lanes:
        raise ValueError("sparsify needs k lanes to walk: half_reduce sums over no spatial k")
    walk = replace(lanes[-1], name="ki", spatial=False)
    over = tuple(walk.name if name == lanes[-1].name else name for name in reduce.over)
    grouped = replace(encode, group=walk.name)
    sparse = Sparse(out="L", source=encode.out, loop=walk.name, skip_empty=skip_empty)
    last = nest.statements[-1]
    rows = reversed(loops_over(nest, Dim.M))
    barriers = (Sync(loop=loop.name) for loop in rows if loop.spatial)
    return rewritten(
        nest,
        {
            encode: (grouped, sparse),
            reduce: (replace(reduce, over=over),),
            last: (last, *barriers),
        },
        loops=tuple(walk if loop == lanes[-1] else loop for loop in nest.loops),
    )


def share_encoder(nest: Nest) -> Nest:
    """Encode, and list non-zero digits, once for all PEs that consume the same ``a`` (OPT4).

    Neither depends on n: with np as the innermost of the GEMM's loops they stand outside it.

    Raises:
        ValueError: If no spatial loop over n stands around ``encode``.
    """
    columns = [loop for loop in loops_over(nest, Dim.N) if loop.spatial]
    if not columns:
        raise ValueError("share_encoder needs a spatial loop over n: no two PEs share an a")
    around = nest.program.path_of(find(nest, Encode))
    if not any(loop in around for loop in columns):
        raise ValueError(f"share_encoder finds encode outside {columns[0].name} already")
    order = [loop for loop in nest.loops if loop not in columns]
    last = max(i for i, loop in enumerate(order) if loop.dim in (Dim.M, Dim.K))
    order[last + 1 : last + 1] = columns
    return replace(nest, loops=tuple(order))


def group_lanes(nest: Nest, *, lanes: int = 4) -> Nest:
    """Let several lanes walk different groups into one common pair (OPT4E).

    Group g goes to lane ``g % lanes``. The pair is unshifted, so that all lanes share one
    bit-weight: a ``sync`` at its end, where a lane that has run dry adds zero.

    Raises:
        ValueError: If the nest is not sparse, or if its groups are already spread over lanes.
    """
    sparse = next((s for s in nest.statements if isinstance(s, Sparse)), None)
    if sparse is None:
        raise ValueError("group_lanes needs groups of non-zero digits: apply sparsify first")
    reduce = find(nest, HalfReduce)
    walk = next(loop for loop in nest.loops if loop.name == sparse.loop)
    groups = next(loop for loop in loops_over(nest, Dim.K) if loop.stride == walk.extent)
    if groups.spatial:
        raise ValueError(f"group_lanes was applied before: {groups.name} spreads the groups")
    lane = replace(groups, name="kl", spatial=True, extent=lanes)
    rest = replace(groups, stride=groups.stride * lanes, extent=_divided(groups, lanes))
    at = nest.loops.index(groups)
    wider = replace(reduce, over=(lane.name, *reduce.over))
    return rewritten(
        nest,
        {reduce: (wider, Sync(loop=lane.name))},
        loops=(*nest.loops[:at], lane, rest, *nest.loops[at + 1 :]),
    )

"""What each rewrite makes of a nest, as text, and what it refuses, with the reason."""

import doctest
from dataclasses import replace
from pathlib import Path

import pytest

from bitweight.sim.notation import (
    Dim,
    HalfReduce,
    Loop,
    Nest,
    adder_tree,
    carry_save,
    column,
    cube,
    defer_add,
    group_lanes,
    grouped,
    hoist_bw,
    hoist_shift,
    matrix_2d,
    same_weight,
    share_encoder,
    shared_encoder,
    sparse_digit,
    sparsify,
    systolic_os,
    systolic_ws,
)

BASE = column(columns=4, pes=16)

MAC = """\
m = 4*mt + mp, n = 16*nt + np
for nt, mt (t):
  for mp < 4, np < 16 (p):
    for k (t):
      d = encode(A[m,k])
      for bw (p):
        pp = map(d[bw], B[k,n])
        w = shift(pp, bw)
        s,c = half_reduce[bw](w)
      p = add(s,c)
      C[m,n] = accumulate[k](p)"""

OPT1 = """\
m = 4*mt + mp, n = 16*nt + np
for nt, mt (t):
  for mp < 4, np < 16 (p):
    for k (t):
      d = encode(A[m,k])
      for bw (p):
        pp = map(d[bw], B[k,n])
        w = shift(pp, bw)
        s,c = half_reduce[k,bw](w)
    C[m,n] = add(s,c)"""

OPT2 = """\
m = 4*mt + mp, n = 16*nt + np, k = 4*kt + kp
for nt, mt (t):
  for mp < 4, np < 16 (p):
    for bw (t):
      for kt (t):
        for kp < 4 (p):
          d = encode(A[m,k])
          pp = map(d[bw], B[k,n])
          s,c = half_reduce[kt,kp](pp)
      p = add(s,c)
      w = shift(p, bw)
      C[m,n] = accumulate[bw](w)"""

OPT3 = """\
m = 4*mt + mp, n = 16*nt + np, k = 4*kt + ki
for nt, mt (t):
  for mp < 4, np < 16 (p):
    for bw (t):
      for kt (t):
        d = encode(A[m,k..k+3])
        L = sparse(d[bw])
        for ki in L (t, at least one):
          pp = map(d[ki,bw], B[k,n])
          s,c = half_reduce[kt,ki](pp)
      p = add(s,c)
      w = shift(p, bw)
      C[m,n] = accumulate[bw](w)
  sync(mp)"""

OPT4C = """\
m = 4*mt + mp, n = 16*nt + np, k = 4*kt + ki
for nt, mt (t):
  for mp < 4 (p):
    for bw (t):
      for kt (t):
        d = encode(A[m,k..k+3])
        L = sparse(d[bw])
        for ki in L (t, at least one):
          for np < 16 (p):
            pp = map(d[ki,bw], B[k,n])
            s,c = half_reduce[kt,ki](pp)
      for np < 16 (p):
        p = add(s,c)
        w = shift(p, bw)
        C[m,n] = accumulate[bw](w)
  sync(mp)"""

OPT4E = """\
m = 4*mt + mp, n = 16*nt + np, k = 16*kt + 4*kl + ki
for nt, mt (t):
  for mp < 4 (p):
    for bw (t):
      for kl < 4 (p):
        for kt (t):
          d = encode(A[m,k..k+3])
          L = sparse(d[bw])
          for ki in L (t, at least one):
            for np < 16 (p):
              pp = map(d[ki,bw], B[k,n])
              s,c = half_reduce[kl,kt,ki](pp)
      sync(kl)
      for np < 16 (p):
        p = add(s,c)
        w = shift(p, bw)
        C[m,n] = accumulate[bw](w)
  sync(mp)"""

SHARED_TREE = """\
n = 4*nt + np, k = 16*kt + kp
for nt, kt, m (t):
  for bw (p):
    for kp < 16 (p):
      d = encode(A[m,k])
      for np < 4 (p):
        pp = map(d[bw], B[k,n])
        s,c = half_reduce[kp](pp)
    for np < 4 (p):
      p = add(s,c)
      w = shift(p, bw)
      part = accumulate[bw](w)
  for np < 4 (p):
    C[m,n] = accumulate[kt](part)"""


@pytest.mark.parametrize(
    ("nest", "text"),
    [
        (BASE, MAC),
        (carry_save(BASE), OPT1),
        (same_weight(BASE, lanes=4), OPT2),
        (sparse_digit(BASE), OPT3),
        (shared_encoder(BASE), OPT4C),
        (grouped(BASE), OPT4E),
        (share_encoder(same_weight(adder_tree(lanes=16, columns=4))), SHARED_TREE),
    ],
    ids=["mac", "OPT1", "OPT2", "OPT3", "OPT4C", "OPT4E", "OPT2 tree"],
)
def test_a_nest_prints_itself(nest: Nest, text: str) -> None:
    assert str(nest) == text


def test_a_walk_without_idle_slots_says_so() -> None:
    assert "for ki in L (t):" in str(sparse_digit(BASE, skip_empty=True))


def test_encoders_may_be_shared_at_any_stage() -> None:
    early = share_encoder(BASE)
    assert sparsify(hoist_shift(hoist_bw(defer_add(early), lanes=4))) == shared_encoder(BASE)
    assert share_encoder(group_lanes(sparse_digit(BASE))) == grouped(BASE)


OPT1_NEST = carry_save(BASE)
ILLEGAL = {
    "add deferred twice": (
        lambda: defer_add(OPT1_NEST),
        "defer_add was applied before: half_reduce already sums over k",
    ),
    "add deferred twice, weight stationary": (
        lambda: defer_add(carry_save(systolic_ws(rows=4, cols=4))),
        "defer_add was applied before: half_reduce already sums over kp",
    ),
    "shift hoisted over a spatial bw": (
        lambda: hoist_shift(OPT1_NEST),
        "hoist_shift cannot move shift past a sum over k: shift depends on bw, which is still "
        "spatial inside k",
    ),
    "shift hoisted over a spatial bw in a tree": (
        lambda: hoist_shift(carry_save(adder_tree(lanes=4, columns=4))),
        "hoist_shift cannot move shift past a sum over kp: shift depends on bw, which is still "
        "spatial inside kp",
    ),
    "shift hoisted out of every product": (
        lambda: hoist_shift(BASE),
        "hoist_shift needs half_reduce to sum over k: apply defer_add first",
    ),
    "shift hoisted twice": (
        lambda: hoist_shift(same_weight(BASE, lanes=4)),
        "hoist_shift was applied before: half_reduce reads unshifted words",
    ),
    "bw hoisted past an add": (
        lambda: hoist_bw(BASE, lanes=4),
        "hoist_bw needs half_reduce to sum over k: apply defer_add first",
    ),
    "bw hoisted twice": (
        lambda: hoist_bw(hoist_bw(OPT1_NEST, lanes=4), lanes=4),
        "hoist_bw was applied before: bw is outside kt",
    ),
    "lanes from a spatial k": (
        lambda: hoist_bw(carry_save(cube(rows=2, cols=2, depth=2)), lanes=4),
        "hoist_bw can unroll lanes of a temporal k only, not of kp",
    ),
    "lanes that do not divide a fold of k": (
        lambda: hoist_bw(carry_save(column(columns=2, pes=2, k_depth=10)), lanes=4),
        "Lanes must divide 10 iterations of k, not 4",
    ),
    "sparse with shift in every lane": (
        lambda: sparsify(hoist_bw(OPT1_NEST, lanes=4)),
        "sparsify needs sums of one bit-weight: half_reduce still sums over bw, "
        "apply hoist_shift first",
    ),
    "sparse multiplier": (
        lambda: sparsify(OPT1_NEST),
        "sparsify needs sums of one bit-weight: half_reduce still sums over bw, "
        "apply hoist_shift first",
    ),
    "sparse tree": (
        lambda: sparsify(same_weight(adder_tree(lanes=4, columns=4))),
        "sparsify needs a temporal bw: at each weight a group has another number of digits, "
        "and bw is spatial",
    ),
    "sparse twice": (
        lambda: sparsify(sparse_digit(BASE)),
        "sparsify was applied before: see ki",
    ),
    "encoder shared twice": (
        lambda: share_encoder(shared_encoder(BASE)),
        "share_encoder finds encode outside np already",
    ),
    "groups of dense digits": (
        lambda: group_lanes(same_weight(BASE, lanes=4)),
        "group_lanes needs groups of non-zero digits: apply sparsify first",
    ),
    "groups spread twice": (
        lambda: group_lanes(grouped(BASE)),
        "group_lanes was applied before: kl spreads the groups",
    ),
    "groups that do not fill the lanes of a fold": (
        lambda: grouped(column(columns=2, pes=2, k_depth=8)),
        "Lanes must divide 2 iterations of kt, not 4",
    ),
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_an_illegal_rewrite_is_refused_with_the_reason(case: str) -> None:
    rewrite, message = ILLEGAL[case]
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared
        rewrite()
    assert str(refusal.value) == message


def test_nothing_to_share_is_refused() -> None:
    columns = systolic_os(rows=4, cols=4)
    inside = tuple(loop for loop in columns.loops if loop.dim is not Dim.N)
    serial = replace(columns, loops=(Loop(name="n", dim=Dim.N), *inside))
    with pytest.raises(ValueError, match="share_encoder needs a spatial loop over n: no two PEs"):
        share_encoder(serial)


def test_nothing_to_walk_is_refused() -> None:
    nest = same_weight(matrix_2d(rows=2, cols=2), lanes=4)
    loops = (replace(loop, spatial=False) if loop.name == "kp" else loop for loop in nest.loops)
    with pytest.raises(ValueError, match="sparsify needs k lanes to walk"):
        sparsify(replace(nest, loops=tuple(loops)))


def test_nothing_to_defer_is_refused() -> None:
    encode, select, shift, reduce, add, _ = BASE.statements
    pairs = HalfReduce(out="S,C", source="s,c", over=("k",))
    resolved = replace(add, out="C", source="S,C")
    nest = replace(BASE, statements=(encode, select, shift, reduce, pairs, resolved))
    with pytest.raises(ValueError, match="defer_add needs an accumulate over k that reads the add"):
        defer_add(nest)


def test_the_documentation_prints_what_it_shows() -> None:
    page = Path(__file__).parents[2] / "docs" / "notation.md"
    results = doctest.testfile(str(page), module_relative=False)
    assert results.attempted > 5
    assert results.failed == 0

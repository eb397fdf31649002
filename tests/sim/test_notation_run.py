"""Nests compute the GEMM, whatever rewrites were accepted; wrong nests do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitweight.sim.notation import (
    Add,
    Encode,
    HalfReduce,
    Map,
    Nest,
    Shift,
    Sync,
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
from bitweight.sim.notation.interpreter import compress
from bitweight.sim.recoding import EN_T, RECODINGS, Recoding
from bitweight.workloads.formats import INT4, INT8, INT16, UINT4, UINT8, IntFormat

Operands = tuple[NDArray[np.int64], NDArray[np.int64], IntFormat, Recoding]

FORMATS = [INT4, INT8, INT16, UINT4, UINT8, IntFormat(width=2), IntFormat(width=5, signed=False)]

ROWS = {
    "systolic_os/mac": systolic_os(rows=2, cols=3),
    "systolic_os/carry_save": carry_save(systolic_os(rows=2, cols=3)),
    "systolic_ws/mac": systolic_ws(rows=3, cols=2),
    "systolic_ws/carry_save": carry_save(systolic_ws(rows=3, cols=2)),
    "cube/mac": cube(rows=2, cols=2, depth=3),
    "cube/carry_save": carry_save(cube(rows=2, cols=2, depth=3)),
    "adder_tree/mac": adder_tree(lanes=4, columns=2),
    "adder_tree/same_weight": share_encoder(same_weight(adder_tree(lanes=4, columns=2))),
    "matrix_2d/mac": matrix_2d(rows=2, cols=2),
    "matrix_2d/same_weight": same_weight(matrix_2d(rows=2, cols=2)),
    "matrix_2d/same_weight, temporal bw": same_weight(matrix_2d(rows=2, cols=2), lanes=4),
    "column/sparse_digit": sparse_digit(column(columns=2, pes=2)),
    "column/shared_encoder": shared_encoder(column(columns=2, pes=2)),
    "column/shared_encoder, folded k": shared_encoder(column(columns=2, pes=2, k_depth=8)),
    "column/grouped": grouped(column(columns=2, pes=2)),
    "column/grouped, folded k": grouped(column(columns=2, pes=2, k_depth=8), lanes=2),
    "column/grouped, no idle slots": grouped(column(columns=3, pes=1), skip_empty=True),
    "bit_slice/bit_serial": same_weight(matrix_2d(rows=2, cols=2), lanes=16),
}

REWRITES = {
    "defer_add": defer_add,
    "hoist_bw": hoist_bw,
    "hoist_bw, 4 lanes": lambda nest: hoist_bw(nest, lanes=4),
    "hoist_shift": hoist_shift,
    "sparsify": sparsify,
    "sparsify, no idle slots": lambda nest: sparsify(nest, skip_empty=True),
    "share_encoder": share_encoder,
    "group_lanes": lambda nest: group_lanes(nest, lanes=2),
}

widths = st.integers(1, 3)
builders = st.one_of(
    st.builds(systolic_os, rows=widths, cols=widths),
    st.builds(systolic_ws, rows=st.integers(1, 5), cols=widths),
    st.builds(cube, rows=widths, cols=widths, depth=widths),
    st.builds(column, columns=widths, pes=widths, k_depth=st.sampled_from([None, 8, 16])),
)


@st.composite
def gemms(draw: st.DrawFn) -> Operands:
    """Return a, b, the format of a, and a recoding: small, with corner values and zeros often."""
    a_format, b_format = draw(st.sampled_from(FORMATS)), draw(st.sampled_from(FORMATS))
    m, n, k = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 19))
    a, b = (
        np.array(draw(st.lists(codes(fmt), min_size=size, max_size=size)), dtype=np.int64)
        for fmt, size in ((a_format, m * k), (b_format, k * n))
    )
    recoding = draw(st.sampled_from(list(RECODINGS.values())))
    return a.reshape(m, k), b.reshape(k, n), a_format, recoding


def codes(fmt: IntFormat) -> st.SearchStrategy[int]:
    corners = st.sampled_from([0, 0, 1, fmt.min, fmt.max])
    return corners | st.integers(fmt.min, fmt.max)


@st.composite
def rewritten_nests(draw: st.DrawFn) -> Nest:
    """Return a nest after the accepted ones of a drawn sequence of rewrites.

    The paper's order, with others of any kind thrown in: few orders lead far.
    """
    nest = draw(builders)
    hoist = draw(st.sampled_from(["hoist_bw", "hoist_bw, 4 lanes"]))
    walk = draw(st.sampled_from(["sparsify", "sparsify, no idle slots"]))
    names = ["defer_add", hoist, "hoist_shift", walk, "group_lanes"][: draw(st.integers(0, 5))]
    for name in draw(st.lists(st.sampled_from(list(REWRITES)), max_size=4)):
        names.insert(draw(st.integers(0, len(names))), name)
    for name in names:
        try:
            nest = REWRITES[name](nest)
        except ValueError:
            continue
    return nest


# No deadline: the interpreter is slow by design, and an int16 operand has 16 bit-serial digits.
@settings(deadline=None)
@given(nest=rewritten_nests(), gemm=gemms())
def test_whatever_rewrites_are_accepted_the_nest_computes_the_gemm(
    nest: Nest, gemm: Operands
) -> None:
    a, b, a_format, recoding = gemm
    c, trips = nest.run(a, b, recoding=recoding, a_format=a_format)
    assert c.tolist() == (a @ b).tolist()
    assert trips == nest.trips_for(a, n=b.shape[1], recoding=recoding, a_format=a_format)


@pytest.mark.parametrize("row", ROWS)
@settings(deadline=None, max_examples=20)
@given(gemm=gemms())
def test_every_engine_row_computes_the_gemm(row: str, gemm: Operands) -> None:
    a, b, a_format, recoding = gemm
    c, trips = ROWS[row].run(a, b, recoding=recoding, a_format=a_format)
    assert c.tolist() == (a @ b).tolist()
    assert trips == ROWS[row].trips_for(a, n=b.shape[1], recoding=recoding, a_format=a_format)


@given(st.integers(), st.integers(), st.integers())
def test_compression_keeps_the_total(first: int, second: int, third: int) -> None:
    assert sum(compress(first, second, third)) == first + second + third


def test_the_most_negative_operands_do_not_overflow() -> None:
    a, b = np.full((1, 16), -128), np.full((16, 1), -128)
    nest = ROWS["adder_tree/same_weight"]  # where the paper's 13-bit tree returns -262144
    assert nest.run(a, b, recoding=EN_T, a_format=INT8).c.tolist() == [[262144]]


A = np.array([[7, -50, 91, 124, -128], [3, 3, 3, 3, 3]])
B = np.array([[1, 2], [3, -4], [5, 6], [-7, 8], [9, 10]])


def computes(nest: Nest) -> bool:
    return nest.run(A, B, recoding=EN_T, a_format=INT8).c.tolist() == (A @ B).tolist()


@pytest.mark.parametrize("row", ROWS)
def test_a_dropped_shift_computes_something_else(row: str) -> None:
    nest = ROWS[row]
    shift = next(s for s in nest.statements if isinstance(s, Shift))
    statements = tuple(
        replace(s, source=shift.source) if getattr(s, "source", None) == shift.out else s
        for s in nest.statements
        if s != shift
    )
    assert computes(nest)
    assert not computes(replace(nest, statements=statements))


def test_a_second_shift_computes_something_else() -> None:
    nest = ROWS["column/grouped"]
    shift, total = (s for s in nest.statements if getattr(s, "out", None) in ("w", "C"))
    twice = (shift, Shift(out="w2", source="w"), replace(total, source="w2"))
    rest = tuple(s for s in nest.statements if s not in (shift, total))
    assert not computes(replace(nest, statements=(*rest, *twice)))


def test_a_shift_inside_and_outside_the_sum_computes_something_else() -> None:
    nest = ROWS["column/shared_encoder"]
    doubled = Shift(out="wider", source="pp")
    at = next(i for i, s in enumerate(nest.statements) if isinstance(s, HalfReduce))
    reduce = replace(nest.statements[at], source="wider")
    statements = (*nest.statements[:at], doubled, reduce, *nest.statements[at + 1 :])
    assert not computes(replace(nest, statements=statements))


def refuse(message: str, nest: Nest, **changes: Any) -> None:
    with pytest.raises(ValueError, match=message):
        replace(nest, **changes)


def test_sums_and_values_that_do_not_fit_are_refused() -> None:
    nest = systolic_os(rows=2, cols=2)
    encode, select, shift, reduce, add, total = nest.statements
    refuse(
        r"C must depend on all loops over m and n, and on no other, not mt, nt, mp, np, k",
        nest,
        statements=(encode, select, shift, reduce, add),
    )
    refuse(
        r"accumulate must take a word, not 's,c', a sum/carry pair",
        nest,
        statements=(encode, select, shift, reduce, replace(total, source="s,c")),
    )
    refuse(
        r"shift must read a value given before and give a new one, not 'w' from 'pp'",
        nest,
        statements=(encode, shift, select, reduce, add, total),
    )
    refuse(
        r"half_reduce must sum over loops that 'w' depends on, not kt",
        nest,
        statements=(encode, select, shift, replace(reduce, over=("kt",)), add, total),
    )
    refuse(
        r"shift depends on bw, which 'p' has been summed over",
        nest,
        statements=(
            encode,
            select,
            replace(reduce, source="pp"),
            add,
            Shift(out="w", source="p"),
            replace(total, source="w"),
        ),
    )


def test_loops_that_miss_an_index_are_refused() -> None:
    nest = systolic_os(rows=2, cols=2)
    m_tile, *others = nest.loops
    refuse(
        r"Loops over m must visit each index once, the greatest stride being open, "
        r"not 'm = 4\*mt \+ mp'",
        nest,
        loops=(replace(m_tile, stride=4), *others),
    )
    refuse(r"Loops over m .* not 'm = 2\*mt'", nest, loops=(m_tile, *others[:1], *others[2:]))
    refuse(r"Loops over bw .* not 'missing'", nest, loops=nest.loops[:-1])
    refuse(r"Loops must have different names, not mt, mt", nest, loops=(m_tile, *nest.loops))
    with pytest.raises(ValueError, match=r"Stride and extent of mt must be at least 1, not 0"):
        replace(m_tile, stride=0)


def moved(nest: Nest, name: str, *, before: str) -> Nest:
    loop = next(loop for loop in nest.loops if loop.name == name)
    loops = [other for other in nest.loops if other != loop]
    loops.insert([other.name for other in loops].index(before), loop)
    return replace(nest, loops=tuple(loops))


def test_loop_orders_that_the_data_forbid_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match="add would read 's,c' at each bw before its sum over kt is complete",
    ):
        moved(ROWS["matrix_2d/same_weight, temporal bw"], "kt", before="bw")
    with pytest.raises(
        ValueError, match="add would read 's,c' at each k before its sum over bw is complete"
    ):
        moved(ROWS["systolic_os/mac"], "bw", before="k")
    with pytest.raises(
        ValueError, match="encode covers all of ki at once, so ki must be inside kt"
    ):
        moved(ROWS["column/sparse_digit"], "ki", before="kt")
    with pytest.raises(
        ValueError, match="sparse covers all of ki at once, so ki must be inside bw"
    ):
        moved(ROWS["column/shared_encoder"], "bw", before="np")


def test_a_sum_over_lanes_must_be_waited_for() -> None:
    nest = ROWS["column/grouped"]
    statements = tuple(s for s in nest.statements if s != Sync(loop="kl"))
    refuse(
        "half_reduce sums over kl, whose positions end at different times: a sync must follow it",
        nest,
        statements=statements,
    )
    refuse(
        "sync must wait for a spatial loop, not 'mt'",
        nest,
        statements=(*nest.statements, Sync(loop="mt")),
    )


def test_a_walk_must_cover_the_encoded_group() -> None:
    nest = ROWS["column/sparse_digit"]
    encode = nest.statements[0]
    refuse(
        "A list of non-zero digits must cover the encoded group",
        nest,
        statements=(replace(encode, group=None), *nest.statements[1:]),
    )


def test_a_temporal_loop_is_walked_once() -> None:
    nest = systolic_os(rows=2, cols=2)
    _encode, _select, _shift, _reduce, _add, _total = nest.statements
    late = (
        Encode(out="d2"),
        Map(out="pp2", source="d2"),
        HalfReduce(out="pair2", source="pp2", over=("k", "bw")),
        Add(out="C2", source="pair2"),
    )
    opt1 = carry_save(nest)
    refuse("encode would walk k a second time", opt1, statements=(*opt1.statements, *late))


def test_operands_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Shapes must be \(m, k\) and \(k, n\), not"):
        ROWS["cube/mac"].run(A, A, recoding=EN_T, a_format=INT8)
    with pytest.raises(ValueError, match="GEMM size k must be"):
        ROWS["cube/mac"].run(A[:, :0], B[:0], recoding=EN_T, a_format=INT8)


def test_a_nest_without_a_primitive_cannot_be_rewritten() -> None:
    nest = Nest(
        loops=systolic_os(rows=1, cols=1).loops,
        statements=(
            Encode(out="d"),
            Map(out="pp", source="d"),
            HalfReduce(out="s,c", source="pp", over=("k", "bw")),
            Add(out="C", source="s,c"),
        ),
    )
    with pytest.raises(ValueError, match="A nest to rewrite must have a primitive Shift"):
        hoist_shift(nest)

"""Bit-weight notation: engines as loop nests over m, n, k and bw, and rewrites between them."""

from bitweight.sim.notation.engines import (
    adder_tree,
    carry_save,
    column,
    cube,
    grouped,
    matrix_2d,
    same_weight,
    shared_encoder,
    sparse_digit,
    systolic_os,
    systolic_ws,
)
from bitweight.sim.notation.interpreter import Execution
from bitweight.sim.notation.loops import Dim, Loop
from bitweight.sim.notation.nest import Nest
from bitweight.sim.notation.primitives import (
    Accumulate,
    Add,
    Encode,
    HalfReduce,
    Map,
    Shift,
    Sparse,
    Sync,
)
from bitweight.sim.notation.rewrites import (
    defer_add,
    group_lanes,
    hoist_bw,
    hoist_shift,
    share_encoder,
    sparsify,
)

__all__ = [
    "Accumulate",
    "Add",
    "Dim",
    "Encode",
    "Execution",
    "HalfReduce",
    "Loop",
    "Map",
    "Nest",
    "Shift",
    "Sparse",
    "Sync",
    "adder_tree",
    "carry_save",
    "column",
    "cube",
    "defer_add",
    "group_lanes",
    "grouped",
    "hoist_bw",
    "hoist_shift",
    "matrix_2d",
    "same_weight",
    "share_encoder",
    "shared_encoder",
    "sparse_digit",
    "sparsify",
    "systolic_os",
    "systolic_ws",
]

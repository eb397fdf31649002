"""Multiplier-adder tree: weights stay in columns, each column sums its lanes' products at once.

A beat of ``a`` is one row: ``lanes`` k. It enters column 0 and passes from column to column, one a
clock; column j gives its sum j edges after column 0. Sums of the folds along k add up in a memory
behind each column, and complete chunks of rows leave from there (``sim.k_folds``).

``mac`` multiplies and adds (``pe.structure``: multipliers and a tree of adders, or the Booth rows
of all lanes in one compressor and one adder). ``same_weight`` encodes ``a`` once, ahead of column
0; the digits pass on, and each column reduces equal bit-weights first
(``sim.pe.same_weight_tree``).

2 columns, depth 3 (``mac``, registers = 2), two rows and one fold. Columns are rising edges::

    edge               1   2   3   4   5   6   7   8   9   10  11  12
    cmd                x
    b accepted             c0  c1
    a accepted                     r0  r1
    sum of column 0                        r0  r1                   row at e: e + depth - 1
    sum of column 1                            r0  r1               one edge after column 0
    memory written, column 1                       r0  r1           one edge after the sum
    memory read                                            r0  r1   from depth + columns after the
    c delivers                                                 r0  r1   last row was accepted

With ``double_buffer`` the next fold's columns load from the edge on which a fold starts: each
column takes its new weights over as the first row of a fold reaches it.

RTL twin: ``rtl.engines.adder_tree``.
Source: Trapezoid-like baseline and OPT2 of arXiv 2503.06342. A bare tile takes m + n + depth - 2
edges as there (``tile_cycles``); its tree has depth 8. No tree of MACs was released.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import (
    Activity,
    MatmulResult,
    PortBeats,
    beat_counts,
    beats,
    check_operands,
    cycles,
    simulate,
)
from bitweight.sim.k_folds import fold_beats, fold_cycles
from bitweight.sim.notation import Nest, share_encoder
from bitweight.sim.notation import engines as nests
from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec
from bitweight.sim.recoding import MBE
from bitweight.sim.results import check_depth, check_saturation, deliver
from bitweight.workloads.gemm import check_sizes

_LEAST_SIDE, _GREATEST_SIDE = 2, 256
_GREATEST_ACC_DEPTH = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class AdderTreeSpec:
    """Parameters of a multiplier-adder tree.

    Attributes:
        pe: How a column multiplies and adds; ``pe.pipelined`` registers products, or rows.
        lanes: Products of a column, along k, 2 to 256.
        columns: Columns along n, 2 to 256.
        registers: Register levels of a column's tree, the sum's included, 1 to ``steps``.
        double_buffer: A second set of weights, so that a fold loads while one computes.
        acc_depth: Rows that the memory behind each column holds; more are folded.
        saturate_to: Clamp results to this width as they drain; None lets them wrap.
    """

    pe: MacSpec | SameWeightTreeSpec
    lanes: int = 16
    columns: int = 16
    registers: int = 2
    double_buffer: bool = True
    acc_depth: int = 256
    saturate_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse trees that add nothing and registers that no step ends with."""
        for side, size in (("lanes", self.lanes), ("columns", self.columns)):
            if not _LEAST_SIDE <= size <= _GREATEST_SIDE:
                raise ValueError(
                    f"Adder tree {side} must be {_LEAST_SIDE} to {_GREATEST_SIDE}, not {size!r}"
                )
        if not 1 <= self.registers <= self.steps:
            raise ValueError(
                f"Register levels of this tree must be 1 to {self.steps}, not {self.registers!r}"
            )
        if not 1 <= self.acc_depth <= _GREATEST_ACC_DEPTH:
            raise ValueError(
                f"Accumulator memory must have 1 to {_GREATEST_ACC_DEPTH} rows, "
                f"not {self.acc_depth!r}"
            )
        check_saturation(self.pe, self.saturate_to)

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        return f"adder_tree/{self.pe.name}"

    @property
    def small(self) -> "AdderTreeSpec":
        """The same engine at a size that benches build in seconds; not square."""
        return replace(self, lanes=3, columns=4, acc_depth=5, registers=min(2, self.registers))

    @property
    def data_dependent(self) -> bool:
        """Cycles follow from the sizes."""
        return False

    @property
    def nest(self) -> Nest:
        """Loop nest: k and n spatial, m temporal."""
        plain = nests.adder_tree(lanes=self.lanes, columns=self.columns)
        if isinstance(self.pe, MacSpec):
            return plain
        return share_encoder(nests.same_weight(plain))

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every lane works."""
        return self.lanes * self.columns

    @property
    def is_encoded(self) -> bool:
        """Whether digits pass from column to column in place of operands."""
        return isinstance(self.pe, SameWeightTreeSpec)

    @property
    def front_latency(self) -> int:
        """Registers ahead of column 0's own: the operands', if the encoder stands behind them."""
        return int(self.is_encoded)

    @property
    def steps(self) -> int:
        """Steps from products to a sum, each of which may end in registers.

        Levels of adders; or compress and add; or compress each weight, join the weights, and add.
        """
        if isinstance(self.pe, SameWeightTreeSpec):
            return 3
        return 2 if self.pe.structure is MacStructure.FUSED else (self.lanes - 1).bit_length()

    @property
    def registered_steps(self) -> frozenset[int]:
        """Steps, counted from 1, that end in registers: spread evenly, the last always."""
        levels = range(1, self.registers + 1)
        return frozenset(-(-level * self.steps // self.registers) for level in levels)

    @property
    def depth(self) -> int:
        """Edges from accepting a row to writing column 0's sum, both counted."""
        return 1 + self.front_latency + self.pe.pipelined + self.registers

    @property
    def sum_width(self) -> int:
        """Bits of a column's sum, signed: those that its extremes need, or the accumulator's."""
        products = [x * y for x in self._ends("a") for y in self._ends("b")]
        greatest, least = self.lanes * max(products), self.lanes * min(products)
        bits = max(greatest.bit_length(), (-1 - least).bit_length() if least < 0 else 0)
        return min(1 + bits, self.pe.acc_width)

    def _ends(self, operand: str) -> tuple[int, int]:
        form = self.pe.a if operand == "a" else self.pe.b
        return form.min, form.max

    @property
    def products(self) -> PartialProducts:
        """Layout of one lane's partial products where there are any."""
        pe = self.pe
        recoding = MBE.name if isinstance(pe, MacSpec) else pe.recoding
        return partial_products(recoding, pe.a, pe.b, self.sum_width)

    @property
    def column_register_bits(self) -> int:
        """Flip-flops of a column: the row passing through, weights, products and tree."""
        pe, lanes = self.pe, self.lanes
        row, rows = pe.a.width, self.products.rows * (self.products.row_width + 1)
        product = pe.a.width + pe.b.width
        if isinstance(pe, SameWeightTreeSpec):
            row = sum(len(lines) for lines in pe.select_lines)
            product = rows
        elif pe.structure is MacStructure.FUSED:
            product = rows
        weights = (2 if self.double_buffer else 1) * pe.b.width
        words = sum(sum(self.step_widths(step)) for step in self.registered_steps)
        return lanes * (row + weights + (product if pe.pipelined else 0)) + words

    def step_widths(self, step: int) -> list[int]:
        """Return the widths of the words that a step ends with; a pair counts as two words."""
        pe = self.pe
        if step == self.steps:
            return [self.sum_width]
        if isinstance(pe, MacSpec) and pe.structure is MacStructure.MULTIPLY_ADD:
            widths = [pe.a.width + pe.b.width] * self.lanes
            for _ in range(step):
                odd = widths[len(widths) & ~1 :]
                widths = [max(pair) + 1 for pair in zip(widths[::2], widths[1::2], strict=False)]
                widths += odd
            return widths
        if isinstance(pe, SameWeightTreeSpec) and step == 1:
            return [pe.weight_width(self.lanes, d) for d in range(pe.digits) for _ in range(2)]
        return [self.sum_width] * 2

    def tile_cycles(self, rows: int) -> int:
        """Edges of a tile of ``rows`` in the array without its control.

        From the edge that samples its first row to the one that writes the last column's last sum.
        """
        return rows + self.columns + self.depth - 2

    def overhead_cycles(self, *, m: int, n: int, k: int) -> int:
        """Cycles of a GEMM in which no row is accepted: command, loads, fold changes and drain."""
        return cycles(self, m=m, n=n, k=k) - beats(self, m=m, n=n, k=k)["a"].count


@cycles.register
def _(spec: AdderTreeSpec, *, m: int, n: int, k: int) -> int:
    check_sizes(m=m, n=n, k=k)
    check_depth(spec, k)
    return fold_cycles(spec, m=m, n=n, k=k)


@beats.register
def _(spec: AdderTreeSpec, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    check_sizes(m=m, n=n, k=k)
    return fold_beats(spec, m=m, n=n, k=k)


@simulate.register
def _(spec: AdderTreeSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> MatmulResult:
    m, n, k = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    acc, overflow = deliver(spec, a, b)
    total = cycles(spec, m=m, n=n, k=k)
    macs = m * n * k
    activity = Activity(
        macs=macs,
        digits=macs * spec.pe.digits,
        idle_slots=(total * spec.peak_macs - macs) * spec.pe.digits,
        register_writes=total * spec.columns * spec.column_register_bits,
        beats=beat_counts(spec, m=m, n=n, k=k),
    )
    return MatmulResult(acc=acc, overflow=overflow, cycles=total, activity=activity)

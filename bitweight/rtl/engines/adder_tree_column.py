"""RTL of a column of the multiplier-adder tree: weights, and the tree over all lanes' products.

The row that passes is operands (``mac``) or the select lines of their digits (``same_weight``).
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.compressor import compress
from bitweight.rtl.partial_products import product_bits, select_row
from bitweight.rtl.recoding import Digit
from bitweight.rtl.wires import operand_shape
from bitweight.sim.compressor import InputBit, plan_tree
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec


def lane_layout(spec: AdderTreeSpec) -> Any:
    """Return what passes from column to column for one lane: an operand, or its digits' lines."""
    if not isinstance(spec.pe, SameWeightTreeSpec):
        return operand_shape(spec.pe.a)
    digits = enumerate(spec.pe.select_lines)
    return StructLayout({f"{line}{number}": 1 for number, lines in digits for line in lines})


class AdderTreeColumn(wiring.Component):
    """One column.

    Ports:
        row: From the column before.
        row_next: The same one clock later: what this column's products are made of.
        b: A column of b, for whoever loads.
        load: Take ``b``.
        swap, swap_next: The loaded weights replace those in use, as the first row of a fold comes;
            the same one clock later (with ``double_buffer``).
        sum: Sum over the lanes, registered.
    """

    def __init__(self, spec: AdderTreeSpec) -> None:
        self.spec = spec
        row = ArrayLayout(lane_layout(spec), spec.lanes)
        super().__init__(
            {
                "row": In(row),
                "row_next": Out(row),
                "b": In(ArrayLayout(operand_shape(spec.pe.b), spec.lanes)),
                "load": In(1),
                **({"swap": In(1), "swap_next": Out(1)} if spec.double_buffer else {}),
                "sum": Out(Shape(spec.sum_width, True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the column."""
        m = Module()
        spec = self.spec
        row = Signal.like(self.row, reset_less=True, name="row_register")
        m.d.sync += row.eq(self.row)
        m.d.comb += self.row_next.eq(row)
        weights = self._weights(m)
        pe = spec.pe
        if isinstance(pe, SameWeightTreeSpec):
            steps = [self._reduce_weights, self._join_weights, self._add]
            words = self._digit_rows(m, row, weights)
        elif pe.structure is MacStructure.FUSED:
            steps = [self._reduce_all, self._add]
            words = self._booth_rows(m, row, weights)
        else:
            steps = [self._add_neighbours] * spec.steps
            words = self._products(m, row, weights)
        if pe.pipelined:
            words = _registered(m, words, "product")
        for number, step in enumerate(steps, 1):
            words = step(m, words)
            if number in spec.registered_steps:
                words = _registered(m, words, f"step{number}")
        m.d.comb += self.sum.eq(words[0])
        return m

    def _weights(self, m: Module) -> Signal:
        """Add the one or two sets of weights; they need no reset, since each fold loads them."""
        weights = Signal.like(self.b, reset_less=True, name="weights")
        if not self.spec.double_buffer:
            with m.If(self.load):
                m.d.sync += weights.eq(self.b)
            return weights
        loaded = Signal.like(self.b, reset_less=True, name="loaded")
        with m.If(self.load):
            m.d.sync += loaded.eq(self.b)
        with m.If(self.swap):
            m.d.sync += weights.eq(loaded)
        m.d.sync += self.swap_next.eq(self.swap)
        return weights

    def _products(self, m: Module, row: Signal, weights: Signal) -> list[Value]:
        return [row[lane] * weights[lane] for lane in range(self.spec.lanes)]

    def _add_neighbours(self, m: Module, words: Sequence[Value]) -> list[Value]:
        """One level of adders; a word without a neighbour passes."""
        sums = [x + y for x, y in zip(words[::2], words[1::2], strict=False)]
        return [*sums, *words[len(words) & ~1 :]]

    def _booth_rows(self, m: Module, row: Signal, weights: Signal) -> list[Value]:
        """Return each lane's rows as one word of bits."""
        words = []
        for lane in range(self.spec.lanes):
            rows = Module()
            bits = product_bits(rows, self.spec.products, row[lane], weights[lane])
            word = Signal(len(bits), name=f"rows_{lane}")
            rows.d.comb += word.eq(Cat(*bits))
            m.submodules[f"booth_{lane}"] = rows
            words.append(word)
        return words

    def _reduce_all(self, m: Module, words: Sequence[Value]) -> list[Value]:
        """Compress the rows of all lanes, and the constant for their inverted signs, to a pair."""
        spec = self.spec
        ones = _ones(-spec.lanes * spec.products.offset, spec.sum_width)
        bits = [bit for word in words for bit in word]
        tree = plan_tree([*spec.products.row_inputs * spec.lanes, *ones], spec.sum_width)
        return [*compress(m, tree, [*bits, *[Const(1, 1)] * len(ones)])]

    def _digit_rows(self, m: Module, row: Signal, weights: Signal) -> list[Value]:
        """Return each digit's row and negate bit as one word, all lanes of a digit together."""
        width = self.spec.products.row_width
        no = Const(0, 1)
        words: list[Value] = []
        for number, lines in enumerate(self._pe.select_lines):
            for lane in range(self.spec.lanes):
                one, two, negate = (
                    row[lane][f"{line}{number}"] if line in lines else no for line in Digit._fields
                )
                multiplicand = Signal(width, name=f"multiplicand_{number}_{lane}")
                word = Signal(width + 1, name=f"row_{number}_{lane}")
                selected = select_row(multiplicand, Digit(one, two, negate))
                m.d.comb += [multiplicand.eq(weights[lane]), word.eq(Cat(selected, negate))]
                words.append(word)
        return words

    def _reduce_weights(self, m: Module, words: Sequence[Value]) -> list[Value]:
        """Compress the rows of each weight to a pair: unshifted, and as narrow as they allow."""
        lanes, width = self.spec.lanes, self.spec.products.row_width
        inputs = [InputBit(bit, 4) for bit in range(width)] + [InputBit(0, 2)]
        pairs: list[Value] = []
        for number in range(self._pe.digits):
            tree = plan_tree(inputs * lanes, self._pe.weight_width(lanes, number))
            rows = words[number * lanes : (number + 1) * lanes]
            pairs += compress(
                m, tree, [bit for row in rows for bit in row], name=f"weight{number}_"
            )
        return pairs

    def _join_weights(self, m: Module, words: Sequence[Value]) -> list[Value]:
        """Shift each weight's pair by wiring and compress them, and the constant, to one pair."""
        spec = self.spec
        ones = _ones(-spec.lanes * spec.products.offset, spec.sum_width)
        inputs = [
            InputBit(bit + spec.products.step * (number // 2), 0)
            for number, word in enumerate(words)
            for bit in range(len(word))
        ]
        bits = [bit for word in words for bit in word]
        tree = plan_tree([*inputs, *ones], spec.sum_width)
        return [*compress(m, tree, [*bits, *[Const(1, 1)] * len(ones)], name="join")]

    def _add(self, m: Module, words: Sequence[Value]) -> list[Value]:
        total = Signal(Shape(self.spec.sum_width, True), name="total")
        m.d.comb += total.eq(words[0] + words[1])
        return [total]

    @property
    def _pe(self) -> SameWeightTreeSpec:
        assert not isinstance(self.spec.pe, MacSpec), "operands are not encoded ahead"
        return self.spec.pe


def _ones(constant: int, width: int) -> list[InputBit]:
    return [InputBit(bit, 0) for bit in range(width) if constant >> bit & 1]


def _registered(m: Module, words: Sequence[Value], name: str) -> list[Value]:
    """Return ``words`` one clock later; registers need no reset, since rows carry tags."""
    registers: list[Value] = []
    for number, word in enumerate(words):
        register = Signal(word.shape(), reset_less=True, name=f"{name}_{number}")
        m.d.sync += register.eq(word)
        registers.append(register)
    return registers

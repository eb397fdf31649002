"""RTL of the same-weight MAC: narrow rows of several k, unshifted, into a redundant accumulator."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.build import component
from bitweight.rtl.compressor import compress
from bitweight.rtl.partial_products import select_row
from bitweight.rtl.recoding import Digit
from bitweight.rtl.wires import operand_shape
from bitweight.sim.compressor import InputBit, plan_tree
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec


def lane_layout(spec: SameWeightMacSpec) -> StructLayout:
    """Return what a PE meets of one element of ``a`` in one clock: its digit's lines, or all."""
    digits = enumerate(spec.select_lines)
    return StructLayout({f"{line}{number}": 1 for number, lines in digits for line in lines})


class SameWeightMac(wiring.Component):
    """Same-weight MAC processing element.

    Ports:
        clear: Start a new sum from these products.
        shift: Multiply the sum by the radix first, as a pass begins (``temporal``).
        a: Per lane the select lines of its digits. Zeros keep the sum's value, not its bits.
        b: Per lane the other operand.
        sum, carry: Redundant accumulator, registered, ``spec.latency`` edges after the operands.
    """

    def __init__(self, spec: SameWeightMacSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "clear": In(1),
                **({"shift": In(1)} if spec.temporal else {}),
                "a": In(ArrayLayout(lane_layout(spec), spec.k_lanes)),
                "b": In(ArrayLayout(operand_shape(spec.b), spec.k_lanes)),
                "sum": Out(spec.acc_width),
                "carry": Out(spec.acc_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()
        spec = self.spec
        # No reset: the first beat of a sum clears it.
        words = [
            Signal(spec.acc_width, reset_less=True, name="sum_register"),
            Signal(spec.acc_width - 1, reset_less=True, name="carry_register"),
        ]
        # The carry's bit 0 has no register, so a shift leaves it zero.
        kept = [Mux(self.clear, 0, self._shifted(word)) for word in words]
        kept_inputs = [InputBit(bit, 0) for bit in range(spec.acc_width)]
        kept_inputs += kept_inputs[1:]
        inputs, bits = self._one_weight(m) if spec.temporal else self._all_weights(m)
        tree = plan_tree([*kept_inputs, *inputs], spec.acc_width)
        # Column 0 takes an odd number of bits and keeps one, so carry bit 0 is always zero.
        assert len(tree.outputs[0]) == 1, "carry bit 0 has no register"
        sum_word, carry_word = compress(m, tree, [*kept[0], *kept[1], *bits])
        m.d.sync += [words[0].eq(sum_word), words[1].eq(carry_word[1:])]
        m.d.comb += [self.sum.eq(words[0]), self.carry.eq(words[1] << 1)]
        return m

    def _shifted(self, word: Signal) -> Value:
        """Return a word, or, as a pass begins, the word times the radix."""
        if not self.spec.temporal:
            return word
        return Mux(self.shift, (word << self.spec.products.step)[: len(word)], word)

    def _one_weight(self, m: Module) -> tuple[list[InputBit], list[Value]]:
        """Return the rows of one digit of each lane, and the constant for their signs."""
        spec = self.spec
        width = spec.products.row_width
        inputs = self._row_inputs() * spec.k_lanes
        bits = [bit for row in self._rows(m, 0) for bit in row]
        ones = _ones(-(spec.k_lanes << (width - 1)), spec.acc_width)
        return [*inputs, *ones], [*bits, *[Const(1, 1)] * len(ones)]

    def _all_weights(self, m: Module) -> tuple[list[InputBit], list[Value]]:
        """Return the pairs that the rows of each weight come to, and the constant."""
        spec = self.spec
        inputs: list[InputBit] = []
        bits: list[Value] = []
        for number in range(spec.digits):
            tree = plan_tree(self._row_inputs() * spec.k_lanes, spec.weight_width(number))
            rows = [bit for row in self._rows(m, number) for bit in row]
            pair = compress(m, tree, rows, name=f"weight{number}_")
            for word in pair:
                inputs += [InputBit(spec.products.step * number + at, 8) for at in range(len(word))]
                bits += list(word)
        ones = _ones(-spec.k_lanes * spec.products.offset, spec.acc_width)
        return [*inputs, *ones], [*bits, *[Const(1, 1)] * len(ones)]

    def _row_inputs(self) -> list[InputBit]:
        """Bits of a row and of its negation, all at the same weight; digits come from registers."""
        return [InputBit(at, 2) for at in range(self.spec.products.row_width)] + [InputBit(0, 0)]

    def _rows(self, m: Module, number: int) -> list[Signal]:
        width = self.spec.products.row_width
        lines = self.spec.select_lines[number]
        rows = []
        for lane in range(self.spec.k_lanes):
            one, two, negate = (
                self.a[lane][f"{line}{number}"] if line in lines else Const(0, 1)
                for line in Digit._fields
            )
            multiplicand = Signal(width, name=f"multiplicand_{number}_{lane}")
            row = Signal(width + 1, name=f"row_{number}_{lane}")
            selected = select_row(multiplicand, Digit(one, two, negate))
            m.d.comb += [multiplicand.eq(self.b[lane]), row.eq(Cat(selected, negate))]
            rows.append(row)
        return rows


def _ones(constant: int, width: int) -> list[InputBit]:
    return [InputBit(bit, 0) for bit in range(width) if constant >> bit & 1]


@component.register
def _(spec: SameWeightMacSpec) -> SameWeightMac:
    return SameWeightMac(spec)

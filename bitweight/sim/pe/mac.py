"""MAC with one accumulator word, in two structures.

``multiply_add`` is a multiplier, then an adder: two carry chains in one clock, as synthesis tools
make of ``acc + a * b``. ``fused`` sends the Booth rows and the accumulator through one compressor
tree and one adder: one carry chain. It is the fair opponent of the carry-save PE. ``pipelined``
puts registers between product and accumulation, for one more clock of latency.

RTL twin: ``rtl.pe.mac``.
Source: arXiv 2503.06342, the baseline MAC (its Verilog writes ``acc + a * b`` likewise); the fused
MAC is textbook, for example Koren, "Computer Arithmetic Algorithms", 2nd ed., ch. 6.
"""

import enum
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from bitweight.sim.compressor import CompressorTree, InputBit, compress, plan_tree
from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.pe.step import check_acc_width, initial_state, resolve, step, wrap
from bitweight.sim.recoding import MBE
from bitweight.workloads.formats import INT8, IntFormat


class MacStructure(enum.StrEnum):
    """How product and accumulator are added."""

    MULTIPLY_ADD = "multiply_add"
    FUSED = "fused"


@dataclass(frozen=True, slots=True, kw_only=True)
class MacSpec:
    """Parameters of one MAC.

    Attributes:
        a: Format of the streamed operand; ``fused`` recodes it.
        b: Format of the other operand.
        acc_width: Accumulator width in bits. Sums wrap modulo ``2**acc_width``.
        structure: Multiplier then adder, or one tree and one adder.
        pipelined: Register the product before it is accumulated.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    structure: MacStructure = MacStructure.MULTIPLY_ADD
    pipelined: bool = False

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "mac"

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; modulo ``2**acc_width`` they add up to the value."""
        return ("acc",)

    @property
    def digits(self) -> int:
        """Digit slots of a MAC: the operand is taken whole."""
        return 1

    @property
    def latency(self) -> int:
        """Clock edges from an operand pair at the inputs to its effect on ``acc``."""
        return 2 if self.pipelined else 1

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the accumulator, once read, to its value: it is the value."""
        return 0

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: its accumulator, and its pipeline registers with their tag."""
        if not self.pipelined:
            return self.acc_width
        if self.structure is MacStructure.FUSED:
            return self.acc_width + 2 * self.product_tree.width + 1
        return self.acc_width + self.a.width + self.b.width + 1

    @property
    def products(self) -> PartialProducts:
        """Layout of the partial products (``fused``)."""
        return partial_products(MBE.name, self.a, self.b, self.acc_width)

    @property
    def product_tree(self) -> CompressorTree:
        """Tree of the rows alone (``fused`` and ``pipelined``).

        It is wide enough for the product and its offset, both of which are then positive: no carry
        is lost, so the pair may be widened with zeros.
        """
        return _product_tree(self)

    @property
    def acc_tree(self) -> CompressorTree:
        """Tree of the accumulator, the rows (or their registered pair) and the ones (``fused``)."""
        return _acc_tree(self)


@cache
def _product_tree(spec: MacSpec) -> CompressorTree:
    greatest = spec.a.max_magnitude * spec.b.max_magnitude + spec.products.offset
    return plan_tree(spec.products.row_inputs, greatest.bit_length())


@cache
def _acc_tree(spec: MacSpec) -> CompressorTree:
    acc = [InputBit(bit, 0) for bit in range(spec.acc_width)]
    pair = [InputBit(bit, 0) for _ in range(2) for bit in range(spec.product_tree.width)]
    rows = pair if spec.pipelined else spec.products.row_inputs
    return plan_tree((*acc, *rows, *spec.products.ones), spec.acc_width)


class State(NamedTuple):
    """Registers of the PE, named as in the RTL.

    Those after ``acc`` exist if ``pipelined``: the product, as one signed word or as a pair of
    words, and the clear that belongs to it.
    """

    acc: int = 0
    product: int = 0
    carry: int = 0
    cleared: bool = False


@initial_state.register
def _(spec: MacSpec) -> State:
    return State()


@step.register
def _(spec: MacSpec, state: State, a: int, b: int, *, clear: bool = False) -> State:
    kept = 0 if (state.cleared if spec.pipelined else clear) else state.acc
    acc = _accumulate(spec, kept, state, a, b)
    if not spec.pipelined:
        return State(acc=acc)
    if spec.structure is MacStructure.MULTIPLY_ADD:
        return State(acc=acc, product=a * b, cleared=clear)
    pair = compress(spec.product_tree, spec.products.bits(a, b))
    return State(acc, *pair, cleared=clear)


def _accumulate(spec: MacSpec, kept: int, state: State, a: int, b: int) -> int:
    """Return the accumulator after adding this product, or the registered one."""
    mask = (1 << spec.acc_width) - 1
    if spec.structure is MacStructure.MULTIPLY_ADD:
        return (kept + (state.product if spec.pipelined else a * b)) & mask
    bits = _bits(kept, spec.acc_width)
    if spec.pipelined:
        width = spec.product_tree.width
        bits += _bits(state.product, width) + _bits(state.carry, width)
    else:
        bits += spec.products.bits(a, b)
    return sum(compress(spec.acc_tree, bits + [1] * len(spec.products.ones))) & mask


def _bits(word: int, width: int) -> list[int]:
    return [word >> bit & 1 for bit in range(width)]


@resolve.register
def _(spec: MacSpec, state: State) -> int:
    return wrap(state.acc, spec.acc_width)

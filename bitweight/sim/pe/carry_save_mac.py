"""Carry-save MAC: the accumulator stays redundant until it is read.

The rows of the product and both accumulator words go through one compressor tree, so neither
the product nor the sum is ever carried out. One adder outside the array resolves the pair, once per
output instead of once per clock::

    a -> recode -+
    b -> select -+-> rows -> compressor tree -> sum, carry --+--> resolve (outside)
                              ^                              |
                              +------------------------------+

RTL twin: ``rtl.pe.carry_save_mac``.
Source: OPT1 of arXiv 2503.06342 (compressed accumulation); Wallace, "A Suggestion for a Fast
Multiplier", IEEE Trans. EC-13(1), 1964. Other than the published PE, no row is sign-extended
(``sim.partial_products``), which makes the tree smaller.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from bitweight.sim.compressor import CompressorTree, InputBit, compress, plan_tree
from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.pe.step import check_acc_width, initial_state, resolve, step, wrap
from bitweight.sim.recoding import MBE, check_recoding
from bitweight.workloads.formats import INT8, IntFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrySaveMacSpec:
    """Parameters of one carry-save MAC.

    Attributes:
        a: Format of the streamed operand; it is the one recoded.
        b: Format of the other operand.
        acc_width: Width of each accumulator word in bits. Sums wrap modulo ``2**acc_width``.
        recoding: Name of the recoding of ``a``: one row per digit.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32
    recoding: str = MBE.name

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product, and unknown recodings."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)
        check_recoding(self.recoding)

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "carry_save"

    @property
    def latency(self) -> int:
        """Clock edges from an operand pair at the inputs to its effect on ``sum`` and ``carry``."""
        return 1

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the pair, once read, to its value: one carry-propagate adder."""
        return 1

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; modulo ``2**acc_width`` they add up to the value."""
        return ("sum", "carry")

    @property
    def digits(self) -> int:
        """Digit slots of a MAC: all digits of ``a`` at once."""
        return self.products.rows

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: both words, less the carry's constant bit 0."""
        return 2 * self.acc_width - 1

    @property
    def products(self) -> PartialProducts:
        """Layout of the partial products."""
        return partial_products(self.recoding, self.a, self.b, self.acc_width)

    @property
    def tree(self) -> CompressorTree:
        """Compressor tree; its inputs are the sum, carry bits 1 and up, rows and ones.

        Column 0 takes three bits (sum, row 0, its negate bit) and keeps one, so carry bit 0 is
        always zero.
        """
        return _tree(self)


@cache
def _tree(spec: CarrySaveMacSpec) -> CompressorTree:
    sum_bits = [InputBit(bit, 0) for bit in range(spec.acc_width)]
    products = (*spec.products.row_inputs, *spec.products.ones)
    tree = plan_tree((*sum_bits, *sum_bits[1:], *products), spec.acc_width)
    assert len(tree.outputs[0]) == 1, "carry bit 0 has no register"
    return tree


class State(NamedTuple):
    """Registers of the PE, named as in the RTL; each is ``acc_width`` bits, unsigned."""

    sum: int = 0
    carry: int = 0


@initial_state.register
def _(spec: CarrySaveMacSpec) -> State:
    return State()


@step.register
def _(spec: CarrySaveMacSpec, state: State, a: int, b: int, *, clear: bool = False) -> State:
    kept = State() if clear else state
    bits = [kept.sum >> bit & 1 for bit in range(spec.acc_width)]
    bits += [kept.carry >> bit & 1 for bit in range(1, spec.acc_width)]
    bits += spec.products.bits(a, b)
    bits += [1] * len(spec.products.ones)
    return State(*compress(spec.tree, bits))


@resolve.register
def _(spec: CarrySaveMacSpec, state: State) -> int:
    return wrap(state.sum + state.carry, spec.acc_width)

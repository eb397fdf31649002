"""A MAC whose partial sum passes on to the next PE instead of staying in an accumulator.

``depth`` such PEs in a row form a chain along k: each adds one product to the words that come in
and hands the words on one clock later. Words are only as wide as the sum of a whole chain::

    start -> [PE 0] -> [PE 1] -> ... -> [PE depth - 1] -> end
              a0 b0     a1 b1              a  b

Rows of partial products have inverted signs (``sim.partial_products``), so each PE adds ``offset``
too much. No PE takes that off again: the chain does so once. A single word starts at minus
``depth`` offsets, and its end is the sum in two's complement. A (sum, carry) pair starts at zero.
Then all that is added is positive and no carry leaves the words, so they may be widened with
zeros, which is what makes a redundant pair fit a wider accumulator; ``bias`` is left to be taken
off there.

RTL twin: ``rtl.pe.chained``.
Source: systolic WS and 3D-Cube of arXiv 2503.06342, and OPT1 of them: there the pair travels in
place of the partial sum, with words of 16 + log2(depth) bits for int8. Where to take the offset
off is ours.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from bitweight.sim.compressor import CompressorTree, InputBit, compress, plan_tree
from bitweight.sim.partial_products import PartialProducts, partial_products
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.mac import MacSpec, MacStructure
from bitweight.sim.recoding import MBE


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedMacSpec:
    """Parameters of a chained MAC; derived from an engine's PE, not chosen by a user.

    Attributes:
        pe: The PE, whose operands, structure and recoding it takes. ``pe.acc_width`` is the
            accumulator after the chain; words are no wider.
        depth: PEs of the chain, at least 1.
    """

    pe: MacSpec | CarrySaveMacSpec
    depth: int

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the words that travel."""
        return self.pe.words

    @property
    def is_pair(self) -> bool:
        """Whether the partial sum is redundant."""
        return len(self.words) == 2

    @property
    def is_recoded(self) -> bool:
        """Whether the product is added as rows; else a multiplier makes one word of it."""
        return not isinstance(self.pe, MacSpec) or self.pe.structure is MacStructure.FUSED

    @property
    def is_pipelined(self) -> bool:
        """Whether products are registered first; this delays the chain, not its hops."""
        return self.latency == 2

    @property
    def latency(self) -> int:
        """Clock edges from an operand pair at the inputs to its effect on the words.

        From one PE's words to the next one's it is always one edge.
        """
        return self.pe.latency

    @property
    def products(self) -> PartialProducts:
        """Layout of the partial products (``is_recoded``)."""
        recoding = self.pe.recoding if isinstance(self.pe, CarrySaveMacSpec) else MBE.name
        return partial_products(recoding, self.pe.a, self.pe.b, self.pe.acc_width)

    @property
    def bias(self) -> int:
        """What the words at the chain's end hold beyond the sum."""
        return self.depth * self.products.offset if self.is_pair else 0

    @property
    def width(self) -> int:
        """Bits of each word: the sum fits in two's complement, and a pair's with its bias."""
        a, b = self.pe.a, self.pe.b
        corners = [x * y for x in (a.min, a.max) for y in (b.min, b.max)]
        greatest, least = self.depth * max(corners), self.depth * min(corners)
        signed = 1 + max(greatest, -1 - least).bit_length()
        needed = max(signed, (greatest + self.bias).bit_length())
        return min(needed, self.pe.acc_width)

    @property
    def start(self) -> tuple[int, ...]:
        """Words that enter the first PE, always: every PE adds its offset, bubble or not."""
        if self.is_pair:
            return (0, 0)
        offsets = self.depth * self.products.offset if self.is_recoded else 0
        return (-offsets % (1 << self.width),)

    @property
    def tree(self) -> CompressorTree:
        """Tree of the incoming words (carry from bit 1 up) and the rows (``is_recoded``).

        As in ``CarrySaveMacSpec`` carry bit 0 is always zero. A pipelined product enters as the
        pair that ``pe.product_tree`` makes of the rows.
        """
        return _tree(self)

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: the words, less carry bit 0, and its pipeline registers."""
        words = 2 * self.width - 1 if self.is_pair else self.width
        # Of the PE's own, the accumulator becomes the words, and nothing needs a clear.
        piped = self.pe.register_bits - self.pe.acc_width - 1 if self.is_pipelined else 0
        return words + piped


@cache
def _tree(spec: ChainedMacSpec) -> CompressorTree:
    word = [InputBit(bit, 0) for bit in range(spec.width)]
    incoming = [*word, *word[1:]] if spec.is_pair else word
    added: list[InputBit] = list(spec.products.row_inputs)
    if isinstance(spec.pe, MacSpec) and spec.is_pipelined:
        added = [InputBit(bit, 0) for _ in range(2) for bit in range(spec.pe.product_tree.width)]
    return plan_tree((*incoming, *added), spec.width)


class ChainedState(NamedTuple):
    """Registers of the PE.

    ``words`` are named as in ``ChainedMacSpec.words``. ``product`` exists if it is pipelined: one
    signed word, or a pair of words.
    """

    words: tuple[int, ...]
    product: tuple[int, ...] = ()


def initial_chained(spec: ChainedMacSpec) -> ChainedState:
    """Return the state of a PE whose registers hold zero."""
    product: tuple[int, ...] = ((0, 0) if spec.is_recoded else (0,)) if spec.is_pipelined else ()
    return ChainedState((0,) * len(spec.words), product)


def step_chained(
    spec: ChainedMacSpec, state: ChainedState, a: int, b: int, incoming: tuple[int, ...]
) -> ChainedState:
    """Advance a PE by one clock.

    Args:
        spec: Parameters of the PE.
        state: Its registers before the edge.
        a: Streamed operand.
        b: Other operand.
        incoming: Words of the PE before it, or ``spec.start``; not those that it sends after.

    Returns:
        The registers after the edge.
    """
    mask = (1 << spec.width) - 1
    if not spec.is_recoded:
        product = state.product[0] if spec.is_pipelined else a * b
        word = (incoming[0] + product) & mask
        return ChainedState((word,), (a * b,) if spec.is_pipelined else ())
    rows = spec.products.bits(a, b)
    next_product: tuple[int, ...] = ()
    if isinstance(spec.pe, MacSpec) and spec.is_pipelined:
        next_product = compress(spec.pe.product_tree, rows)
        rows = [bit for word in state.product for bit in _bits(word, spec.pe.product_tree.width)]
    bits = _bits(incoming[0], spec.width)
    if spec.is_pair:
        bits += _bits(incoming[1], spec.width)[1:]
    pair = compress(spec.tree, [*bits, *rows])
    return ChainedState(pair if spec.is_pair else (sum(pair) & mask,), next_product)


def _bits(word: int, width: int) -> list[int]:
    return [word >> bit & 1 for bit in range(width)]

"""Memories that engines hold, from their specs: words, width and how many.

The RTL is where they are; a test holds these against what it emits. Memories of up to 16 words are
flip-flops there, and are listed here all the same.
"""

from functools import singledispatch
from typing import Any, NamedTuple

from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.pe.digit import GROUP
from bitweight.sim.results import out_width

_FLIP_FLOP_WORDS = 16


class Held(NamedTuple):
    """Memories of one size."""

    words: int
    width: int
    copies: int

    @property
    def is_memory(self) -> bool:
        """Whether it is deep enough to be one."""
        return self.words > _FLIP_FLOP_WORDS


@singledispatch
def held_memories(spec: Any) -> tuple[Held, ...]:
    """Return the memories of an engine, in the order in which its Verilog has them."""
    return ()


@held_memories.register
def _(spec: SystolicWsSpec) -> tuple[Held, ...]:
    return (
        Held(spec.result_depth, out_width(spec), spec.cols),
        Held(spec.acc_depth, spec.pe.acc_width, spec.cols),
    )


@held_memories.register
def _(spec: AdderTreeSpec) -> tuple[Held, ...]:
    return (Held(spec.acc_depth, spec.pe.acc_width, spec.columns),)


@held_memories.register
def _(spec: ColumnSpec) -> tuple[Held, ...]:
    lanes = spec.columns * spec.pe.lanes
    places = (GROUP - 1).bit_length()
    b_bits = spec.row_bits + places - (0 if spec.double_buffer else 1)
    by_pe = (spec.pes - 1).bit_length()
    sums, results = (
        1 << (rows - 1).bit_length() + by_pe
        for rows in (spec.acc_depth // spec.columns, spec.c_depth)
    )
    return (
        Held(1 << b_bits, spec.pe.b.width, lanes * spec.pes),
        Held(1 << spec.row_bits, GROUP * spec.pe.a.width, lanes),
        Held(results, spec.pe.acc_width, spec.columns),
        Held(sums, spec.pe.acc_width, spec.columns),
    )


@held_memories.register
def _(spec: DealtColumnSpec) -> tuple[Held, ...]:
    bits = (spec.words - 1).bit_length()
    places = [{place for layout in spec.layouts for place in layout[lane]} for lane in _lanes(spec)]
    queue = Held(2 << bits, spec.share * spec.pe.a.width + bits + 1, 1)
    tiles = 2 if spec.double_buffer else 1
    bank = Held(tiles << bits, spec.pes * spec.pe.b.width, sum(map(len, places)))
    return (*(queue for _ in _lanes(spec)), bank)


def _lanes(spec: DealtColumnSpec) -> range:
    return range(spec.pe.lanes)


@held_memories.register
def _(spec: DecodedSpec) -> tuple[Held, ...]:
    return held_memories(spec.engine)

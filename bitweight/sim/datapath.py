"""What the datapath of a packed weight format offers to the engine around it.

The engine (``sim.engines.block_dot``) takes one beat of activations and packed words per clock. A
datapath says how the words are cut into beats, and what three pieces of hardware do with one::

    x (lanes of one row) --> row part ------+
                                            +--> cell: contributions to ``planes`` accumulators
    units of one output --> column part ----+

A row part stands once per row, a column part once per column, a cell at each crossing. So a look-up
table is a row part, a decoder a column part. Each piece is a pure function here; its RTL twin
answers a fixed number of edges later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats import IntFormat
from bitweight.workloads.packed_weights import PackedWeights, WeightFormat

_UNKNOWN = "No datapath is a {}; see sim.catalog.DESIGNS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How the k of one output is cut into beats.

    Attributes:
        chunk: k of one chunk. A last chunk that is shorter is padded, unless there is a tail.
        lanes: For each beat of a chunk, which k of the chunk each lane holds.
        tail: k of one beat behind the last whole chunk; 0 for no tail. k less its whole chunks must
            then be a multiple of it.
        tail_lanes: Which lanes hold them, in order; the first ones if empty. The others hold
            padding.
        k_multiple: What k must be a multiple of; 1 if any k will do.
        interval: Clocks from one beat to the next: 1, or what a serial column part needs.
    """

    chunk: int
    lanes: tuple[tuple[int, ...], ...]
    tail: int = 0
    tail_lanes: tuple[int, ...] = ()
    k_multiple: int = 1
    interval: int = 1

    @classmethod
    def straight(cls, lanes: int, *, k_multiple: int = 1, interval: int = 1) -> "Walk":
        """Return the plain walk: a beat holds the next ``lanes`` k."""
        return cls(
            chunk=lanes, lanes=(tuple(range(lanes)),), k_multiple=k_multiple, interval=interval
        )

    def beats(self, k: int) -> int:
        """Return how many beats ``k`` takes."""
        if self.tail:
            return k // self.chunk * len(self.lanes) + k % self.chunk // self.tail
        return -(-k // self.chunk) * len(self.lanes)

    def tails(self, k: int) -> NDArray[np.bool_]:
        """Tell for each beat whether it belongs to the tail."""
        whole = k // self.chunk * len(self.lanes)
        return np.arange(self.beats(k)) >= (whole if self.tail else self.beats(k))

    def lane_k(self, k: int) -> NDArray[np.int64]:
        """Return which k each lane of each beat holds, shape (beats, lanes); ``k`` is padding."""
        beats = self.beats(k)
        chunk, beat = np.divmod(np.arange(beats), len(self.lanes))
        places = chunk[:, None] * self.chunk + np.array(self.lanes)[beat]
        if self.tail:
            whole = k // self.chunk
            first = whole * self.chunk + (np.arange(beats) - whole * len(self.lanes)) * self.tail
            in_tail = np.full_like(places, k)
            lanes = list(self.tail_lanes or range(self.tail))
            in_tail[:, lanes] = first[:, None] + np.arange(self.tail)
            places = np.where(self.tails(k)[:, None], in_tail, places)
        lane_k: NDArray[np.int64] = np.minimum(places, k)
        return lane_k


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Arithmetic of one part for one beat.

    Attributes:
        lookups: Reads of a table.
        adds: Additions and subtractions, those of accumulation included.
        multiplies: Multiplications.
    """

    lookups: int = 0
    adds: int = 0
    multiplies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the three pieces of hardware; as it stands, wires.

    Attributes:
        latency: Edges from its inputs to its output.
        operations: Its work per beat.
    """

    latency: int = 0
    operations: Operations = field(default_factory=Operations)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFormat:
    """Side integers, which come on a stream of their own.

    Attributes:
        beats: Beats of b that one beat of side integers serves.
        bits: Bits of one side integer.
        units: Side integers of one output, or of one set.
        sets: 0 if each output has its own. Else each of so many equal runs of outputs shares a set,
            and a tile of columns must lie within one run.
    """

    beats: int
    bits: int
    units: int
    sets: int = 0


class DatapathSpec(Protocol):
    """A datapath: a frozen dataclass, as ``BlockDotSpec.pe``."""

    @property
    def name(self) -> str:
        """Second half of the design's name, for example ``seedlm4``."""
        ...

    @property
    def family(self) -> str:
        """First half of the design's name: ``decoder``, ``lookup`` or ``addsub``."""
        ...

    @property
    def a(self) -> IntFormat:
        """Format of the activations."""
        ...

    @property
    def format(self) -> WeightFormat:
        """Format of the weights."""
        ...

    @property
    def walk(self) -> Walk:
        """How k is cut into beats."""
        ...

    @property
    def max_k(self) -> int:
        """Greatest k whose every possible sum the accumulators hold."""
        ...

    @property
    def unit_bits(self) -> int:
        """Bits of one packed unit, at most 62."""
        ...

    @property
    def units(self) -> int:
        """Units of one output in one beat."""
        ...

    @property
    def side(self) -> SideFormat | None:
        """Side integers; None if there are none."""
        ...

    @property
    def group(self) -> int | None:
        """K of one delivered sum, a multiple of ``walk.chunk``; None: the whole k."""
        ...

    @property
    def planes(self) -> int:
        """Accumulators of a cell."""
        ...

    @property
    def acc_width(self) -> int:
        """Bits of one accumulator, and of one result lane; sums never wrap."""
        ...

    @property
    def row_part(self) -> Part:
        """What stands once per row, from activations to ``row`` of a cell."""
        ...

    @property
    def column_part(self) -> Part:
        """What stands once per column, from units to ``column`` of a cell.

        If ``walk.interval`` exceeds 1 it gets ``start`` with each beat and puts out zeros except
        for the one clock, ``latency`` edges after it, in which it answers. Its latency is at most
        ``interval - 1`` above the row part's: as long as that holds the beat's activations.
        """
        ...

    @property
    def cell(self) -> Part:
        """What stands at each crossing, to the accumulators; at least one edge."""
        ...


@singledispatch
def units(spec: Any, packed: PackedWeights) -> NDArray[np.int64]:
    """Return the units of every beat of every output, shape (beats, n, units), unsigned."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def side(spec: Any, packed: PackedWeights) -> NDArray[np.int64]:
    """Return side integers, shape (side beats, n, side units), or (..., sets, ...) if shared.

    Bit patterns, unsigned. Datapaths without side integers need not register.
    """
    return np.zeros((0, packed.n, 0), np.int64)


@singledispatch
def prepare(spec: Any, x: Sequence[int]) -> tuple[int, ...]:
    """Return what a row part makes of one beat of activations."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def decode(
    spec: Any, units: Sequence[int], side: Sequence[int], is_tail: bool = False
) -> tuple[int, ...]:
    """Return what a column part makes of one beat of units."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def contribute(spec: Any, row: Sequence[int], column: Sequence[int]) -> tuple[int, ...]:
    """Return what a cell adds to each of its sums."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def settle(spec: Any, sums: Sequence[int]) -> tuple[int, ...]:
    """Return the accumulators of a cell by its sums: the same, but for cells that wrap inside."""
    return tuple(sums)


@singledispatch
def partials(spec: Any, x: NDArray[np.integer], packed: PackedWeights) -> NDArray[np.int64]:
    """Return all accumulators at once, shape (m, n, planes, groups): the fast twin of the above."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def combine(spec: Any, sums: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the integer combination of planes and groups, shape (m, n); None if there is none.

    Args:
        spec: The datapath.
        sums: Shape (m, n, planes, groups).
    """
    return sums[:, :, 0, 0] if sums.shape[2:] == (1, 1) else None


@singledispatch
def draw(spec: Any, rng: np.random.Generator, *, k: int, n: int) -> PackedWeights:
    """Return packed weights with legal codes drawn at random, extreme ones often."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))

"""Primitives of the bit-weight notation: what the hardware inside the loops does.

Each primitive is a value that names what it reads and what it gives. None says where it stands:
its place in the nest follows from the loops that its operands depend on (``lowering``).

Source: primitives of the bit-weight paper, HPCA 2025, arXiv 2503.06342; our spelling.
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """What travels between primitives."""

    OPERANDS = "operands"
    DIGITS = "digits"
    POSITIONS = "positions"
    WORD = "word"
    PAIR = "sum/carry pair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """Recode ``A[m, k]`` into digits.

    Attributes:
        out: Its digits.
        group: A loop over k whose elements are all encoded at once, or ``None`` for one element.
    """

    out: str
    group: str | None = None
    source: ClassVar[str] = "A"
    over: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.OPERANDS})
    gives: ClassVar[Kind] = Kind.DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    """List the positions of a group's non-zero digits at one bit-weight.

    Attributes:
        out: The list.
        source: Digits of the group.
        loop: The temporal loop that walks the list instead of its full range.
        skip_empty: An empty list takes no clock if true, one idle clock otherwise.
    """

    out: str
    source: str
    loop: str
    skip_empty: bool = False
    over: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.DIGITS})
    gives: ClassVar[Kind] = Kind.POSITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """Select the partial product: the digit at ``bw`` times ``B[k, n]``, without its weight."""

    out: str
    source: str
    over: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.DIGITS})
    gives: ClassVar[Kind] = Kind.WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Give a word its weight, ``radix**bw``."""

    out: str
    source: str
    over: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.WORD})
    gives: ClassVar[Kind] = Kind.WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfReduce:
    """Compress words or pairs to one sum/carry pair; no carry propagates.

    Attributes:
        out: The pair. It starts at zero for every iteration of the loops outside ``over``.
        source: What each iteration adds.
        over: Loops that are summed: a compressor tree where spatial, registers where temporal.
    """

    out: str
    source: str
    over: tuple[str, ...]
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.WORD, Kind.PAIR})
    gives: ClassVar[Kind] = Kind.PAIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Resolve a pair with one carry-propagate adder."""

    out: str
    source: str
    over: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.PAIR})
    gives: ClassVar[Kind] = Kind.WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulate:
    """Sum words with carry-propagate adders.

    Attributes:
        out: The sum. It starts at zero for every iteration of the loops outside ``over``.
        source: What each iteration adds.
        over: Loops that are summed: an adder tree or chain where spatial, a register where
            temporal.
    """

    out: str
    source: str
    over: tuple[str, ...]
    takes: ClassVar[frozenset[Kind]] = frozenset({Kind.WORD})
    gives: ClassVar[Kind] = Kind.WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Wait until all iterations of a spatial loop, and all hardware inside, have ended.

    Attributes:
        loop: The spatial loop, whose iterations may take different numbers of clocks.
    """

    loop: str


Computation = Encode | Sparse | Map | Shift | HalfReduce | Add | Accumulate
Statement = Computation | Sync


def name_of(statement: Statement) -> str:
    """Return the primitive's name in listings and messages, for example ``half_reduce``."""
    return "half_reduce" if isinstance(statement, HalfReduce) else type(statement).__name__.lower()

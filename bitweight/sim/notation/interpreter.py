"""Run a nest on integers, loop by loop and primitive by primitive: slow, and obviously right.

Values live where the nest puts them: one for each iteration of the loops that they depend on. Sums
are kept as the primitives keep them, ``half_reduce`` as a sum/carry pair of unbounded integers. A
temporal iteration without a temporal loop inside is one trip.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.notation.clocks import Clocks, Place
from bitweight.sim.notation.loops import Dim, Loop
from bitweight.sim.notation.lowering import Block, Body, Program
from bitweight.sim.notation.primitives import (
    Accumulate,
    Add,
    Encode,
    HalfReduce,
    Map,
    Shift,
    Sparse,
    Statement,
    Sync,
)
from bitweight.sim.recoding import Recoding
from bitweight.workloads.formats import IntFormat

Key = tuple[str, tuple[int, ...]]
Pair = tuple[int, int]


class Encoded(NamedTuple):
    """Neighbours along k in digits: the first one's k, and each one's digits, lowest first."""

    first: int
    digits: list[tuple[int, ...]]


class Execution(NamedTuple):
    """What a nest computed: ``c``, shape (m, n), int64, exact; and its temporal trips."""

    c: NDArray[np.int64]
    trips: int


class Interpreter:
    """One run of a program: its operands, loop indices, values and clocks."""

    def __init__(
        self,
        program: Program,
        a: list[list[int]],
        b: list[list[int]],
        recoding: Recoding,
        a_format: IntFormat,
    ) -> None:
        self._program = program
        self._a, self._b = a, b
        self._recoding, self._a_format = recoding, a_format
        self._sizes = {
            Dim.M: len(a),
            Dim.N: len(b[0]),
            Dim.K: len(b),
            Dim.BW: recoding.digit_count(a_format),
        }
        self._iteration: dict[str, int] = {}
        self._at = dict.fromkeys(Dim, 0)
        self._clocks = Clocks()
        self._encoded: dict[Key, Encoded] = {}
        self._words: dict[Key, int] = {}
        self._pairs: dict[Key, Pair] = {}
        self._walks: dict[str, tuple[Sparse, list[int]]] = {}

    def run(self) -> Execution:
        """Walk the whole nest."""
        self._walk(self._program.body, ())
        c = np.zeros((self._sizes[Dim.M], self._sizes[Dim.N]), dtype=np.int64)
        for (name, iterations), word in self._words.items():
            if name == self._program.output:
                row, column = self._element(iterations)
                c[row, column] = word
        return Execution(c, self._clocks.latest)

    def _element(self, iterations: tuple[int, ...]) -> tuple[int, int]:
        """Return (m, n) of an iteration of the loops that the output depends on."""
        position = {Dim.M: 0, Dim.N: 0}
        for loop, iteration in zip(self._loops_of(self._program.output), iterations, strict=True):
            position[loop.dim] += iteration * loop.stride
        return position[Dim.M], position[Dim.N]

    def _loops_of(self, value: str) -> tuple[Loop, ...]:
        indices = self._program.indices[value]
        return tuple(loop for loop in self._program.loops if loop.name in indices)

    def _key(self, value: str) -> Key:
        return value, tuple(self._iteration[loop.name] for loop in self._loops_of(value))

    def _walk(self, body: Body, place: Place) -> None:
        for node in body:
            if isinstance(node, Block):
                self._repeat(node, place)
            else:
                self._perform(node, place)

    def _repeat(self, block: Block, place: Place) -> None:
        """Iterate a loop; the clock at ``place`` ticks for each of its trips."""
        loop = block.loop
        is_innermost = not _holds_temporal_loop(block.body)
        for _ in self._iterations(loop):
            here = place
            if loop.spatial:
                here = (*place, (loop.name, self._iteration[loop.name]))
                self._clocks.enter(here)
            self._walk(block.body, here)
            if not loop.spatial and is_innermost:
                self._clocks.tick(here)
        if loop.name in self._walks:
            sparse, positions = self._walks[loop.name]
            if not positions and not sparse.skip_empty:
                self._clocks.tick(place)

    def _iterations(self, loop: Loop) -> Iterator[int]:
        """Set the loop's index to each iteration whose first element exists."""
        size, start = self._sizes[loop.dim], self._at[loop.dim]
        listed = self._walks.get(loop.name)
        for iteration in range(loop.iterations(size)) if listed is None else listed[1]:
            self._at[loop.dim] = start + iteration * loop.stride
            if self._at[loop.dim] >= size:
                break
            self._iteration[loop.name] = iteration
            yield iteration
        self._iteration.pop(loop.name, None)
        self._at[loop.dim] = start

    def _perform(self, statement: Statement, place: Place) -> None:
        match statement:
            case Sync():
                self._clocks.barrier(place)
            case Encode():
                self._encoded[self._key(statement.out)] = self._encode(statement)
            case Sparse():
                self._walks[statement.loop] = (statement, self._nonzero(statement))
            case HalfReduce():
                self._half_reduce(statement)
            case _:
                self._compute_word(statement)

    def _encode(self, encode: Encode) -> Encoded:
        """Recode one element, or as many of a group as the operand has."""
        extents = (loop.extent for loop in self._program.loops if loop.name == encode.group)
        first = self._at[Dim.K]
        elements = self._a[self._at[Dim.M]][first : first + (next(extents, None) or 1)]
        return Encoded(first, [self._recoding.digits(x, self._a_format) for x in elements])

    def _nonzero(self, sparse: Sparse) -> list[int]:
        digits = self._encoded[self._key(sparse.source)].digits
        return [i for i, element in enumerate(digits) if element[self._at[Dim.BW]] != 0]

    def _half_reduce(self, reduce: HalfReduce) -> None:
        source, out = self._key(reduce.source), self._key(reduce.out)
        words = self._pairs[source] if source in self._pairs else (self._words[source],)
        pair = self._pairs.get(out, (0, 0))
        for word in words:
            pair = compress(*pair, word)
        self._pairs[out] = pair

    def _compute_word(self, statement: Map | Shift | Add | Accumulate) -> None:
        source, out = self._key(statement.source), self._key(statement.out)
        match statement:
            case Map():
                self._words[out] = self._partial_product(source)
            case Shift():
                weight_bits = (self._recoding.radix.bit_length() - 1) * self._at[Dim.BW]
                self._words[out] = self._words[source] << weight_bits
            case Add():
                # A pair that no digit has reached still holds its initial zero.
                self._words[out] = sum(self._pairs.get(source, (0, 0)))
            case Accumulate():
                self._words[out] = self._words.get(out, 0) + self._words[source]

    def _partial_product(self, source: Key) -> int:
        """Return the digit at this bit-weight times this element of b."""
        first, digits = self._encoded[source]
        k = self._at[Dim.K]
        return digits[k - first][self._at[Dim.BW]] * self._b[k][self._at[Dim.N]]


def compress(first: int, second: int, third: int) -> Pair:
    """Return the sum and carry words of a row of full adders: three words of the same total."""
    majority = (first & second) | (first & third) | (second & third)
    return first ^ second ^ third, majority << 1


def _holds_temporal_loop(body: Body) -> bool:
    return any(
        not node.loop.spatial or _holds_temporal_loop(node.body)
        for node in body
        if isinstance(node, Block)
    )

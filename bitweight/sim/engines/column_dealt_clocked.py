"""The engine of dealt digits clock by clock: loading, queues, PEs and drain as registers.

Every ``clock`` reads registers as they were before the edge and stores what they hold after it. No
formula or kernel of ``sim.engines.column_dealt`` is used here: this is what checks them.

RTL twin: ``rtl.engines.column_dealt``.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.engine import check_operands, run
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.pe.dealt import Digit, advance, idle, row_sum
from bitweight.sim.recoding import RECODINGS
from bitweight.sim.results import clamp


class _Segment(NamedTuple):
    """A row, or one fold of it, against one tile of b."""

    row: int
    column: int  # first output
    start: int  # first k
    stop: int
    is_first: bool  # of its row
    is_last: bool  # of its row
    ends_tile: bool


class _Word(NamedTuple):
    """What a lane gets of one beat."""

    group: int  # beat within the segment
    elements: tuple[tuple[int, int], ...]  # place in the beat, value


class _Slot(NamedTuple):
    """What the lanes issue in one clock; ``b`` is by PE, then by lane."""

    b: tuple[tuple[int, ...], ...]
    digits: tuple[Digit, ...]
    clear: bool = False
    catch: int = 0  # outputs of the row that this slot ends


def _segments(spec: DealtColumnSpec, m: int, n: int, k: int) -> Iterator[_Segment]:
    for column in range(0, n, spec.pes):
        for row in range(m):
            for start in range(0, k, spec.k_depth):
                stop = min(k, start + spec.k_depth)
                is_last = stop == k
                ends_tile = k > spec.k_depth or row == m - 1
                yield _Segment(row, column, start, stop, start == 0, is_last, ends_tile)


class _Loader:
    """Accepts beats of a and deals them, one clock later, to queues of two segments."""

    def __init__(self, spec: DealtColumnSpec, a: NDArray[np.integer]) -> None:
        self.spec, self.a = spec, a
        self.queues: list[list[list[_Word]]] = [[], []]
        self.is_full = [False, False]
        self.half, self.group = 0, 0
        self.taken: tuple[_Segment, int, int] | None = None
        self.loads = [0] * spec.pe.lanes

    def clock(self, todo: list[_Segment]) -> None:
        """Deal the beat taken before; take the next one of ``todo``, whose head it is."""
        taken, self.taken = self.taken, None
        if todo and not self.is_full[self.half]:
            self.taken = (todo[0], self.group, self.half)
            self.group += 1
            if todo[0].start + self.group * self.spec.beat >= todo[0].stop:
                todo.pop(0)
                self.group, self.half = 0, 1 - self.half
        if taken is not None:
            self._deal(*taken)

    def _deal(self, segment: _Segment, group: int, half: int) -> None:
        if group == 0:
            self.queues[half] = [[] for _ in self.loads]
            self.loads = [0] * self.spec.pe.lanes
        first = segment.start + group * self.spec.beat
        values = [
            int(self.a[segment.row, k]) if k < segment.stop else 0
            for k in range(first, first + self.spec.beat)
        ]
        options = []
        for layout in self.spec.layouts:
            adds = [sum(_digits(self.spec, values[place]) for place in lane) for lane in layout]
            options.append([load + add for load, add in zip(self.loads, adds, strict=True)])
        choice = 1 if max(options[1]) < max(options[0]) else 0
        self.loads = options[choice]
        for queue, lane in zip(self.queues[half], self.spec.layouts[choice], strict=True):
            elements = tuple((place, values[place]) for place in lane if values[place])
            if elements:
                queue.append(_Word(group, elements))
        if first + self.spec.beat >= segment.stop:
            self.is_full[half] = True


def _digits(spec: DealtColumnSpec, value: int) -> int:
    return sum(1 for digit in RECODINGS[spec.pe.recoding].digits(value, spec.pe.a) if digit)


class _Tiles:
    """Accepts beats of b and holds one or two tiles of them."""

    def __init__(self, spec: DealtColumnSpec, b: NDArray[np.integer]) -> None:
        self.spec, self.b = spec, b
        held = 2 if spec.double_buffer else 1
        self.held: list[dict[tuple[int, int], list[int]]] = [{} for _ in range(held)]
        self.is_full = [False] * held
        self.place, self.group = 0, 0

    def clock(self, todo: list[_Segment]) -> None:
        """Take the next beat of the tiles that ``todo`` needs, one segment for each tile."""
        if not todo or self.is_full[self.place]:
            return
        segment, spec = todo[0], self.spec
        if self.group == 0:
            self.held[self.place] = {}
        for part in range(spec.beat):
            k = segment.start + self.group * spec.beat + part
            columns = range(segment.column, segment.column + spec.pes)
            self.held[self.place][self.group, part] = [
                int(self.b[k, column]) if k < segment.stop and column < self.b.shape[1] else 0
                for column in columns
            ]
        self.group += 1
        if segment.start + self.group * spec.beat >= segment.stop:
            todo.pop(0)
            self.is_full[self.place] = True
            self.group, self.place = 0, (self.place + 1) % len(self.held)


class _Lane:
    """Walks the words of a segment, one non-zero digit a clock."""

    def __init__(self, spec: DealtColumnSpec) -> None:
        self.spec = spec
        self.steps: list[tuple[int, int, Digit]] = []

    def start(self, queue: list[_Word]) -> None:
        recoding = RECODINGS[self.spec.pe.recoding]
        self.steps = [
            (word.group, part, Digit(place * self.spec.pe.step + abs(digit) - 1, digit < 0))
            for word in queue
            for part, value in word.elements
            for place, digit in enumerate(recoding.digits(value, self.spec.pe.a))
            if digit
        ]


class _Array:
    """PEs, and the registers between the lanes and them."""

    def __init__(self, spec: DealtColumnSpec) -> None:
        lanes = spec.pe.lanes
        self.spec = spec
        self.empty = _Slot(b=((0,) * lanes,) * spec.pes, digits=(Digit(),) * lanes)
        self.fetched = self.registered = self.empty
        self.pes = [idle(spec.pe)] * spec.pes
        self.added, self.clocks = 0, 0

    def clock(self, slot: _Slot | None) -> list[int]:
        """Take what is issued; return the sums that are caught on this edge."""
        caught = [row_sum(self.spec.pe, pe, self.clocks) for pe in self.pes[: self.added]]
        now = self.registered
        self.pes = [
            advance(self.spec.pe, pe, b, now.digits, clear=now.clear)
            for pe, b in zip(self.pes, self.fetched.b, strict=True)
        ]
        self.clocks = 1 if now.clear else self.clocks + 1
        self.added = now.catch
        self.fetched, self.registered = slot or self.empty, self.fetched
        return caught


class _Engine:
    """All of it."""

    def __init__(
        self, spec: DealtColumnSpec, a: NDArray[np.integer], b: NDArray[np.integer]
    ) -> None:
        (m, k), n = a.shape, b.shape[1]
        self.spec, self.n = spec, n
        self.loader, self.tiles, self.array = _Loader(spec, a), _Tiles(spec, b), _Array(spec)
        self.lanes = [_Lane(spec) for _ in range(spec.pe.lanes)]
        self.to_issue = list(_segments(spec, m, n, k))
        self.to_load = list(self.to_issue)
        self.to_fetch = [segment for segment in self.to_issue if segment.ends_tile]
        self.active: _Segment | None = None
        self.is_started = False  # the active segment has issued a slot
        self.half = self.place = 0  # of the active or the next segment
        self.is_reserved = False  # a row that has ended has not left yet
        self.caught: list[int] = []
        self.out: int | None = None
        self.results: list[int] = []

    def clock(self) -> None:
        """Advance by one edge."""
        was_reserved = self.is_reserved
        had_beats, had_tile = list(self.loader.is_full), list(self.tiles.is_full)
        self._drain()
        slot, is_end = self._issue(was_reserved)
        caught = self.array.clock(slot)
        self.caught = caught or self.caught
        self.loader.clock(self.to_load)
        self.tiles.clock(self.to_fetch)
        if is_end:
            self._release()
        # What arrives on this edge is seen on the next one; what leaves on it is gone.
        has_tile = had_tile[self.place] and self.tiles.is_full[self.place]
        if self.active is None and self.to_issue and had_beats[self.half] and has_tile:
            self.active, self.is_started = self.to_issue.pop(0), False
            for lane, queue in zip(self.lanes, self.loader.queues[self.half], strict=True):
                lane.start(queue)

    def _drain(self) -> None:
        if self.out is not None:
            self.results.append(self.out)
        self.out = None
        if self.caught:
            self.out = clamp(self.caught[0], self.spec.saturate_to)
            self.caught = self.caught[1:]
            if not self.caught:
                self.is_reserved = False

    def _issue(self, was_reserved: bool) -> tuple[_Slot | None, bool]:
        """Return what the lanes issue on this edge, and whether it is the segment's last."""
        segment = self.active
        if segment is None:
            return None, False
        steps = [lane.steps.pop(0) if lane.steps else None for lane in self.lanes]
        is_end = not any(lane.steps for lane in self.lanes)
        is_end = is_end and not (segment.is_last and was_reserved)
        tile = self.tiles.held[self.place]
        slot = _Slot(
            b=tuple(
                tuple(tile[step[0], step[1]][pe] if step else 0 for step in steps)
                for pe in range(self.spec.pes)
            ),
            digits=tuple(step[2] if step else Digit() for step in steps),
            clear=segment.is_first and not self.is_started,
            catch=min(self.spec.pes, self.n - segment.column) if is_end and segment.is_last else 0,
        )
        self.is_started = True
        return slot, is_end

    def _release(self) -> None:
        segment = self.active
        assert segment is not None
        self.loader.is_full[self.half] = False
        self.half = 1 - self.half
        if segment.ends_tile:
            self.tiles.is_full[self.place] = False
            self.place = (self.place + 1) % len(self.tiles.held)
        self.is_reserved = self.is_reserved or segment.is_last
        self.active = None


@run.register
def _(
    spec: DealtColumnSpec, a: NDArray[np.integer], b: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int]:
    m, n, _ = check_operands(a, b, a_format=spec.pe.a, b_format=spec.pe.b)
    engine = _Engine(spec, a, b)
    edge = 1  # edge 1 accepts cmd
    while len(engine.results) < m * n:
        edge += 1
        engine.clock()
    acc = np.zeros((m, n), np.int64)
    results = iter(engine.results)
    for column in range(0, n, spec.pes):
        for row in range(m):
            for output in range(column, min(n, column + spec.pes)):
                acc[row, output] = next(results)
    return acc, edge

"""Optimised designs against their baselines, next to the ratios that were published for them.

Ratios are of cells, as the released reports of the paper are; what its abstract counts is not
known. One engine may hold an operand in memories that another one is sent from outside, so ratios
with memories stand beside them, and a published one is reached only if both reach it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bitweight.cost_models import Provenance
from bitweight.cost_models.composition import default_size
from bitweight.cost_models.cost import worst
from bitweight.cost_models.measurements import Measurements, NetlistPoint
from bitweight.cost_models.published import Published
from bitweight.reports.comparison.operating import Operating, at_clock, best, equal_clock
from bitweight.sim.catalog import address

BEST, EQUAL = "best", "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A design, what it is held against, and what was published of the two.

    Attributes:
        optimised: Name of the design.
        baseline: Name of its baseline.
        area: Published ratio of throughput per area, if there is one.
        energy: Published ratio of operations per energy, if there is one.
    """

    optimised: str
    baseline: str
    area: Published | None
    energy: Published | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A pair in a technology.

    Attributes:
        pair: The pair.
        data: Measured points of the technology.
        clocks: ``best``: each at its clock of greatest throughput per area; ``equal``: both at
            the baseline's, or the fastest that the optimised one reaches.
        optimised: The design.
        baseline: Its baseline.
    """

    pair: Pair
    data: Measurements
    clocks: str
    optimised: Operating
    baseline: Operating

    @property
    def clock(self) -> float:
        """Clock over the baseline's."""
        return self.optimised.cost.clock_mhz / self.baseline.cost.clock_mhz

    @property
    def work(self) -> float:
        """Multiply-accumulates per cycle over the baseline's."""
        return self.baseline.run.cycles / self.optimised.run.cycles

    @property
    def size(self) -> float:
        """Area of cells over the baseline's."""
        return self.optimised.cells_um2 / self.baseline.cells_um2

    @property
    def area(self) -> float:
        """Throughput per area of cells over the baseline's."""
        return self.optimised.gmacs_per_s / self.baseline.gmacs_per_s / self.size

    @property
    def area_with_memories(self) -> float:
        """Throughput per area, memories included, over the baseline's."""
        return self.optimised.gmacs_per_s_mm2 / self.baseline.gmacs_per_s_mm2

    @property
    def energy(self) -> float | None:
        """Multiply-accumulates per energy of cells over the baseline's; None if one is unknown."""
        one, other = self.optimised.cells_pj_per_mac, self.baseline.cells_pj_per_mac
        return None if one is None or other is None else other / one

    @property
    def energy_with_memories(self) -> float | None:
        """The same, memories included."""
        one, other = self.optimised.energy_pj_per_mac, self.baseline.energy_pj_per_mac
        return None if one is None or other is None else other / one

    @property
    def has_memories(self) -> bool:
        """Whether one of the two holds memories."""
        return any(which.cost.memory_um2.parts for which in (self.optimised, self.baseline))

    @property
    def area_provenance(self) -> Provenance:
        """How the ratio of areas is known."""
        return worst([which.cost.area_um2.provenance for which in (self.optimised, self.baseline)])

    @property
    def energy_provenance(self) -> Provenance | None:
        """How the ratio of energies is known."""
        one, other = self.optimised.energy_provenance, self.baseline.energy_provenance
        return None if one is None or other is None else worst([one, other])

    def netlist(self, which: Operating) -> NetlistPoint:
        """Return the netlist that stands behind one of the two."""
        return netlist_of(which, self.data)

    def netlists(self, which: Operating) -> list[NetlistPoint]:
        """Return all netlists of one of the two."""
        return netlists_of(which, self.data)


def netlists_of(which: Operating, data: Measurements) -> list[NetlistPoint]:
    """Return the netlists of a design, of the size that its cost was composed from if it was."""
    own = {address(which.spec), address(default_size(which.spec))}
    return [point for point in data.netlists if (point.design, point.settings) in own]


def netlist_of(which: Operating, data: Measurements) -> NetlistPoint:
    """Return the netlist behind a cost: the one of that very delay, the smallest of several."""
    found = [p for p in netlists_of(which, data) if p.delay_ns == which.cost.delay_ns]
    return min(found, key=lambda point: point.area_um2)


def ratios(
    pairs: Iterable[Pair],
    points: Mapping[str, Mapping[str, Sequence[Operating]]],
    data: Mapping[str, Measurements],
) -> list[Ratio]:
    """Return every pair of which both designs are there, in every technology.

    Args:
        pairs: What to hold against what.
        points: By technology and design, that design at its clocks.
        data: By technology, its measured points.
    """
    return [
        ratio
        for pair in pairs
        for technology, designs in points.items()
        if pair.optimised in designs and pair.baseline in designs
        for ratio in _both(pair, data[technology], designs[pair.optimised], designs[pair.baseline])
    ]


def _both(
    pair: Pair, data: Measurements, one: Sequence[Operating], other: Sequence[Operating]
) -> tuple[Ratio, Ratio]:
    shared_mhz = equal_clock(one, other)
    at_best = Ratio(pair=pair, data=data, clocks=BEST, optimised=best(one), baseline=best(other))
    at_equal = Ratio(
        pair=pair,
        data=data,
        clocks=EQUAL,
        optimised=at_clock(one[0].run, data, shared_mhz),
        baseline=at_clock(other[0].run, data, shared_mhz),
    )
    return at_best, at_equal

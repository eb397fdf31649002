"""Cycles and events of a layer of which the sizes are known, and of its operands how they fall.

Most engines' cycles follow from the sizes: ``sim.cycles`` gives them, and a probe of one product
tells how many digit slots a clock and a product have. Engines that skip the zero digits of ``a``
are run on activations drawn with real frequencies (``workloads.code_counts``): that is ``assumed``.
They repeat themselves every two tiles of outputs, since two buffers take turns; so runs over few
tiles tell all of them, exactly: a test holds that against whole layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.cost_models.cost import Provenance
from bitweight.cost_models.traffic import gemm_lengths
from bitweight.sim import MatmulResult, cycles, simulate
from bitweight.sim.engine import Activity
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.code_counts import code_counts
from bitweight.workloads.formats import INT8, SYMMETRIC_INT8
from bitweight.workloads.gemm import Gemm

# The first tile of outputs and the last are not like the others.
_LEAST_TILES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCounts:
    """What an engine does for one call of a layer.

    Attributes:
        cycles: Engine cycles.
        overhead_cycles: Those in which the engine takes no operands, by its own account: command,
            loads, waits and drain.
        activity: Products and digit slots; other events are not counted.
        provenance: ``measured`` if they follow from the sizes, else ``assumed``.
        source: What they come from.
    """

    cycles: int
    overhead_cycles: int
    activity: Activity
    provenance: Provenance
    source: str

    @property
    def slots(self) -> int:
        """Digit slots over all cycles."""
        return self.activity.digits + self.activity.idle_slots


def layer_counts(
    spec: DesignSpec,
    gemm: Gemm,
    *,
    runs: Sequence[tuple[int, int]] | None = None,
    seed: int = 0,
) -> LayerCounts:
    """Return what one call of a layer takes on an engine, one GEMM for each scale group along k.

    Args:
        spec: The engine; activations play ``a``.
        gemm: The layer's sizes; its name is the kind of layer whose codes are drawn.
        runs: Outputs of the runs along n that the layer is cut into, and how many of each;
            None: all at once.
        seed: Seed of drawn activations.

    Raises:
        ValueError: If the engine cannot run such a layer, or nothing tells how its operands fall.
    """
    lengths = tuple(gemm_lengths(spec, gemm))
    found = [
        (_counts(spec, replace(gemm, n=n), lengths, seed), count)
        for n, count in runs or [(gemm.n, 1)]
    ]
    total = sum((counts.run.times(count) for counts, count in found), _Run(0, 0, _slots()))
    first = found[0][0]
    return LayerCounts(
        cycles=total.cycles,
        overhead_cycles=total.overhead_cycles,
        activity=total.activity,
        provenance=first.provenance,
        source=first.source,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """Cycles and events of a run."""

    cycles: int
    overhead_cycles: int
    activity: Activity

    def __add__(self, other: "_Run") -> "_Run":
        return _Run(
            self.cycles + other.cycles,
            self.overhead_cycles + other.overhead_cycles,
            self.activity + other.activity,
        )

    def times(self, count: int) -> "_Run":
        """Return so many such runs."""
        activity = self.activity
        return _Run(
            count * self.cycles,
            count * self.overhead_cycles,
            _slots(
                macs=count * activity.macs,
                digits=count * activity.digits,
                idle_slots=count * activity.idle_slots,
            ),
        )


def _slots(*, macs: int = 0, digits: int = 0, idle_slots: int = 0) -> Activity:
    return Activity(macs=macs, digits=digits, idle_slots=idle_slots, register_writes=None)


@dataclass(frozen=True, slots=True)
class _Known:
    """A run, and how it is known."""

    run: _Run
    provenance: Provenance
    source: str


@singledispatch
def _counts(spec: Any, gemm: Gemm, lengths: tuple[int, ...], seed: int) -> _Known:
    """Count an engine of integers whose cycles follow from the sizes."""
    if spec.data_dependent:
        raise ValueError(
            f"Engine must take cycles that follow from sizes or from the digits of a alone, "
            f"not {spec.name}; `bitweight simulate {spec.name}` runs it on a trace"
        )
    probe = simulate(spec, np.zeros((1, 1), np.int8), np.zeros((1, 1), np.int8))
    slots = (probe.activity.digits + probe.activity.idle_slots) // probe.cycles
    return _from_sizes(
        spec,
        gemm,
        lengths,
        digits_per_mac=probe.activity.digits,
        slots_per_clock=slots,
    )


@_counts.register
def _(spec: BlockDotSpec, gemm: Gemm, lengths: tuple[int, ...], seed: int) -> _Known:
    return _from_sizes(
        spec,
        gemm,
        lengths,
        digits_per_mac=1,
        slots_per_clock=spec.peak_macs,
    )


@_counts.register
def _(spec: DecodedSpec, gemm: Gemm, lengths: tuple[int, ...], seed: int) -> _Known:
    return _counts(spec.engine, gemm, lengths, seed)


@_counts.register
def _(
    spec: ColumnSpec | DealtColumnSpec, gemm: Gemm, lengths: tuple[int, ...], seed: int
) -> _Known:
    if spec.pe.a not in (INT8, SYMMETRIC_INT8):
        raise ValueError(f"Activations must be int8 to be drawn for {spec.name}, not {spec.pe.a}")
    return _drawn(spec, gemm, lengths, seed)


@lru_cache(maxsize=1024)
def _drawn(
    spec: ColumnSpec | DealtColumnSpec, gemm: Gemm, lengths: tuple[int, ...], seed: int
) -> _Known:
    counts = code_counts(gemm.name)
    a = counts.draw((gemm.m, gemm.k), np.random.default_rng(seed))
    total, start = _Run(0, 0, _slots()), 0
    for k in lengths:
        total += _over_outputs(spec, a[:, start : start + k], gemm.n)
        start += k
    return _Known(
        total,
        Provenance.ASSUMED,
        f"activations drawn with the codes of {counts.source}, seed {seed}",
    )


def _over_outputs(spec: Any, a: NDArray[np.int8], n: int) -> _Run:
    """Run few tiles of outputs, and add what every further tile takes."""
    tiles = n // spec.pes
    pairs = (tiles - _LEAST_TILES) // 2
    if pairs < 2:
        return _simulated(spec, a, n)
    least = n - 2 * pairs * spec.pes
    one, two = (_simulated(spec, a, least + extra) for extra in (0, 2 * spec.pes))
    # Every further pair of tiles takes what this one adds.
    further = two + one.times(-1)
    return one + further.times(pairs)


def _simulated(spec: Any, a: NDArray[np.int8], n: int) -> _Run:
    result: MatmulResult = simulate(spec, a, np.zeros((a.shape[1], n), np.int8))
    overhead: int = spec.overhead_cycles(a, n=n)
    activity = result.activity
    return _Run(
        result.cycles,
        overhead,
        _slots(macs=activity.macs, digits=activity.digits, idle_slots=activity.idle_slots),
    )


def _from_sizes(
    spec: Any,
    gemm: Gemm,
    lengths: tuple[int, ...],
    *,
    digits_per_mac: int,
    slots_per_clock: int,
) -> _Known:
    total = sum(cycles(spec, m=gemm.m, n=gemm.n, k=k) for k in lengths)
    overhead = sum(spec.overhead_cycles(m=gemm.m, n=gemm.n, k=k) for k in lengths)
    digits = gemm.macs * digits_per_mac
    return _Known(
        _Run(
            total,
            overhead,
            _slots(
                macs=gemm.macs,
                digits=digits,
                idle_slots=total * slots_per_clock - digits,
            ),
        ),
        Provenance.MEASURED,
        "cycles of the model that the RTL is checked against",
    )

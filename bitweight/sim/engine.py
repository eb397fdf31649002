"""What every engine model offers, whatever its type: four functions on its spec.

``simulate`` gives bits, cycles and activity of a GEMM, ``cycles`` the cycles alone from the sizes,
``beats`` what each port carries, and ``run`` the slow reference that steps clock by clock and
checks the other three. Each engine file registers itself by its spec's type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.results import out_width
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gemm import check_sizes

_UNKNOWN = "No engine model takes a {}; see sim.catalog.DESIGNS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Events of one or more GEMMs, as counts that need no signal values.

    Attributes:
        macs: Multiply-accumulates of the GEMM itself, padding not counted.
        digits: Digit slots that issued a digit of ``a`` for these MACs.
        idle_slots: Digit slots of the array, over all cycles, that issued none.
        register_writes: Flip-flop bits of all PEs clocked, over all cycles; PEs have no enable.
            None if not counted.
        beats: Beats of each port.
        correction_ops: Integer additions and multiplications outside the engine, for zero points.
        lookups: Table reads; like the next two counted for engines of packed weights only.
        adds: Additions and subtractions of their parts, decoding and accumulation included.
        multiplies: Multiplications of their parts.
    """

    macs: int = 0
    digits: int = 0
    idle_slots: int = 0
    register_writes: int | None = 0
    beats: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    correction_ops: int = 0
    lookups: int | None = None
    adds: int | None = None
    multiplies: int | None = None

    def __add__(self, other: "Activity") -> "Activity":
        """Add the counts of two runs."""
        ports = [*self.beats, *(port for port in other.beats if port not in self.beats)]
        return Activity(
            macs=self.macs + other.macs,
            digits=self.digits + other.digits,
            idle_slots=self.idle_slots + other.idle_slots,
            register_writes=_sum(self.register_writes, other.register_writes),
            beats=MappingProxyType(
                {port: self.beats.get(port, 0) + other.beats.get(port, 0) for port in ports}
            ),
            correction_ops=self.correction_ops + other.correction_ops,
            lookups=_sum(self.lookups, other.lookups),
            adds=_sum(self.adds, other.adds),
            multiplies=_sum(self.multiplies, other.multiplies),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON has them; what is not counted is left out."""
        counts = {
            "macs": self.macs,
            "digits": self.digits,
            "idle_slots": self.idle_slots,
            "register_writes": self.register_writes,
            "beats": dict(self.beats),
            "correction_ops": self.correction_ops,
            "lookups": self.lookups,
            "adds": self.adds,
            "multiplies": self.multiplies,
        }
        return {name: count for name, count in counts.items() if count is not None}


def _sum(one: int | None, other: int | None) -> int | None:
    """Add counts; what neither side counted stays unknown, what one side did is its count."""
    return one if other is None else other if one is None else one + other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatmulResult:
    """What an engine makes of one GEMM.

    Attributes:
        acc: Resolved accumulators, shape (m, n), int64, wrapped to the spec's width; None for
            packed weights whose sums have no integer combination.
        overflow: Number of outputs whose exact value does not fit the accumulator.
        cycles: Clock edges from the one that accepts ``cmd`` to the one that delivers the last
            result beat, both included, with every stream always willing.
        activity: Event counts.
        partials: For packed weights the very sums that the engine delivers, shape (m, n, planes,
            groups), int64; otherwise None.
    """

    acc: NDArray[np.int64] | None
    overflow: int
    cycles: int
    activity: Activity
    partials: NDArray[np.int64] | None = None

    @property
    def results(self) -> NDArray[np.int64]:
        """What the engine delivers: ``partials`` of packed weights, else ``acc``."""
        results = self.acc if self.partials is None else self.partials
        if results is None:
            raise AssertionError("an engine delivers something")
        return results


Locate = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortBeats:
    """Which matrix elements the beats of one port carry, in order.

    Attributes:
        matrix: ``A``, ``B`` or ``C`` of ``C = A B``; for packed weights their ``words``, ``side``
            integers and ``sums``, in the arrangement of ``carried``.
        count: Number of beats.
        lanes: Elements of a beat.
        locate: Takes beat numbers, shape (beats,), and returns the row and the column of every
            lane, each of shape (beats, lanes); those outside the matrix are padding.
        padding: What lanes outside the matrix carry.
    """

    matrix: str
    count: int
    lanes: int
    locate: Locate
    padding: int = 0

    def gather(self, values: NDArray[np.integer], start: int, stop: int) -> NDArray[np.int64]:
        """Return what beats ``start`` to ``stop`` carry of ``values``.

        Args:
            values: The matrix, shape (rows, columns).
            start: First beat.
            stop: One past the last beat.

        Returns:
            Shape (beats, lanes), int64.
        """
        rows, columns = self.locate(np.arange(start, min(stop, self.count), dtype=np.int64))
        is_inside = (rows < values.shape[0]) & (columns < values.shape[1])
        taken = values[np.where(is_inside, rows, 0), np.where(is_inside, columns, 0)]
        return np.where(is_inside, taken, self.padding).astype(np.int64)


class PortValues(NamedTuple):
    """The matrix whose elements a port carries, and the bits that each takes there."""

    values: NDArray[np.integer]
    width: int


@singledispatch
def simulate(spec: object, a: NDArray[np.integer], b: Any) -> MatmulResult:
    """Run a GEMM on an engine: exact bits, exact cycles.

    Args:
        spec: The engine, for example ``DESIGNS["systolic_os/carry_save"]``.
        a: Streamed operand, shape (m, k), integers in the spec's ``a`` format.
        b: Other operand, shape (k, n), integers in the spec's ``b`` format; for an engine of
            packed weights ``PackedWeights`` in its format.

    Raises:
        TypeError: If ``spec`` is no engine, an operand is not an integer array, or packed weights
            are in another format.
        ValueError: If shapes disagree or a code is outside its format.
    """
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def cycles(spec: object, *, m: int, n: int, k: int) -> int:
    """Return the cycles of an (m, k) x (k, n) GEMM, as ``MatmulResult.cycles`` defines them.

    Raises:
        ValueError: If a size is out of range, or the cycles depend on the operands.
    """
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def beats(spec: object, *, m: int, n: int, k: int) -> Mapping[str, PortBeats]:
    """Return, per port, which elements each beat of an (m, k) x (k, n) GEMM carries."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


def beat_counts(spec: object, *, m: int, n: int, k: int) -> Mapping[str, int]:
    """Return the beats of each port, as ``Activity.beats`` has them."""
    ports = beats(spec, m=m, n=n, k=k)
    return MappingProxyType({port: carries.count for port, carries in ports.items()})


@singledispatch
def carried(
    spec: Any, a: NDArray[np.integer], b: Any, results: NDArray[np.int64]
) -> Mapping[str, PortValues]:
    """Return the matrices that ``beats`` speaks of, by port.

    Args:
        spec: The engine.
        a: As for ``simulate``.
        b: As for ``simulate``.
        results: What the engine delivers, as ``MatmulResult.results``.
    """
    return {
        "a": PortValues(a, spec.pe.a.width),
        "b": PortValues(b, spec.pe.b.width),
        "c": PortValues(results, out_width(spec)),
    }


@singledispatch
def run(spec: object, a: NDArray[np.integer], b: Any) -> tuple[NDArray[np.int64], int]:
    """Step an engine clock by clock through a GEMM; slow, and obviously right.

    Returns:
        The accumulators, as ``MatmulResult.results``, and the cycles.
    """
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


def check_operands(
    a: NDArray[np.integer],
    b: NDArray[np.integer],
    *,
    a_format: IntFormat,
    b_format: IntFormat,
) -> tuple[int, int, int]:
    """Refuse operands that an engine cannot take.

    Returns:
        The sizes m, n, k.
    """
    check_operand("a", a, a_format)
    check_operand("b", b, b_format)
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"Operands must share k: a is {a.shape}, b is {b.shape}")
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    check_sizes(m=m, n=n, k=k)
    return m, n, k


def check_operand(name: str, operand: NDArray[np.integer], form: IntFormat) -> None:
    """Refuse an operand that is no matrix of ``form`` codes."""
    if not isinstance(operand, np.ndarray) or not np.issubdtype(operand.dtype, np.integer):
        kind = getattr(operand, "dtype", type(operand).__name__)
        raise TypeError(f"Operand {name} must be an integer array, not {kind}")
    if operand.ndim != 2:
        raise ValueError(f"Operand {name} must have 2 dimensions, not shape {operand.shape}")
    if not form.admits(operand):
        raise ValueError(
            f"Operand {name} must hold {form} codes ({form.min} to {form.max}), "
            f"not {operand.min()} to {operand.max()}"
        )


def refuse_sizes_only(name: str) -> NoReturn:
    """Raise the ``ValueError`` of a data-dependent engine that is given sizes alone."""
    raise ValueError(
        f"Cycles of {name} depend on the operands' values: give real ones, or draw them with "
        "--operands normal:20 --seed 0"
    )

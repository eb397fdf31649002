"""What a spec tells of a design, whatever its type. A design's own fields come on top.

A spec is a frozen dataclass; models, RTL and checks find what they need of it here.
"""

from typing import Protocol, Self

from bitweight.sim.notation import Nest
from bitweight.workloads.formats import IntFormat


class PeSpec(Protocol):
    """A processing element."""

    @property
    def a(self) -> IntFormat:
        """Format of the streamed operand."""
        ...

    @property
    def b(self) -> IntFormat:
        """Format of the other operand."""
        ...

    @property
    def acc_width(self) -> int:
        """Width of the accumulator in bits."""
        ...

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; modulo ``2**acc_width`` they add up to the value."""
        ...

    @property
    def digits(self) -> int:
        """Digit slots of a MAC."""
        ...

    @property
    def latency(self) -> int:
        """Clock edges from an operand pair at the inputs to its effect on the accumulator."""
        ...

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the accumulator, once read, to its value."""
        ...

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE."""
        ...


class DesignSpec(Protocol):
    """Any design of the catalog."""

    @property
    def name(self) -> str:
        """Name of the design in the catalog."""
        ...

    @property
    def data_dependent(self) -> bool:
        """Whether cycles depend on the operands' values."""
        ...

    @property
    def nest(self) -> Nest | None:
        """Its loop nest in the bit-weight notation, if that can say it."""
        ...

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per clock when every PE works."""
        ...

    @property
    def small(self) -> Self:
        """The same engine at a size that benches build in seconds."""
        ...


class EngineSpec(DesignSpec, Protocol):
    """An engine of integer operands."""

    @property
    def pe(self) -> PeSpec:
        """The PE that it is made of; its formats are the engine's."""
        ...

    @property
    def saturate_to(self) -> int | None:
        """Width that results are clamped to as they drain; None lets them wrap."""
        ...

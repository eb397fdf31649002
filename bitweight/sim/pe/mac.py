"""Plain MAC: a multiplier, then an adder into one accumulator word.

Two carry chains stand in one clock: the multiplier's own and the accumulator's. This is the PE of
the TPU-like baseline; what it costs is what the carry-save PE is measured against.

RTL twin: ``rtl.pe.mac``.
Source: arXiv 2503.06342, the baseline MAC (its Verilog writes ``acc + a * b`` likewise).
"""

from dataclasses import dataclass
from typing import NamedTuple

from bitweight.sim.pe.step import check_acc_width, initial_state, resolve, step, wrap
from bitweight.workloads.formats import INT8, IntFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class MacSpec:
    """Parameters of one plain MAC.

    Attributes:
        a: Format of the streamed operand.
        b: Format of the other operand.
        acc_width: Accumulator width in bits. Sums wrap modulo ``2**acc_width``.
    """

    a: IntFormat = INT8
    b: IntFormat = INT8
    acc_width: int = 32

    def __post_init__(self) -> None:
        """Refuse an accumulator that cannot hold one product."""
        check_acc_width(self.a.width, self.b.width, self.acc_width)

    @property
    def name(self) -> str:
        """Name of the PE in the catalog."""
        return "mac"

    @property
    def latency(self) -> int:
        """Clock edges from an operand pair at the inputs to its effect on ``acc``."""
        return 1

    @property
    def resolve_latency(self) -> int:
        """Clock edges from the accumulator, once read, to its value: it is the value."""
        return 0

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the accumulator registers; modulo ``2**acc_width`` they add up to the value."""
        return ("acc",)

    @property
    def digits(self) -> int:
        """Digit slots of a MAC: the operand is taken whole."""
        return 1

    @property
    def register_bits(self) -> int:
        """Flip-flops of the PE: its accumulator."""
        return self.acc_width


class State(NamedTuple):
    """Registers of the PE, named as in the RTL: ``acc``, ``acc_width`` bits, unsigned."""

    acc: int = 0


@initial_state.register
def _(spec: MacSpec) -> State:
    return State()


@step.register
def _(spec: MacSpec, state: State, a: int, b: int, *, clear: bool = False) -> State:
    kept = 0 if clear else state.acc
    return State(acc=(kept + a * b) & ((1 << spec.acc_width) - 1))


@resolve.register
def _(spec: MacSpec, state: State) -> int:
    return wrap(state.acc, spec.acc_width)

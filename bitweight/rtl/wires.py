"""Small pieces that every engine is wired with."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib.data import StructLayout

from bitweight.sim.results import out_width
from bitweight.sim.spec import EngineSpec
from bitweight.workloads.formats import IntFormat

COMMAND = StructLayout({"m": 32, "n": 32, "k": 32})
"""Payload of ``cmd``: the sizes of one GEMM, each at least 1."""


def operand_shape(form: IntFormat) -> Shape:
    """Return the shape of one operand."""
    return Shape(form.width, form.signed)


def result_shape(spec: EngineSpec) -> Shape:
    """Return the shape of one result lane."""
    return Shape(out_width(spec), True)


def delay(m: Module, value: Value, clocks: int, name: str) -> Value:
    """Return ``value`` ``clocks`` edges later, through registers without reset."""
    for stage in range(clocks):
        register = Signal(value.shape(), reset_less=True, name=f"{name}_{stage}")
        m.d.sync += register.eq(value)
        value = register
    return value


def any_of(words: Sequence[Value]) -> Value:
    """Return the bitwise OR of ``words``, as a balanced tree."""
    level = list(words)
    while len(level) > 1:
        pairs = [level[at] | level[at + 1] for at in range(0, len(level) - 1, 2)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return level[0]


def signed_sum(terms: Sequence[Value]) -> Value:
    """Return the exact sum of ``terms``, signed or not, as a balanced tree of adders."""
    level = list(terms)
    while len(level) > 1:
        pairs = [level[at] + level[at + 1] for at in range(0, len(level) - 1, 2)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return level[0]


def resolved(m: Module, spec: EngineSpec, words: Sequence[Value], name: str) -> Value:
    """Return the value of an accumulator as it leaves the engine: added up, then clamped.

    Args:
        m: Module that takes the adder, as combinational statements.
        spec: The engine.
        words: The accumulator's words, ``spec.pe.acc_width`` bits each.
        name: Name of the sum.
    """
    total = Signal(Shape(spec.pe.acc_width, True), name=name)
    m.d.comb += total.eq(sum(words[1:], words[0]))
    if spec.saturate_to is None:
        return total
    half = 1 << (spec.saturate_to - 1)
    return Mux(total < -half, -half, Mux(total > half - 1, half - 1, total))

"""RTL of one lane's decoder, by the weights' format; model: ``sim.lane_codes``."""

from functools import singledispatch
from typing import Any

from amaranth.hdl import Module, Shape, Signal, Value

from bitweight.workloads.formats.dual_grained import CODE_MAX, WEIGHT_MAX, DualGrained
from bitweight.workloads.formats.i2_s import I2S
from bitweight.workloads.formats.value_table import ValueTable


@singledispatch
def lane_weight(form: Any, m: Module, code: Value, side: Any, name: str) -> Value:
    """Return the weight of a code: the code itself, unless the format says otherwise.

    Args:
        form: Format of the weights.
        m: Module that takes combinational statements.
        code: The code.
        side: Its side integers, bytes; of no use to formats without.
        name: Name of a signal, if one is needed.
    """
    return code.as_signed()


@lane_weight.register
def _(form: ValueTable, m: Module, code: Value, side: Any, name: str) -> Value:
    entry = Signal(Shape(form.entry.width, True), name=name)
    with m.Switch(code):
        for number, value in enumerate(form.entries):
            with m.Case(number):
                m.d.comb += entry.eq(value)
    return entry


@lane_weight.register
def _(form: DualGrained, m: Module, code: Value, side: Any, name: str) -> Value:
    s2, z = side[0][: WEIGHT_MAX.bit_length()], side[1][: CODE_MAX.bit_length()]
    weight = Signal(Shape(WEIGHT_MAX.bit_length() + 1, True), name=name)
    m.d.comb += weight.eq((code - z) * s2)
    return weight


@lane_weight.register
def _(form: I2S, m: Module, code: Value, side: Any, name: str) -> Value:
    weight = Signal(Shape(2, True), name=name)
    m.d.comb += weight.eq(code - 1)
    return weight

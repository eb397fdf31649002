"""Dot product of a beat, accumulated: the cell of every decoder whose column part gives weights."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout

from bitweight.rtl.datapath import cell_ports, row_ports
from bitweight.rtl.wires import delay, operand_shape, signed_sum
from bitweight.sim.datapath import DatapathSpec


class PlainRow(wiring.Component):
    """The activations as they are.

    Ports:
        x: Activations of a beat.
        out: The same.
    """

    def __init__(self, spec: DatapathSpec) -> None:
        super().__init__(row_ports(spec, row_shape(spec)))

    def elaborate(self, platform: object) -> Module:
        """Build the row part."""
        m = Module()
        m.d.comb += self.out.eq(self.x)
        return m


class DotCell(wiring.Component):
    """Multiplies activations by decoded weights and accumulates the sums of beats.

    Ports:
        row: Activations of every lane.
        column: Weights of every lane.
        first: Start a new sum with this beat.
        acc: The sum.
    """

    def __init__(self, spec: DatapathSpec, column: Any, *, weight_max: int) -> None:
        self.spec = spec
        self.weight_max = weight_max
        super().__init__(cell_ports(spec, row=row_shape(spec), column=column))

    def elaborate(self, platform: object) -> Module:
        """Build the cell."""
        m = Module()
        total = beat_sum(m, self.spec, self.row, self.column, self.weight_max)
        accumulate(m, self.spec, self.first, total, self.acc[0])
        return m


def row_shape(spec: DatapathSpec) -> Any:
    """Return the shape of the activations of a beat."""
    return ArrayLayout(operand_shape(spec.a), len(spec.walk.lanes[0]))


def beat_sum(m: Module, spec: Any, activations: Any, weights: Any, weight_max: int) -> Signal:
    """Return the registered sum of products of a beat, one edge later, or two if ``pipelined``.

    Its width follows from ``weight_max``, the greatest magnitude of a weight, which is less than
    what the weights' width says.
    """
    lanes = len(spec.walk.lanes[0])
    products: list[Value] = [activations[lane] * weights[lane] for lane in range(lanes)]
    if spec.pipelined:
        products = [delay(m, p, 1, f"product_{lane}") for lane, p in enumerate(products)]
    width = (lanes * spec.a.max_magnitude * weight_max).bit_length() + 1
    total = Signal(Shape(width, True), reset_less=True, name="beat_sum")
    m.d.sync += total.eq(signed_sum(products))
    return total


def accumulate(m: Module, spec: DatapathSpec, first: Value, added: Value, out: Any) -> None:
    """Add ``added`` to a sum that ``first`` starts anew, ``cell.latency`` edges after its beat."""
    starts = delay(m, first, spec.cell.latency - 1, "first_register")
    acc = Signal(Shape(spec.acc_width, True), reset_less=True, name="acc_register")
    m.d.sync += acc.eq(Mux(starts, 0, acc) + added)
    m.d.comb += out.eq(acc)


def accumulate_planes(
    m: Module, spec: DatapathSpec, first: Value, planes: Sequence[Sequence[Value]], out: Any
) -> None:
    """Register the sum of each plane's terms, and add it to the plane's accumulator."""
    starts = delay(m, first, spec.cell.latency - 1, "first_register")
    for plane, terms in enumerate(planes):
        total = signed_sum(terms)
        beat_sum = Signal(total.shape(), reset_less=True, name=f"beat_sum_{plane}")
        acc = Signal(Shape(spec.acc_width, True), reset_less=True, name=f"acc_{plane}")
        m.d.sync += [beat_sum.eq(total), acc.eq(Mux(starts, 0, acc) + beat_sum)]
        m.d.comb += out[plane].eq(acc)

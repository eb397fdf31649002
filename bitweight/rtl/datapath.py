"""RTL of a packed format's datapath: three components by the type of its spec.

Twins of ``sim.datapath``: a row part is ``prepare``, a column part ``decode``, a cell
``contribute`` and the accumulators. None has a clock enable, and a bubble (x = 0) adds nothing.

Ports:
    Row part: ``x`` (lanes of one row) -> ``out``, ``row_part.latency`` edges later.
    Column part: ``units``; ``side`` if there are side integers; ``tail`` if the walk has one;
        ``start`` if ``walk.interval`` exceeds 1 -> ``out``, ``column_part.latency`` edges later.
    Cell: ``row``, ``column`` (of the shapes of ``out``), ``first`` -> ``acc``, ``cell.latency``
        edges later; ``first`` starts a new sum.
"""

from functools import singledispatch
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from bitweight.rtl.wires import operand_shape
from bitweight.sim.datapath import DatapathSpec

_UNKNOWN = "No RTL datapath is made of a {}; see sim.catalog.DESIGNS"


@singledispatch
def row_part(spec: Any) -> Any:
    """Return the component that prepares one row's activations."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def column_part(spec: Any) -> Any:
    """Return the component that decodes one output's words."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


@singledispatch
def cell(spec: Any) -> Any:
    """Return the component at a crossing of row and column."""
    raise TypeError(_UNKNOWN.format(type(spec).__name__))


def row_ports(spec: DatapathSpec, out: Any) -> dict[str, Any]:
    """Return the ports of a row part that puts out ``out``."""
    return {"x": In(ArrayLayout(operand_shape(spec.a), len(spec.walk.lanes[0]))), "out": Out(out)}


def column_ports(spec: DatapathSpec, out: Any) -> dict[str, Any]:
    """Return the ports of a column part that puts out ``out``."""
    ports: dict[str, Any] = {"units": In(ArrayLayout(spec.unit_bits, spec.units)), "out": Out(out)}
    if spec.side:
        ports["side"] = In(ArrayLayout(spec.side.bits, spec.side.units))
    if spec.walk.tail:
        ports["tail"] = In(1)
    if spec.walk.interval > 1:
        ports["start"] = In(1)
    return ports


def cell_ports(spec: DatapathSpec, *, row: Any, column: Any) -> dict[str, Any]:
    """Return the ports of a cell between parts that put out shapes ``row`` and ``column``."""
    return {
        "row": In(row),
        "column": In(column),
        "first": In(1),
        "acc": Out(ArrayLayout(Shape(spec.acc_width, True), spec.planes)),
    }

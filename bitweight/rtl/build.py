"""From a spec to RTL and from RTL to Verilog text.

Amaranth writes a copy of a module for every place where it is used. A module that stands in many
places is therefore a ``Part``: converted once, and placed as an instance of that one module.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property, singledispatch
from typing import Any, NamedTuple

from amaranth.back import verilog
from amaranth.hdl import ClockSignal, Elaboratable, Instance, ResetSignal
from amaranth.lib import wiring

from bitweight.sim.spec import DesignSpec, PeSpec

# Up to this depth storage is flip-flops, on every target.
_FLIP_FLOP_WORDS = 16


@singledispatch
def component(spec: object) -> Any:
    """Return the RTL component that ``spec`` describes."""
    raise TypeError(f"No RTL generator takes a {type(spec).__name__}; see sim.catalog.DESIGNS")


@singledispatch
def array(spec: object) -> Any:
    """Return the array of an engine, without its control, as a component with ``parts``."""
    raise TypeError(f"No RTL array is made of a {type(spec).__name__}")


class Part:
    """A module that is emitted once, however often it is placed.

    Attributes:
        name: Its Verilog module name.
        component: What it holds.
    """

    def __init__(self, name: str, component: wiring.Component) -> None:
        self.name = name
        self.component = component

    @cached_property
    def verilog(self) -> str:
        """Its text."""
        return _convert(self.component, self.name)

    def place(self, **connections: Any) -> Instance:
        """Return one instance; every port of the component must be connected."""
        members = dict(self.component.signature.members)
        if members.keys() != connections.keys():
            raise AssertionError(f"{self.name}: ports are {sorted(members)}")
        ports = {
            f"{'i' if members[name].flow is wiring.In else 'o'}_{name}": value
            for name, value in connections.items()
        }
        # Wires alone have no clock, and ports that are not there cannot be connected.
        clocks = {"clk": ClockSignal(), "rst": ResetSignal()}
        ports |= {
            f"i_{name}": signal
            for name, signal in clocks.items()
            if f"  input {name};" in self.verilog
        }
        return Instance(self.name, **ports)


def emit(spec: PeSpec | DesignSpec) -> str:
    """Return the Verilog of a design: its parts, then its top module.

    The top module is named after the design, ``/`` as ``_``. The same spec gives the same text.
    """
    return emit_top(component(spec), module_name(spec.name))


def emit_array(spec: DesignSpec) -> str:
    """Return the Verilog of an engine's array alone, without feeding, control and drain.

    The top module is named after the design, with ``_array``. It is what ``tile_cycles`` counts.
    """
    return emit_top(array(spec), f"{module_name(spec.name)}_array")


def emit_top(top: Any, name: str) -> str:
    """Return the Verilog of a component, called ``name``, after that of its parts if it has any."""
    parts: Iterable[Part] = getattr(top, "parts", ())
    return "\n".join([*(part.verilog for part in parts), _convert(top, name)])


def module_name(design: str) -> str:
    """Return the Verilog name of a design's top module."""
    return design.replace("/", "_")


def _convert(design: Elaboratable, name: str) -> str:
    text = verilog.convert(design, name=name, emit_src=False, strip_internal_attrs=True)
    return _plain_names(text)


def _plain_names(text: str) -> str:
    """Turn the escaped, dotted names of submodules into plain ones: ``top_control``."""
    return re.sub(
        r"\\([A-Za-z_]\w*\.[\w.]*) ", lambda match: match[1].replace(".", "_") + " ", text
    )


class MemoryBlock(NamedTuple):
    """A memory in emitted Verilog: one read and one write port, ``copies`` alike in the design."""

    module: str
    words: int
    width: int
    copies: int


def memories(verilog: str) -> list[MemoryBlock]:
    """List the memories of ``verilog`` that are deeper than 16 words, by module and size."""
    found: Counter[tuple[str, int, int]] = Counter()
    children = instances(verilog)
    module = ""
    for line in verilog.splitlines():
        if match := re.match(r"module (\w+)", line):
            module = match[1]
        elif match := re.match(r"  reg \[(\d+):0\] \S+ \[(\d+):0\];", line):
            found[module, int(match[2]) + 1, int(match[1]) + 1] += 1
    return [
        MemoryBlock(module, words, width, count * _standing(module, children))
        for (module, words, width), count in found.items()
        if words > _FLIP_FLOP_WORDS
    ]


def instances(verilog: str) -> dict[str, Counter[str]]:
    """Return, for each module of emitted Verilog, how often it instantiates which other ones."""
    children: dict[str, Counter[str]] = {}
    module = ""
    for line in verilog.splitlines():
        if match := re.match(r"module (\w+)", line):
            module = match[1]
            children[module] = Counter()
        elif match := re.match(r"  (\w+)\s+\\?[^\s=]+ +\($", line):
            children[module][match[1]] += 1
    return children


def _standing(module: str, children: Mapping[str, Counter[str]]) -> int:
    """Return how often a module stands in a design; a module that nobody instantiates, once."""
    above = [(parent, counts[module]) for parent, counts in children.items() if counts[module]]
    return sum(count * _standing(parent, children) for parent, count in above) if above else 1

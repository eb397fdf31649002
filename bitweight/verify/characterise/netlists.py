"""From a design's name to what synthesis takes: Verilog, kept modules, memories.

Modules that keep their identity are the top, what it instantiates, and every module that stands
more than once in another one: cells, PEs, columns. All else is flattened into its parent.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bitweight.cost_models.measurements import Memory
from bitweight.cost_models.synthesis import Source
from bitweight.rtl.build import component, emit, emit_top, instances, memories, module_name
from bitweight.rtl.pe.digit import DigitList
from bitweight.sim.catalog import ENGINES, design
from bitweight.sim.pe.digit import SparseDigitSpec
from bitweight.sim.spec import DesignSpec, PeSpec
from bitweight.verify.characterise.operand_registers import RegisteredOperands, operand_ports
from bitweight.verify.characterise.published_scope import ListedPe
from bitweight.workloads.settings import vary

PE_PREFIX = "pe:"
"""How names of PEs begin in data files."""

LISTED_PE = "pe:sparse_digit_encoded"
"""The sparse-digit PE in the published one's scope; see ``published_scope``."""

DIGIT_LIST = "pe:digit_list"
"""Its list of non-zero digits alone, the published sparse encoder."""

_PARTS: Mapping[str, Callable[[Any], Any]] = {
    LISTED_PE: ListedPe,
    DIGIT_LIST: lambda spec: DigitList(spec, is_recoded=True),
}


def pe_spec(name: str, settings: Iterable[str] = ()) -> PeSpec:
    """Return a PE by its name in data files, without the prefix.

    Raises:
        ValueError: If no engine is made of such a PE.
    """
    known = {engine.pe.name: engine.pe for engine in ENGINES.values()}
    if name not in known:
        raise ValueError(f"PE must be one of {', '.join(sorted(known))}, not {name!r}")
    return vary(known[name], settings)


def source(name: str, settings: Iterable[str] = ()) -> Source:
    """Return what synthesis takes of a measured design.

    Args:
        name: A design of the catalog, or ``pe:`` and a PE.
        settings: Fields that differ, as ``--set`` takes them.

    Raises:
        ValueError: If the name or a setting is unknown.
    """
    if name in _PARTS:
        part = _PARTS[name](pe_spec(SparseDigitSpec.name, settings))
        top = name.replace(":", "_")
        return Source(verilog=emit_top(part, top), top=top)
    if name.startswith(PE_PREFIX):
        return pe_source(pe_spec(name.removeprefix(PE_PREFIX), settings))
    return engine_source(design(name, settings))


def pe_source(spec: PeSpec) -> Source:
    """Return a PE behind its operand registers."""
    top = f"pe_{module_name(spec.name)}"
    operands = operand_ports(spec)
    part = component(spec)
    whole = RegisteredOperands(part, operands) if operands else part
    return Source(verilog=emit_top(whole, top), top=top)


def engine_source(spec: DesignSpec) -> Source:
    """Return an engine with the modules that stay modules."""
    verilog = emit(spec)
    top = module_name(spec.name)
    around, leaves = modules(verilog, top)
    return Source(
        verilog=verilog,
        top=top,
        keep=around | leaves,
        around=around,
        memories=tuple(
            Memory(module=block.module, words=block.words, width=block.width, copies=block.copies)
            for block in memories(verilog)
        ),
    )


def modules(verilog: str, top: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return an engine's modules that keep their identity, as the module's text says.

    Returns:
        Those that stand once, the top among them, or are made of others; and the leaves that stand
        more than once.
    """
    children = instances(verilog)
    repeated = {name for counts in children.values() for name, count in counts.items() if count > 1}
    kept = {top, *children[top], *repeated}
    leaves = {name for name in repeated if kept.isdisjoint(children.get(name, ()))}
    return frozenset(kept - leaves), frozenset(leaves)

"""What is measured: addresses of designs, as data.

PEs and every engine of the catalog at its default size in every technology; where an engine has a
MAC, in both structures, since the fair baseline is the better of them at each clock. In one
technology also four engines in the formats that reports compare, and small sizes, from which other
sizes are composed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from bitweight.cost_models.composition import CALIBRATED_IN, calibration_sizes
from bitweight.cost_models.measurements import NetlistPoint
from bitweight.cost_models.model_cost import mac_structures
from bitweight.cost_models.recipes import (
    AROUND,
    ENGINE_RECIPES,
    RECIPES,
    Recipe,
    recipe_named,
)
from bitweight.sim.catalog import DESIGNS, ENGINE_PES, ENGINES, address, design
from bitweight.sim.pe.mac import MacSpec
from bitweight.verify.characterise.netlists import DIGIT_LIST, LISTED_PE, PE_PREFIX

Address = tuple[str, tuple[str, ...]]
"""Name and settings of a measured design."""

FUSED = "structure=fused"
PIPELINED = "pipelined=true"
WIDE_PAIR = "pass_depth=65536"
"""Pairs of 26 bits, as the published digit PEs have them."""

_PE_VARIANTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mac": ((FUSED,), (PIPELINED,), (FUSED, PIPELINED)),
    "shared_encoder": ((WIDE_PAIR,),),
    "sparse_digit": ((WIDE_PAIR,),),
}
_HELD_OUT = ("systolic_os/mac", "systolic_os/carry_save", "matrix_2d/mac")
"""Designs whose composed 8x8 is held against a netlist of that size."""
_FORMATS = ("int8xint4", "int8xdual_grained", "int8xnf4")
_IN_FORMATS = (
    *("systolic_os/mac", "systolic_os/carry_save"),
    *("matrix_2d/same_weight", "column/shared_encoder"),
)


def addresses(technology: str) -> list[Address]:
    """Return all that is measured in a technology, in the order of its data file."""
    others = (*_in_formats(), *_calibration()) if technology == CALIBRATED_IN else ()
    every = [*_pes(), *_engines(), *_fused(), *others]
    return list(dict.fromkeys(every))


def recipes_for(address: Address, measured: Sequence[NetlistPoint]) -> tuple[Recipe, ...]:
    """Return the recipes that a design is tried with.

    All of them for a PE. For an engine those that made its PE smallest, and least in area x period;
    a standard three if its PE is not measured apart, and for bit-slice engines too, which are
    baselines and as much lists of digits as PEs. One for small sizes, which serve for ratios of
    areas only.

    Args:
        address: The design.
        measured: What has been measured of PEs.
    """
    if address[0].startswith(PE_PREFIX):
        return RECIPES
    if address in _calibration():
        return ENGINE_RECIPES[-1:]
    of_pe = [point for point in measured if (point.design, point.settings) == _pe_of(address)]
    if not of_pe:
        return ENGINE_RECIPES
    best = (
        min(of_pe, key=lambda point: point.delay_ns * point.area_um2),
        min(of_pe, key=lambda point: point.area_um2),
    )
    recipes = [replace(recipe_named(point.recipe), around=AROUND) for point in best]
    if address[0].startswith("bit_slice/"):
        recipes += ENGINE_RECIPES
    return tuple(dict.fromkeys(recipes))


def _pe_of(address: Address) -> Address | None:
    """Return the PE of an engine, in the structure that the engine's settings give it."""
    name, settings = address
    entry = "/".join(name.split("/")[:2])
    if entry not in ENGINES:
        return None
    pe = ENGINES[entry].pe
    if ENGINE_PES[pe.name] != pe:  # a tree's lanes are no PE by themselves
        return None
    is_fused = any(setting.endswith(FUSED) for setting in settings)
    return f"{PE_PREFIX}{pe.name}", (FUSED,) if is_fused else ()


def _pes() -> Iterator[Address]:
    for name in dict.fromkeys(engine.pe.name for engine in ENGINES.values()):
        for settings in ((), *_PE_VARIANTS.get(name, ())):
            yield f"{PE_PREFIX}{name}", settings
    for part in (LISTED_PE, DIGIT_LIST):
        yield part, ()
        yield part, (WIDE_PAIR,)


def _engines() -> Iterator[Address]:
    for name in DESIGNS:
        yield name, ()


def _fused() -> Iterator[Address]:
    for name, engine in ENGINES.items():
        if isinstance(engine.pe, MacSpec):
            yield name, (f"pe.{FUSED}",)


def _in_formats() -> Iterator[Address]:
    for name in _IN_FORMATS:
        for formats in _FORMATS:
            for spec in mac_structures(design(f"{name}/{formats}")):
                yield address(spec)


@cache
def _calibration() -> tuple[Address, ...]:
    small = [address(spec) for entry in DESIGNS.values() for spec in calibration_sizes(entry)]
    return (*small, *(address(design(name, ("rows=8", "cols=8"))) for name in _HELD_OUT))

"""What is measured: addresses of designs, as data.

PEs and every engine of the catalog at its default size in every technology; where an engine has a
MAC, in both structures, since the fair baseline is the better of them at each clock. Four engines
in the formats that reports compare. Small sizes, from which other sizes are composed, in one
technology alone.
"""

from collections.abc import Iterator

from bitweight.cost_models.composition import CALIBRATED_IN, calibration_sizes
from bitweight.cost_models.recipes import ENGINE_RECIPES, RECIPES, Recipe
from bitweight.sim.catalog import DESIGNS, ENGINES, address, design
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
_IN_HELD_OUT = ("systolic_os/mac", "systolic_os/carry_save", "matrix_2d/mac")
"""Designs whose composed 8x8 is held against a netlist of that size."""
_FORMATS = (
    *("systolic_os/mac", "systolic_os/carry_save"),
    *("matrix_2d/same_weight", "column/shared_encoder"),
)


def addresses(technology: str) -> list[Address]:
    """Return all that is measured in a technology, in the order of its data file."""
    small = _calibration() if technology == CALIBRATED_IN else ()
    return [*_pes(), *_engines(), *small]


def recipes_for(address: Address) -> tuple[Recipe, ...]:
    """Return the recipes that a design is tried with: PEs alike, and engines alike.

    Small sizes serve for ratios of areas only, for which one recipe is enough.
    """
    if address[0].startswith(PE_PREFIX):
        return RECIPES
    return ENGINE_RECIPES[:1] if address in _calibration() else ENGINE_RECIPES


def _pes() -> Iterator[Address]:
    for name in dict.fromkeys(engine.pe.name for engine in ENGINES.values()):
        for settings in ((), *_PE_VARIANTS.get(name, ())):
            yield f"{PE_PREFIX}{name}", settings
    for part in (LISTED_PE, DIGIT_LIST):
        yield part, ()
        yield part, (WIDE_PAIR,)


def _engines() -> Iterator[Address]:
    for name in DESIGNS:
        for formats in ("", *(f"/{pair}" for pair in _FORMATS if name in _IN_FORMATS)):
            yield address(design(name + formats))
            if name in ENGINES and isinstance(ENGINES[name].pe, MacSpec):
                inner = "engine.pe" if formats and not formats.endswith("int4") else "pe"
                yield address(design(name + formats, [f"{inner}.{FUSED}"]))


def _calibration() -> tuple[Address, ...]:
    small = [address(spec) for entry in DESIGNS.values() for spec in calibration_sizes(entry)]
    return (*small, *(address(design(name, ("rows=8", "cols=8"))) for name in _HELD_OUT))

"""Synthesis recipes: how arithmetic is built and how gates are mapped, as named values.

Every processing element is given the same list, and every engine what proved best for its element:
that maps the leaves that stand more than once; what is around them, a small part, is mapped to be
fast. The front of smallest area over shortest period is kept, so that a baseline gets what its
opponent gets. Structures matter only where there is an adder or a multiplier to build; mappings
matter everywhere. A mapping is sized as fast as sizing makes it, or as small. Nothing is retimed.
"""

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from types import MappingProxyType

from bitweight.workloads.settings import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """How multipliers and adders are built.

    Attributes:
        name: First part of a recipe's name.
        booth: Recode one operand of a multiplier (``synth -booth``), else an array of ANDs.
            It is no part of the name, since few designs multiply.
        adder: Parallel-prefix network of yosys's ``choices`` for carries; None for Brent-Kung,
            which is what yosys builds by itself.
    """

    name: str
    booth: bool = False
    adder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How logic becomes cells: the commands that ABC runs once the library is loaded.

    Attributes:
        name: Second part of a recipe's name.
        commands: ABC commands up to the mapped network.
        buffer: The command that limits fan-out.
    """

    name: str
    commands: tuple[str, ...]
    buffer: str = "buffer -c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What drive strengths are chosen for.

    Attributes:
        name: Last part of a recipe's name.
        aim_ps: Clock period that ABC is told: one that nothing meets, or one that all does.
    """

    name: str
    aim_ps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A structure, a mapping and a sizing.

    Attributes:
        structure: How arithmetic is built.
        mapping: How logic becomes cells.
        sizing: What drive strengths are chosen for.
        around: Mapping, sized to be fast, of what is around an engine's leaves; None: like them.
    """

    structure: Structure
    mapping: Mapping
    sizing: Sizing
    around: Mapping | None = None

    @property
    def name(self) -> str:
        """Its name in data files."""
        around = f"+{self.around.name}" if self.around else ""
        return f"{self.structure.name}/{self.mapping.name}/{self.sizing.name}{around}"

    @property
    def abc_script(self) -> str:
        """ABC's commands as an inline script of yosys, which writes blanks as commas."""
        return _abc_script(self.mapping, self.sizing)

    @property
    def around_script(self) -> str:
        """The same for what is around an engine's leaves."""
        return _abc_script(self.around, FAST) if self.around else self.abc_script


def _abc_script(mapping: Mapping, sizing: Sizing) -> str:
    steps = ("topo", mapping.buffer, "topo", "upsize -D {D}", "dnsize -D {D}")
    text = ";".join((*mapping.commands, *steps))
    return "+" + text.replace("{D}", str(sizing.aim_ps)).replace(" ", ",")


FAST = Sizing(name="fast", aim_ps=10)
SMALL = Sizing(name="small", aim_ps=1_000_000)

_BRENT_KUNG = Structure(name="brent_kung", booth=True)
_HAN_CARLSON = Structure(name="han_carlson", booth=True, adder="han-carlson")
_SKLANSKY = Structure(name="sklansky", booth=True, adder="sklansky")
STRUCTURES = (
    _BRENT_KUNG,
    _HAN_CARLSON,
    _SKLANSKY,
    Structure(name="kogge_stone", booth=True, adder="kogge-stone"),
    Structure(name="and_array"),
)

_MAP = ("dch", "map -B 0.9 -D {D}")
_IF = "if -g -K 6 -C 8"
_NF = ("dch", "&get -n", "&nf", "&put")
_SUPERGATES = Mapping(name="map", commands=("strash", *_MAP))
_SUPERGATES_8 = Mapping(name="map_8", commands=("strash", *_MAP), buffer="buffer -N 8")
_AREA_FLOW = Mapping(name="nf", commands=("strash", "ifraig", *_NF), buffer="buffer -N 8")
_LEAST_AREA = Mapping(name="amap", commands=("strash", "dch", "amap -m"))
_SUPPORT = Mapping(
    name="if_x", commands=("strash", "if -x -K 6", "strash", *_MAP), buffer="buffer -N 8"
)
_BALANCED = Mapping(name="if_g", commands=("strash", "ifraig", "dc2", _IF, "strash", *_MAP))
_BALANCED_TWICE = Mapping(
    name="if_g2",
    commands=("strash", _IF, "strash", "if -g -K 6", "strash", *_MAP),
    buffer="buffer -N 8",
)
_BALANCED_NF = Mapping(name="if_g_nf", commands=("strash", _IF, "strash", *_NF))

SIZED_MAPPINGS = (
    *((_SUPERGATES, FAST), (_SUPERGATES_8, FAST), (_AREA_FLOW, FAST), (_SUPPORT, FAST)),
    *((_BALANCED, FAST), (_BALANCED_TWICE, FAST), (_BALANCED_NF, FAST)),
    *((_SUPERGATES, SMALL), (_AREA_FLOW, SMALL), (_LEAST_AREA, SMALL)),
)
"""Mappings with their sizing: of all pairs those that were on the front of some PE."""

RECIPES = tuple(
    Recipe(structure=structure, mapping=mapping, sizing=sizing)
    for structure in STRUCTURES
    for mapping, sizing in SIZED_MAPPINGS
)
"""Recipes that every processing element is tried with."""

ENGINE_RECIPES = (
    Recipe(structure=_BRENT_KUNG, mapping=_BALANCED_TWICE, sizing=FAST),
    Recipe(structure=_SKLANSKY, mapping=_SUPPORT, sizing=FAST, around=_BALANCED_TWICE),
    Recipe(structure=_BRENT_KUNG, mapping=_LEAST_AREA, sizing=SMALL, around=_BALANCED_TWICE),
)
"""Recipes of engines whose parts are not measured apart: a fast, a middle and a small one."""

AROUND = _BALANCED_TWICE
"""Mapping of what is around an engine's leaves: the one that makes adders fastest."""

_BY_NAME: MappingType[str, Recipe] = MappingProxyType(
    {recipe.name: recipe for plain in RECIPES for recipe in (plain, replace(plain, around=AROUND))}
)


def recipe_named(name: str) -> Recipe:
    """Return a recipe by its name in data files.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in _BY_NAME:
        raise ValueError(f"Recipe must be a known one, not {name!r}{nearest(name, _BY_NAME)}")
    return _BY_NAME[name]

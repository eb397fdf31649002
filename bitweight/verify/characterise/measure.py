"""One design measured: synthesised with every recipe, timed, and its front kept.

The front is what no other netlist beats in both area and period. Of netlists whose periods are
within 2 % the smaller is kept. Each is recorded at the clock that it just meets, its period rounded
up to three digits; with targets given, at each target the smallest netlist that meets it, or the
fastest if none does.
"""

import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bitweight.cost_models.cell_library import CellLibrary
from bitweight.cost_models.measurements import NetlistPoint
from bitweight.cost_models.recipes import Recipe
from bitweight.cost_models.synthesis import Netlist, Source, synthesise
from bitweight.cost_models.timing import WorstPath, time_netlists
from bitweight.verify.characterise.register_names import register_name

_CLOSE = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A netlist with its worst path."""

    netlist: Netlist
    path: WorstPath

    @property
    def area_um2(self) -> float:
        """Cell area."""
        return sum(block.instances * block.area_um2 for block in self.netlist.blocks)

    @property
    def period_ns(self) -> float:
        """Shortest clock period."""
        return self.path.period_ns


def measure(
    address: tuple[str, tuple[str, ...]],
    source: Source,
    library: CellLibrary,
    recipes: Iterable[Recipe],
    *,
    targets_ns: Sequence[float] = (),
) -> list[NetlistPoint]:
    """Return a design's points, fastest first.

    Args:
        address: Its name and settings in the data file.
        source: Its Verilog.
        library: Cells.
        recipes: Recipes that it is tried with.
        targets_ns: Clock periods; without any the front is taken.

    Raises:
        SynthesisError: If a tool is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="bitweight-") as directory:
        timed = synthesise_and_time(source, library, recipes, Path(directory))
        chosen = (
            [(target, best_at(timed, target)) for target in targets_ns]
            if targets_ns
            else [(round_up(one.period_ns), one) for one in front(timed)]
        )
        return [_point(address, source, library, target, one) for target, one in chosen]


def _point(
    address: tuple[str, tuple[str, ...]],
    source: Source,
    library: CellLibrary,
    target_ns: float,
    one: Timed,
) -> NetlistPoint:
    return NetlistPoint(
        design=address[0],
        settings=address[1],
        target_ns=target_ns,
        recipe=one.netlist.recipe.name,
        verilog_sha256=sha256(source.verilog.encode()).hexdigest(),
        delay_ns=one.period_ns,
        path_from=register_name(one.netlist, source.top, one.path.path_from, library),
        path_to=register_name(one.netlist, source.top, one.path.path_to, library),
        blocks=one.netlist.blocks,
        memories=source.memories,
    )


def synthesise_and_time(
    source: Source, library: CellLibrary, recipes: Iterable[Recipe], directory: Path
) -> list[Timed]:
    """Return a netlist for each recipe, with its worst path; files stay in ``directory``."""
    netlists = synthesise(source, library, recipes, directory)
    if not netlists:
        raise ValueError("A design must be synthesised with at least one recipe")
    top = json.loads(netlists[0].json.read_text())["modules"][source.top]
    paths = time_netlists(
        [netlist.verilog for netlist in netlists],
        top=source.top,
        ports=sum(len(port["bits"]) for port in top["ports"].values()),
        liberty=library.write(directory),
        time_unit_ns=library.time_unit_ns,
    )
    return [
        Timed(netlist=netlist, path=path) for netlist, path in zip(netlists, paths, strict=True)
    ]


def front(timed: Iterable[Timed]) -> list[Timed]:
    """Return the netlists that none beats in both area and period, fastest first."""
    kept: list[Timed] = []
    for one in sorted(timed, key=lambda one: (one.period_ns, one.area_um2)):
        if kept and one.area_um2 >= kept[-1].area_um2:
            continue
        if len(kept) > 1 and one.period_ns < _CLOSE * kept[-1].period_ns:
            kept[-1] = one
        else:
            kept.append(one)
    return kept


def best_at(timed: Iterable[Timed], target_ns: float) -> Timed:
    """Return the smallest netlist that meets a clock period, or the fastest if none does."""
    known = list(timed)
    met = [one for one in known if one.period_ns <= target_ns]
    if met:
        return min(met, key=lambda one: (one.area_um2, one.period_ns))
    return min(known, key=lambda one: (one.period_ns, one.area_um2))


def round_up(period_ns: float) -> float:
    """Return a period rounded up to three digits."""
    digit = 10.0 ** (math.floor(math.log10(period_ns)) - 2)
    return round(math.ceil(period_ns / digit - 1e-9) * digit, 9)

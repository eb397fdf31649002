"""On-chip memories: area and energy per access, fitted to published macros of a technology.

Area and energy of a memory of ``words`` x ``width`` are ``c + d words + e width + f words width``
with coefficients of at least 0: control, row periphery, column periphery and cells. They are fitted
to macros in the records of ``data/memory_macros.csv``, least squares of relative deviations; a test
states how far macros deviate. A memory wider or deeper than any macro is built of several.

============ ============================== ==================================================
technology   area                           energy per access
============ ============================== ==================================================
``sg13g2``   macros of its foundry          Liberty data of the same macros
``sky130hd`` sram22 macros; with two ports  of ``sg13g2``, the same node, by voltage squared: the
             times what OpenRAM's 1rw1r     Liberty data of sram22 are erratic (some are 0)
             macros take more
``asap7``    srambank macros; two ports as  of ``sg13g2`` by ``scaling``: its Liberty data are the
             in ``sg13g2``                  same for every size
============ ============================== ==================================================

Left out: leakage, idle clock pins, output loads, address toggles (an access is taken as the
macro's Liberty file gives it), repair and test logic beyond what macros hold.
"""

import csv
import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from bitweight.cost_models.cost import Figure, Provenance
from bitweight.cost_models.least_squares import solve_nonnegative
from bitweight.cost_models.scaling import ProcessPoint, energy_factor
from bitweight.cost_models.technology import TECHNOLOGIES
from bitweight.workloads.settings import nearest

_TABLE = "memory_macros.csv"
_DONOR = "sg13g2"
_DIGITS = 6
# Fewer dual-port macros give a ratio to single-port ones, not a fit of four coefficients.
_LEAST_FITTED = 6


class Ports(enum.StrEnum):
    """Ports of a memory."""

    SINGLE = "1rw"
    READ_AND_WRITE = "1r1w"


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """A published memory macro.

    Attributes:
        technology: Technology that it belongs to.
        macro: Its name.
        ports: ``1rw``, ``2rw`` or ``1rw1r``.
        words: Words.
        width: Bits of a word.
        area_um2: Area of its outline.
        read_pj: Energy of a read; None where none usable is published.
        write_pj: Energy of a write.
        source: Repository, commit and file.
    """

    technology: str
    macro: str
    ports: str
    words: int
    width: int
    area_um2: float
    read_pj: float | None
    write_pj: float | None
    source: str

    @property
    def is_dual(self) -> bool:
        """Whether it reads and writes at once."""
        return self.ports != Ports.SINGLE


@cache
def macros() -> tuple[Macro, ...]:
    """Return all published macros, in the table's order."""
    text = (resources.files("bitweight.cost_models") / "data" / _TABLE).read_text("utf-8")
    return tuple(
        Macro(
            technology=cells["technology"],
            macro=cells["macro"],
            ports=cells["ports"],
            words=int(cells["words"]),
            width=int(cells["width"]),
            area_um2=float(cells["area_um2"]),
            read_pj=float(cells["read_pj"]) if cells["read_pj"] else None,
            write_pj=float(cells["write_pj"]) if cells["write_pj"] else None,
            source=cells["source"],
        )
        for cells in csv.DictReader(text.splitlines())
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """``c + d words + e width + f words width``, and the sizes of the macros behind it."""

    coefficients: tuple[float, float, float, float]
    least_words: int
    most_words: int
    least_width: int
    most_width: int

    def one(self, words: int, width: int) -> float:
        """Value of one macro."""
        terms = (1, words, width, words * width)
        return math.fsum(c * term for c, term in zip(self.coefficients, terms, strict=True))

    def holds(self, words: int, width: int) -> bool:
        """Whether macros as small have been published; larger ones are built of several."""
        return words >= self.least_words and width >= self.least_width


def memory_area_um2(
    technology: str, words: int, width: int, *, ports: Ports = Ports.READ_AND_WRITE
) -> Figure:
    """Return the area of a memory.

    Args:
        technology: Name of a technology in ``TECHNOLOGIES``.
        words: Words.
        width: Bits of a word.
        ports: One port, or one to read and one to write.

    Returns:
        A figure with the part ``memory``; ``published`` if it lies among macros of the technology,
        else ``scaled``.

    Raises:
        ValueError: If a size is below 1, or there are no macros of this technology.
    """
    _check(technology, words, width)
    fit, ratio, is_own = _area_fit(technology, ports)
    area_um2 = ratio * sum(
        fit.one(depth, part)
        for depth in _pieces(words, fit.most_words)
        for part in _pieces(width, fit.most_width)
    )
    is_published = is_own and fit.holds(words, width)
    return Figure(
        parts={"memory": area_um2},
        provenance=Provenance.PUBLISHED if is_published else Provenance.SCALED,
        source=f"fit to macros of {technology}, cost_models/data/{_TABLE}",
    )


def memory_access_pj(technology: str, words: int, width: int) -> Figure:
    """Return the energy of one read and one write of a memory, as parts ``read`` and ``write``.

    Args:
        technology: Name of a technology in ``TECHNOLOGIES``.
        words: Words; deeper than any macro, one of several is accessed.
        width: Bits of a word.

    Raises:
        ValueError: If a size is below 1, or there are no macros of this technology.
    """
    _check(technology, words, width)
    factor = _energy_scale(technology)
    is_published, parts = technology == _DONOR, {}
    for part in ("read", "write"):
        fit = _energy_fit(part)
        depth = min(words, fit.most_words)
        parts[part] = factor * sum(fit.one(depth, bits) for bits in _pieces(width, fit.most_width))
        is_published &= fit.holds(words, width)
    scaled = "" if technology == _DONOR else f" scaled to {technology}"
    return Figure(
        parts=parts,
        provenance=Provenance.PUBLISHED if is_published else Provenance.SCALED,
        source=f"fit to macros of {_DONOR}{scaled}, cost_models/data/{_TABLE}",
    )


def _check(technology: str, words: int, width: int) -> None:
    known = {macro.technology for macro in macros()}
    if technology not in known:
        raise ValueError(
            f"Technology must have published memory macros ({', '.join(sorted(known))}), "
            f"not {technology!r}{nearest(technology, sorted(known))}"
        )
    for name, size in (("words", words), ("width", width)):
        if size < 1:
            raise ValueError(f"Memory {name} must be at least 1, not {size!r}")


def _pieces(size: int, most: int) -> list[int]:
    """Cut a size into as few pieces as macros allow, all but the last of the largest size."""
    return [min(most, size - start) for start in range(0, size, most)]


@cache
def _area_fit(technology: str, ports: Ports) -> tuple[_Fit, float, bool]:
    """Return a fit, what its areas are multiplied by, and whether that is all of own macros."""
    own = [macro for macro in macros() if macro.technology == technology]
    single = _fit([macro for macro in own if not macro.is_dual], "area_um2")
    dual = [macro for macro in own if macro.is_dual]
    if ports is Ports.SINGLE:
        return single, 1.0, True
    if len(dual) >= _LEAST_FITTED:
        return _fit(dual, "area_um2"), 1.0, True
    # What a second port takes: of the technology's few macros, or else of the donor's.
    return single, _dual_ratio(technology if dual else _DONOR), False


@cache
def _dual_ratio(technology: str) -> float:
    """Return how much larger dual-port macros are than single-port ones of their size, in mean."""
    single = _area_fit(technology, Ports.SINGLE)[0]
    ratios = [
        macro.area_um2 / single.one(macro.words, macro.width)
        for macro in macros()
        if macro.technology == technology and macro.is_dual
    ]
    return _rounded(math.fsum(ratios) / len(ratios))


@cache
def _energy_fit(part: str) -> _Fit:
    return _fit([macro for macro in macros() if macro.technology == _DONOR], f"{part}_pj")


@cache
def _energy_scale(technology: str) -> float:
    """Return what energies of the donor's macros are multiplied by in a technology."""
    origin, target = (
        ProcessPoint(node_nm=known.node_nm, voltage_v=known.voltage_v)
        for known in (TECHNOLOGIES[_DONOR], TECHNOLOGIES[technology])
    )
    if origin.node_nm == target.node_nm:
        # The same capacitances, charged to another voltage.
        return (target.voltage_v / origin.voltage_v) ** 2
    return energy_factor(origin, target)


def _fit(points: Sequence[Macro], quantity: str) -> _Fit:
    """Fit four coefficients of at least 0 to relative deviations."""
    values = np.array([getattr(point, quantity) for point in points])
    words, width = (np.array([getattr(p, name) for p in points]) for name in ("words", "width"))
    terms = np.stack([np.ones(len(points)), words, width, words * width], axis=1) / values[:, None]
    found, _ = solve_nonnegative(terms, np.ones(len(points)))
    c, d, e, f = (_rounded(float(value)) for value in found)
    return _Fit(
        coefficients=(c, d, e, f),
        least_words=int(words.min()),
        most_words=int(words.max()),
        least_width=int(width.min()),
        most_width=int(width.max()),
    )


def _rounded(value: float) -> float:
    """Cut what linear algebra libraries may give differently."""
    return float(f"{value:.{_DIGITS}g}")

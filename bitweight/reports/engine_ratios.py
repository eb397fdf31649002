"""Optimised engines against their baselines in every technology, as a page of the docs.

Run as a program it writes the page: ``python -m bitweight.reports.engine_ratios FILE``.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bitweight.cost_models import TECHNOLOGIES
from bitweight.cost_models.measurements import shipped
from bitweight.cost_models.published import Published
from bitweight.reports.comparison.make import run_on
from bitweight.reports.comparison.operating import operate
from bitweight.reports.comparison.pairs import PAIRS
from bitweight.reports.comparison.ratios import BEST, EQUAL, Pair, Ratio, ratios
from bitweight.reports.comparison.shortfalls import notes
from bitweight.reports.sweep.space import DesignAxis, TraceLayers
from bitweight.reports.sweep.variants import variants
from bitweight.workloads import Trace
from bitweight.workloads.whole_files import write_whole

_DESIGNS = tuple(dict.fromkeys(name for pair in PAIRS for name in (pair.baseline, pair.optimised)))

_HEAD = """# Optimised engines against their baselines

How many times the baseline's throughput per area, and its multiply-accumulates per energy, an
optimised engine reaches, from netlists of both. `bitweight compare -o page` makes the same numbers
and draws them.

- Work: all {layers} integer layers of the shipped example ({model},
  {m} tokens), with the model's own operands.
- *best*: each engine at its own clock of greatest throughput per area. *equal*: both at the
  baseline's. *Published* is arXiv 2503.06342v1, abstract, 28 nm; in brackets the ratio of its
  released reports (SAED 32 nm).
- MACs as baselines are the smaller, at each clock, of multiplier-then-adder and fused MAC.
- Areas and energies are of the cells of whole engines, as in the paper's released reports; *with
  memories* those that an engine holds are counted too, where one of the two does. What the abstract
  counts is not known: a ratio is taken as reached only if both reach it. Energies are of gate-level
  runs on a tile of a real layer, without glitches, wires and clock tree, scaled to each layer's own
  event counts.
- Column engines hold a tile of `b`, once for every column that walks by itself, and rows of `a` in
  memories; `bit_slice/laconic` is sent both for every tile. Neither scope is fair alone: cells
  leave out what the copies cost, memories leave out the buffers that feed the other one.

{tables}
## What falls short, and why

{notes}
"""


def found() -> list[Ratio]:
    """Return all pairs in all technologies, on the shipped example."""
    layers = TraceLayers(path=None, names=())
    runs = [run_on(variant, layers) for variant in variants(DesignAxis(names=_DESIGNS))]
    data = {name: shipped(name) for name in TECHNOLOGIES}
    points = {
        name: {run.design: operate(run, measured) for run in runs}
        for name, measured in data.items()
    }
    return ratios(PAIRS, points, data)


def page(known: Sequence[Ratio]) -> str:
    """Return the page in Markdown."""
    trace = Trace.example()
    first = trace.integer_layers[0]
    by_pair: dict[Pair, list[Ratio]] = {}
    for ratio in known:
        by_pair.setdefault(ratio.pair, []).append(ratio)
    told = [f"**{note.title}.**\n{note.text}\n" for note in notes(known)]
    return _HEAD.format(
        layers=len(trace.integer_layers),
        model=trace.model,
        m=first.m,
        tables="\n".join(_table(pair, several) for pair, several in by_pair.items()),
        notes="\n".join(told).rstrip("\n"),
    )


def _table(pair: Pair, known: Iterable[Ratio]) -> str:
    lines = [
        f"## `{pair.optimised}` over `{pair.baseline}`",
        "",
        "| technology | clocks | MHz | mm2 | throughput per area | with memories | published "
        "| pJ per MAC | MACs per energy | with memories | published |",
        "| --- | --- |" + " ---: |" * 9,
        *(_row(ratio) for ratio in sorted(known, key=_place)),
    ]
    return "\n".join(lines) + "\n"


def _place(ratio: Ratio) -> tuple[int, int]:
    return [*TECHNOLOGIES].index(ratio.data.technology), [BEST, EQUAL].index(ratio.clocks)


def _row(ratio: Ratio) -> str:
    one, other = ratio.optimised, ratio.baseline
    cells = [
        ratio.data.technology,
        ratio.clocks,
        f"{one.cost.clock_mhz:.0f} / {other.cost.clock_mhz:.0f}",
        f"{one.cells_um2 * 1e-6:.4g} / {other.cells_um2 * 1e-6:.4g}",
        f"**{ratio.area:.2f}**",
        _number(ratio.area_with_memories) if ratio.has_memories else "-",
        _published(ratio.pair.area),
        f"{_number(one.cells_pj_per_mac)} / {_number(other.cells_pj_per_mac)}",
        f"**{_number(ratio.energy)}**",
        _number(ratio.energy_with_memories) if ratio.has_memories else "-",
        _published(ratio.pair.energy),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _published(goal: Published | None) -> str:
    if goal is None:
        return "-"
    return f"{goal.value:g}" if goal.evidence == "abstract" else f"({goal.value:g})"


def main() -> None:
    """Write the page to the file named on the command line."""
    write_whole(Path(sys.argv[1]), page(found()).encode())


if __name__ == "__main__":
    main()

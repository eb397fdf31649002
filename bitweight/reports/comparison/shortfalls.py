"""Why a ratio is below the published one, from what was measured of the two designs.

Nothing here is a fixed text about a design: each sentence has a condition on the netlists and
costs behind the ratio, and quotes what it found.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from bitweight.cost_models.measurements import EnergyPoint, Measurements, NetlistPoint
from bitweight.cost_models.published import Published
from bitweight.cost_models.technology import title
from bitweight.reports.comparison.operating import Operating
from bitweight.reports.comparison.picture import Note
from bitweight.reports.comparison.ratios import BEST, EQUAL, Pair, Ratio
from bitweight.sim.catalog import ENGINE_PES, pe_address
from bitweight.sim.spec import PeSpec

Parts = Callable[[Operating], Mapping[str, float]]

_NOTABLE = 0.02
_MOST_PARTS = 3


def notes(found: Iterable[Ratio]) -> list[Note]:
    """Return a note for each published ratio that is not reached: at best clocks, then at equal."""
    by_pair: dict[Pair, list[Ratio]] = {}
    for ratio in found:
        by_pair.setdefault(ratio.pair, []).append(ratio)
    made: list[Note] = []
    for pair, several in by_pair.items():
        for clocks in (BEST, EQUAL):
            known = [ratio for ratio in several if ratio.clocks == clocks]
            if pair.area is not None:
                made += _area_notes(pair, pair.area, known)
            if pair.energy is not None:
                made += _energy_notes(pair, pair.energy, known)
    return [*made, _SCOPE] if made else []


_SCOPE = Note(
    title="What is compared",
    text=(
        "Published ratios are of other libraries, synthesised by commercial tools that retime and "
        "size across blocks. Ours are of whole engines as a user instantiates them, with feeding, "
        "control and drain, as cells after an open synthesis without retiming and without wires; "
        "the parts that both designs share dilute what the processing elements gain. Ratios are of "
        "cells, and again with the memories that an engine holds: column engines hold an operand "
        "that Laconic is sent, whose buffers are not counted, so neither scope is fair alone. What "
        "the paper's abstract counts is not known; a ratio is taken as reached only if both reach "
        "it. Each MAC "
        "baseline is the smaller of multiplier-then-adder and fused MAC at every clock."
    ),
)


def _area_notes(pair: Pair, goal: Published, known: Sequence[Ratio]) -> list[Note]:
    short = [one for one in known if min(one.area, one.area_with_memories) < goal.value]
    sentences = [
        f"{_title(ratio)}: {ratio.area:.2f} = clock {ratio.clock:.2f} x work per clock "
        f"{ratio.work:.2f} / area {ratio.size:.2f}{_added(ratio, _parts_um2)}; {_clock(ratio)}"
        f"{_with_memories(ratio, ratio.area_with_memories)}{_held(ratio)}."
        for ratio in short
    ]
    heading = _heading(pair, "throughput per area", goal, short, known)
    return [Note(title=heading, text=" ".join([*sentences, *_baseline(short)]))] if short else []


def _energy_notes(pair: Pair, goal: Published, known: Sequence[Ratio]) -> list[Note]:
    measured = [ratio for ratio in known if ratio.energy is not None]
    short = [
        one for one in measured if min(one.energy or 0, one.energy_with_memories or 0) < goal.value
    ]
    sentences = [
        f"{_title(ratio)}: {ratio.energy:.2f}{_added(ratio, _parts_pj)}{_registers(ratio)}"
        f"{_glitches(ratio)}{_with_memories(ratio, ratio.energy_with_memories)}."
        for ratio in short
    ]
    heading = _heading(pair, "MACs per energy", goal, short, measured)
    return [Note(title=heading, text=" ".join(sentences))] if short else []


def _heading(
    pair: Pair, what: str, goal: Published, short: Sequence[Ratio], known: Sequence[Ratio]
) -> str:
    at = " at equal clocks" if known and known[0].clocks == EQUAL else ""
    return (
        f"{pair.optimised} over {pair.baseline}, {what}{at}: {goal.value:g} published ("
        f"{goal.technology}, {goal.source}), not reached in {len(short)} of {len(known)}"
    )


def _clock(ratio: Ratio) -> str:
    """Say what limits the clock, or how far above this one the optimised engine could run."""
    point = ratio.netlist(ratio.optimised)
    fastest_mhz = max(1000 / one.delay_ns for one in ratio.netlists(ratio.optimised))
    if ratio.clocks == EQUAL and fastest_mhz > ratio.optimised.cost.clock_mhz * (1 + _NOTABLE):
        return (
            f"its own clock could be {fastest_mhz / ratio.optimised.cost.clock_mhz:.2f} times this"
        )
    return f"the clock is limited from {point.path_from} to {point.path_to}"


def _title(ratio: Ratio) -> str:
    return title(ratio.data.technology)


def _parts_um2(which: Operating) -> Mapping[str, float]:
    return which.cost.area_um2.parts


def _parts_pj(which: Operating) -> dict[str, float]:
    return {name: part / which.run.macs for name, part in which.cells_pj.items()}


def _with_memories(ratio: Ratio, value: float | None) -> str:
    """Say what a ratio is with the memories that one of the two holds."""
    return f"; {value:.2f} with memories" if ratio.has_memories and value is not None else ""


def _held(ratio: Ratio) -> str:
    """Say how much memory the two hold."""
    if not ratio.has_memories:
        return ""
    held = [which.cost.memory_um2.total * 1e-6 for which in (ratio.optimised, ratio.baseline)]
    return f", of which it holds {held[0]:.3g} mm2 and the baseline {held[1]:.3g} mm2"


def _added(ratio: Ratio, parts: Parts) -> str:
    """Say which components add most over the baseline, in shares of its total."""
    one, other = parts(ratio.optimised), parts(ratio.baseline)
    total = sum(other.values())
    growth = Counter({name: one.get(name, 0.0) - other.get(name, 0.0) for name in {**other, **one}})
    notable = [
        f"{name} {change / total:+.0%}"
        for name, change in growth.most_common(_MOST_PARTS)
        if change / total > _NOTABLE
    ]
    return f" ({', '.join(notable)} of the baseline's)" if notable else ""


def _registers(ratio: Ratio) -> str:
    one, other = (_flip_flops(ratio.netlist(which)) for which in (ratio.optimised, ratio.baseline))
    if one <= other * (1 + _NOTABLE):
        return ""
    return f"; it clocks {one} flip-flops where the baseline clocks {other}"


def _glitches(ratio: Ratio) -> str:
    """Say what the cells' delays, without which engines are run, add to the energy of PEs."""
    sides = {"its own": ratio.optimised, "the baseline's": ratio.baseline}
    shares = {whose: glitch_share(which.spec.pe, ratio.data) for whose, which in sides.items()}
    known = [f"{share:.0%} to {whose} PE" for whose, share in shares.items() if share is not None]
    return f"; glitches, which are left out, would add {' and '.join(known)}" if known else ""


def glitch_share(pe: PeSpec, data: Measurements) -> float | None:
    """Return the energy that glitches add to a PE on real operands, in parts of what is without.

    None if the PE was not run with the cells' delays.
    """
    wished = pe_address(pe) if isinstance(pe, type(ENGINE_PES[pe.name])) else None
    runs = [
        run
        for run in data.energies
        if (run.design, run.settings) == wished and run.busy_slots and not run.is_drawn
    ]
    delayed, settled = (
        sum(_total_pj(run) for run in runs if run.glitches is wanted) for wanted in (True, False)
    )
    return delayed / settled - 1 if delayed else None


def _total_pj(run: EnergyPoint) -> float:
    return sum(block.switching_pj + block.internal_pj + block.clock_pj for block in run.blocks)


def _flip_flops(point: NetlistPoint) -> int:
    return sum(block.instances * block.flip_flops for block in point.blocks)


def _baseline(short: Sequence[Ratio]) -> list[str]:
    """Say which netlist won for the baseline."""
    won = dict.fromkeys(
        " ".join([*point.settings, point.recipe])
        for point in (ratio.netlist(ratio.baseline) for ratio in short)
    )
    return [f"The baseline's netlist there is {' or '.join(won)}."]

"""From designs and a workload to everything that a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

from bitweight.cost_models import TECHNOLOGIES, Provenance
from bitweight.cost_models.measurements import Measurements
from bitweight.cost_models.technology import title
from bitweight.reports.comparison import (
    area_delay,
    format_table,
    front_picture,
    layer_energy,
    ratio_picture,
    roofline_picture,
)
from bitweight.reports.comparison.operating import (
    Operating,
    Run,
    best,
    clocks_mhz,
    has_energy,
    operate,
    structures,
)
from bitweight.reports.comparison.pairs import BASELINES, PAIRS
from bitweight.reports.comparison.picture import Facts, Picture
from bitweight.reports.comparison.ratios import ratios
from bitweight.reports.format_row import FormatRow
from bitweight.sim.catalog import address
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec

# A PE as it is, and a MAC in each of its ways.
_PE_WAYS = ((), ("structure=fused",), ("pipelined=true",), ("structure=fused", "pipelined=true"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared.

    Attributes:
        runs: Designs, with what they made of the workload.
        data: Measured points of each technology.
        formats: The weight formats on one layer.
        formats_layer: Name of that layer.
        workload: What is computed, in words.
        command: The command that makes the page.
    """

    runs: tuple[Run, ...]
    data: tuple[Measurements, ...]
    formats: tuple[FormatRow, ...]
    formats_layer: str
    workload: str
    command: str

    @property
    def technologies(self) -> tuple[str, ...]:
        """Technologies, in words."""
        return tuple(str(TECHNOLOGIES.get(one.technology, one.technology)) for one in self.data)

    def facts(self, designs: Sequence[str], known: Sequence[Provenance | None]) -> Facts:
        """Return what a picture states of itself."""
        return Facts(
            designs=tuple(designs),
            workload=self.workload,
            technologies=self.technologies,
            provenance=tuple(str(one) for one in Provenance if one in known),
            command=self.command,
        )


def pictures(study: Study) -> list[Picture]:
    """Return all pictures of a study; ``missing`` tells which designs a technology lacks."""
    points = {
        one.technology: {
            run.design: operate(run, one) for run in study.runs if clocks_mhz(run.spec, one)
        }
        for one in study.data
    }
    flat = {name: [p for some in found.values() for p in some] for name, found in points.items()}
    made = [
        _pes(study),
        _engines(study),
        _ratios(study, points),
        _layer_energy(study, points),
        _roofline(study, points),
        _front(study, flat),
        _formats(study),
    ]
    return [picture for picture in made if picture is not None and picture.rows]


def missing(study: Study) -> list[str]:
    """Return sentences about what technologies' data lack: designs, or their energies.

    Raises:
        ValueError: If they lack all.
    """
    texts = []
    for one in study.data:
        absent = [run.design for run in study.runs if not clocks_mhz(run.spec, one)]
        if len(absent) == len(study.runs):
            raise ValueError(
                f"{one.technology} must hold netlists of {', '.join(absent)}, and has none; "
                "`bitweight characterise` makes them"
            )
        name = title(one.technology)
        if absent:
            texts.append(f"No netlists in {name}: {', '.join(absent)}.")
        idle = [
            run.design
            for run in study.runs
            if run.design not in absent
            and not any(has_energy(s, one) for s in structures(run.spec))
        ]
        if idle:
            texts.append(f"No gate-level runs, and so no energy, in {name}: {', '.join(idle)}.")
    return texts


def _pes(study: Study) -> Picture:
    names = list(dict.fromkeys(name for run in study.runs for name in pe_names(run.spec)))
    base = {name for run in study.runs if run.design in BASELINES for name in pe_names(run.spec)}
    addresses = [(name, ways) for name in names for ways in _PE_WAYS]
    found = area_delay.curves(study.data, addresses, base)
    facts = study.facts([name.removeprefix("pe:") for name in names], [Provenance.MEASURED])
    return area_delay.picture("pes", "Processing elements: area against delay", found, facts)


def _engines(study: Study) -> Picture:
    addresses = [address(spec) for run in study.runs for spec in structures(run.spec)]
    found = area_delay.curves(study.data, addresses, BASELINES)
    facts = study.facts([run.design for run in study.runs], [Provenance.MEASURED])
    return area_delay.picture("engines", "Whole engines: area against delay", found, facts)


def _ratios(study: Study, points: Mapping[str, Mapping[str, Sequence[Operating]]]) -> Picture:
    found = ratios(PAIRS, points, {one.technology: one for one in study.data})
    known = [p for one in found for p in (one.area_provenance, one.energy_provenance)]
    designs = [name for one in found for name in (one.pair.optimised, one.pair.baseline)]
    facts = study.facts(list(dict.fromkeys(designs)), [*known, Provenance.PUBLISHED])
    return ratio_picture.picture(found, facts)


def _layer_energy(
    study: Study, points: Mapping[str, Mapping[str, Sequence[Operating]]]
) -> Picture | None:
    found = [
        energy
        for one in study.data
        for several in points[one.technology].values()
        for energy in layer_energy.layer_energies(best(several), one)
    ]
    if not found:
        return None
    facts = study.facts(
        list(dict.fromkeys(one.design for one in found)), [one.provenance for one in found]
    )
    return layer_energy.picture(found, facts)


def _roofline(study: Study, points: Mapping[str, Mapping[str, Sequence[Operating]]]) -> Picture:
    first = study.data[0].technology
    found = [roofline_picture.under(best(several)) for several in points[first].values()]
    shown = [one.design for one in found if one.points]
    known = [placed.provenance for one in found for placed in one.points]
    facts = replace(study.facts(shown, known), workload=roofline_picture.workload())
    return roofline_picture.picture(found, facts)


def _front(study: Study, points: Mapping[str, Sequence[Operating]]) -> Picture | None:
    if not any(one.energy_pj is not None for found in points.values() for one in found):
        return None
    known = [one.provenance for found in points.values() for one in found]
    facts = study.facts([run.design for run in study.runs], known)
    return front_picture.picture(points, facts)


def _formats(study: Study) -> Picture:
    facts = study.facts(list(dict.fromkeys(row.engine.design for row in study.formats)), [])
    return format_table.picture(study.formats, study.formats_layer, facts)


@singledispatch
def pe_names(spec: Any) -> list[str]:
    """Return the names that netlists of an engine's PE have."""
    return [f"pe:{spec.pe.name}"]


@pe_names.register
def _(spec: BlockDotSpec) -> list[str]:
    return []


@pe_names.register
def _(spec: DecodedSpec) -> list[str]:
    return pe_names(spec.engine)

"""From a space to its points: which design runs which layer, and what cannot be.

A job is a design on a layer; it is simulated once and then costed in every technology at every
clock, which makes a point each. Whatever can be refused without running is refused here.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from bitweight import __version__
from bitweight.cost_models import estimate
from bitweight.cost_models.measurements import shipped
from bitweight.reports.sweep.layers import LayerSource, layer_sources
from bitweight.reports.sweep.row import Row
from bitweight.reports.sweep.space import Refusals, Space
from bitweight.reports.sweep.variants import Variant, one_line, variants


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A design on a layer, with its points: rows that lack their figures yet."""

    variant: Variant
    layer: LayerSource
    points: tuple[Row, ...]


def expand(space: Space) -> list[Job]:
    """Return all jobs of a space, in its order; refused points say why in their rows.

    Raises:
        ValueError: If a point cannot be, unless the space wants rows of these; if a name is
            unknown, or the same point comes twice.
        OSError: If a trace cannot be read.
    """
    sources = [source for axis in space.layers for source in layer_sources(axis)]
    specs = [variant for axis in space.designs for variant in variants(axis)]
    jobs = [_job(variant, source, space) for variant in specs for source in sources]
    seen: set[str] = set()
    for row in (row for job in jobs for row in job.points):
        if row.point in seen:
            raise ValueError(f"Points must differ, but {_title(row)} comes twice")
        seen.add(row.point)
        if row.refused and space.refused is Refusals.STOP:
            raise ValueError(
                f"{_title(row)} cannot be: {row.refused}; leave it out, or set "
                f'refused = "{Refusals.ROWS}"'
            )
    return jobs


def _title(row: Row) -> str:
    design = " ".join(part for part in (row.design, row.settings) if part)
    return (
        f"{design} with {row.format} weights on {row.layer} in {row.technology} "
        f"at {row.clock_mhz:g} MHz"
    )


def _job(variant: Variant, source: LayerSource, space: Space) -> Job:
    refused = variant.refused or _unfit(variant, source)
    points = [
        _point(variant, source, technology, clock_mhz, refused)
        for technology in space.technologies
        for clock_mhz in space.clocks_mhz
    ]
    return Job(variant=variant, layer=source, points=tuple(points))


def _unfit(variant: Variant, source: LayerSource) -> str:
    """Return why a design cannot run a layer, or nothing."""
    assert variant.spec is not None, "else it was refused"
    try:
        source.check(variant.spec, variant.weights)
    except ValueError as error:
        return one_line(error)
    return ""


def _point(
    variant: Variant, source: LayerSource, technology: str, clock_mhz: float, refused: str
) -> Row:
    spec: Any = variant.spec
    refused = refused or _uncosted(spec, technology, clock_mhz)
    identity = (
        __version__,
        variant.name,
        " ".join(variant.settings),
        repr(variant.weights),
        repr(variant.spec),
        source.title,
        source.identity,
        technology,
        _data_sha256(technology),
        repr(clock_mhz),
        refused,
    )
    return Row(
        point=hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16],
        design=variant.name,
        settings=" ".join(variant.settings),
        format=variant.weights.name,
        source=source.title,
        layer=source.gemm.name,
        m=source.gemm.m,
        n=source.gemm.n,
        k=source.gemm.k,
        calls=source.gemm.calls,
        technology=technology,
        clock_mhz=clock_mhz,
        refused=refused,
    )


@cache
def _uncosted(spec: Any, technology: str, clock_mhz: float) -> str:
    """Return why a design has no cost there, or nothing."""
    try:
        estimate(spec, technology, clock_mhz=clock_mhz)
    except ValueError as error:
        return one_line(error)
    return ""


@cache
def _data_sha256(technology: str) -> str:
    """Return a hash of what is shipped of a technology: figures of other data are other points."""
    data = shipped(technology)
    text = repr((data.header, data.netlists, data.energies))
    return hashlib.sha256(text.encode()).hexdigest()

"""Designs of a sweep: names, settings and weight formats made to specs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

from bitweight.reports.sweep.space import DesignAxis
from bitweight.sim import design
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.weight_formats import FORMATS, weight_format


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A design with settings, for weights of a format.

    Attributes:
        name: Name in the catalog.
        settings: What differs from the catalog's entry.
        weights: Format of the weights.
        spec: The design; None if it cannot take such weights.
        refused: Why it cannot.
    """

    name: str
    settings: tuple[str, ...]
    weights: WeightFormat
    spec: DesignSpec | None = None
    refused: str = ""


def variants(axis: DesignAxis) -> Iterator[Variant]:
    """Yield the designs of an axis, each in all of its settings and formats.

    Raises:
        ValueError: If a name or a setting is unknown; a format that a design cannot take is told
            in ``refused``.
    """
    for name in axis.names:
        for settings in axis.settings:
            own = design(name, settings)
            if not axis.formats:
                yield Variant(name=name, settings=settings, weights=weights_of(own), spec=own)
            for form in map(weight_format, axis.formats):
                yield _variant(own, Variant(name=name, settings=settings, weights=form))


def _variant(own: DesignSpec, wished: Variant) -> Variant:
    try:
        spec = with_weights(own, wished.name, wished.settings, wished.weights)
    except ValueError as error:
        return replace(wished, refused=one_line(error))
    return replace(wished, spec=spec, weights=weights_of(spec, wished.weights))


@singledispatch
def weights_of(spec: Any, wished: WeightFormat | None = None) -> WeightFormat:
    """Return the format of weights that a design takes, ``wished`` if it takes its codes."""
    code = spec.pe.b
    return wished or FORMATS.get(str(code)) or ScaledInteger(code=code)


@weights_of.register
def _(spec: BlockDotSpec | DecodedSpec, wished: WeightFormat | None = None) -> WeightFormat:
    return spec.pe.format


@singledispatch
def with_weights(own: Any, name: str, settings: tuple[str, ...], form: WeightFormat) -> DesignSpec:
    """Return a design that takes weights of a format.

    Args:
        own: The design that ``name`` and ``settings`` make.
        name: Catalog name.
        settings: Settings of the design.
        form: The format; an integer engine takes packed ones behind a decoder.

    Raises:
        ValueError: If the design cannot take it.
    """
    if name.count("/") > 1:
        raise ValueError(f"{name} names its operand formats already")
    if isinstance(form, ScaledInteger):
        return design(f"{name}/{own.pe.a}x{form.code}", settings)
    return design(f"{name}/{own.pe.a}x{form.name}", [f"engine.{one}" for one in settings])


@with_weights.register
def _(own: BlockDotSpec, name: str, settings: tuple[str, ...], form: WeightFormat) -> DesignSpec:
    if own.pe.format.name == form.name:
        return own
    if type(own.pe.format) is not type(form):
        raise ValueError(f"{name} takes {own.pe.format.name} weights, not {form.name}")
    pe: Any = own.pe
    return replace(own, pe=replace(pe, format=form))


def one_line(error: Exception) -> str:
    """Return an error's message as one line."""
    return " ".join(str(error).split())

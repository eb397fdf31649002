"""``bitweight list``: what there is."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from typing import Annotated, Any

import typer

from bitweight.cli.options import Json
from bitweight.cli.output import print_json, print_table
from bitweight.cost_models.technology import TECHNOLOGIES
from bitweight.sim import DESIGNS, design
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.models import models
from bitweight.workloads.settings import setting_text
from bitweight.workloads.weight_formats import FORMATS


class Topic(StrEnum):
    """What can be listed."""

    DESIGNS = "designs"
    FORMATS = "formats"
    WEIGHTS = "weights"
    MODELS = "models"
    TECHNOLOGIES = "technologies"


def list_(
    topic: Annotated[Topic, typer.Argument(help="What to list.")] = Topic.DESIGNS,
    nest: Annotated[
        str | None, typer.Option(metavar="DESIGN", help="Print this design's loop nest instead.")
    ] = None,
    json: Json = False,
) -> None:
    """List designs, operand formats, packed weight formats, models or technologies.

    Designs and weight formats come with the fields that --set changes.
    """
    if nest is not None:
        _print_nest(nest, json)
        return
    rows = {
        Topic.DESIGNS: _designs,
        Topic.FORMATS: _formats,
        Topic.WEIGHTS: _weights,
        Topic.MODELS: _models,
        Topic.TECHNOLOGIES: _technologies,
    }[topic]()
    if json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [[_text(cell) for cell in row.values()] for row in rows])


def _print_nest(name: str, json: bool) -> None:
    nest = design(name).nest
    if nest is None:
        raise ValueError(f"{name} has no loop nest: the notation has no words for it")
    if json:
        print_json({"design": name, "nest": str(nest).splitlines()})
    else:
        typer.echo(str(nest))


def _designs() -> list[dict[str, Any]]:
    return [{"design": name, "fields": dict(_settings(spec))} for name, spec in DESIGNS.items()]


def _settings(spec: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each field as --set names and reads it, dotted where specs nest."""
    for field in fields(spec) if is_dataclass(spec) else ():
        value, name = getattr(spec, field.name), prefix + field.name
        if isinstance(value, IntFormat):
            yield name, str(value)
        elif is_dataclass(value):
            yield from _settings(value, f"{name}.")
        else:
            yield name, value.value if isinstance(value, Enum) else value


def _formats() -> list[dict[str, Any]]:
    formats = [IntFormat(width=w, signed=signed) for signed in (True, False) for w in range(2, 17)]
    return [{"format": str(f), "bits": f.width, "min": f.min, "max": f.max} for f in formats]


def _weights() -> list[dict[str, Any]]:
    return [{"format": name, "fields": dict(_settings(form))} for name, form in FORMATS.items()]


def _models() -> list[dict[str, Any]]:
    return [
        {"model": model.name, "weights": model.weight_params, "source": model.source}
        for model in models().values()
    ]


def _technologies() -> list[dict[str, Any]]:
    return [
        {
            "technology": known.name,
            "title": known.title,
            "node_nm": known.node_nm,
            "corner": known.corner,
            "voltage_v": known.voltage_v,
            "temperature_c": known.temperature_c,
            "licence": known.licence,
        }
        for known in TECHNOLOGIES.values()
    ]


def _text(cell: object) -> object:
    if not isinstance(cell, dict):
        return cell
    return " ".join(f"{name}={setting_text(value)}" for name, value in cell.items())

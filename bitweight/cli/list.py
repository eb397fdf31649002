"""``bitweight list``: what there is."""

from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Annotated

import typer

from bitweight.cli.output import print_json, print_table
from bitweight.sim import DESIGNS
from bitweight.workloads.formats import IntFormat

Row = dict[str, str | int]


class Topic(StrEnum):
    """What can be listed."""

    DESIGNS = "designs"
    FORMATS = "formats"


def list_(
    topic: Annotated[Topic, typer.Argument(help="What to list.")] = Topic.DESIGNS,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List designs with the fields that --set changes, formats or models."""
    rows = {Topic.DESIGNS: _designs, Topic.FORMATS: _formats}[topic]()
    if json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


def _designs() -> list[Row]:
    return [{"design": name, "fields": " ".join(_fields(spec))} for name, spec in DESIGNS.items()]


def _fields(spec: object, prefix: str = "") -> list[str]:
    """Return ``name=value`` for each field, dotted where specs nest."""
    texts: list[str] = []
    for field in fields(spec) if is_dataclass(spec) else ():
        value = getattr(spec, field.name)
        name = prefix + field.name
        nested = [] if isinstance(value, IntFormat) else _fields(value, f"{name}.")
        texts += nested or [f"{name}={value}"]
    return texts


def _formats() -> list[Row]:
    formats = [IntFormat(width=w, signed=signed) for signed in (True, False) for w in range(2, 17)]
    return [{"format": str(f), "bits": f.width, "min": f.min, "max": f.max} for f in formats]

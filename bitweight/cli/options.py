"""Arguments and options that several verbs share."""

from typing import Annotated

import typer

Design = Annotated[
    str, typer.Argument(metavar="DESIGN", help="Catalog name, with formats or without.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the design; repeat."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

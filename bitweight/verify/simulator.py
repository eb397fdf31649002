"""Builds emitted Verilog with Verilator and runs the bench on it, in a folder of its own.

A module of some size that stands in many places (a PE) is compiled once, as a hierarchical block;
otherwise a 16 x 16 array of Booth PEs becomes 38 MB of C++. A block has a library of its own, which
costs as much as some thousand lines do. Verilator's runtime is compiled once and kept.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.verify.toolchain import (
    bench_arguments,
    check_tools,
    runtime_folder,
    tool_environment,
)
from bitweight.workloads.tool_error import ToolError

_LOG_LINES = 6
_MIN_SAVED_LINES = 2500
_RUNTIME = ("verilated.o", "verilated_dpi.o", "verilated_threads.o", "verilated_vpi.o")


def play(verilog: str, top: str, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Run cases on a Verilog design.

    Args:
        verilog: Its text.
        top: Its top module.
        cases: What the bench plays, see ``verify.bench``.

    Returns:
        One record per case.

    Raises:
        ToolError: If a tool is missing or fails; the message ends with its log's last lines.
    """
    records: list[dict[str, Any]] = _play(verilog, top, {"cases": list(cases)}, "bench")
    return records


def play_waves(
    verilog: str,
    top: str,
    inputs: Mapping[str, Sequence[int]],
    outputs: Sequence[str],
    edges: int,
) -> dict[str, list[int]]:
    """Play one value per clock into ports of a design, for example an array without control.

    Args:
        verilog: Its text.
        top: Its top module.
        inputs: Per port its values, one per edge from the first on; 0 after the last.
        outputs: Ports to record.
        edges: Number of edges.

    Returns:
        Per output port its value after each edge.

    Raises:
        ToolError: If a tool is missing or fails.
    """
    plan = {
        "inputs": {port: [f"{value:x}" for value in values] for port, values in inputs.items()},
        "outputs": list(outputs),
        "edges": edges,
    }
    record: dict[str, list[str]] = _play(verilog, top, plan, "wave_bench")
    return {port: [int(value, 16) for value in values] for port, values in record.items()}


def _play(verilog: str, top: str, plan: Mapping[str, Any], bench: str) -> Any:
    """Build a design, run a bench (a file of this folder) on a plan, and return its record."""
    check_tools()
    with tempfile.TemporaryDirectory(prefix="bitweight-") as name:
        folder = Path(name)
        environment = tool_environment(folder)
        _build(folder, environment, verilog, top)
        return _run(folder, environment, top, plan, bench)


def shared_modules(verilog: str) -> list[str]:
    """Return the modules worth compiling once, in the order of their definition.

    Those are the ones whose further places would add thousands of lines, submodules included.
    """
    texts = {
        match[1]: text
        for text in re.split(r"^(?=module )", verilog, flags=re.MULTILINE)
        if (match := re.match(r"module (\w+)", text))
    }
    places = {
        name: list(re.findall(r"^  (\w+) +\w+ \($", text, re.MULTILINE))
        for name, text in texts.items()
    }

    def lines(module: str) -> int:
        inside = sum(lines(name) for name in places[module] if name in texts)
        return texts[module].count("\n") + inside

    counts = Counter(name for inside in places.values() for name in inside)
    return [name for name in texts if (counts[name] - 1) * lines(name) > _MIN_SAVED_LINES]


def _build(folder: Path, environment: Mapping[str, str], verilog: str, top: str) -> None:
    source, blocks, build = folder / f"{top}.v", folder / "blocks.vlt", folder / "build"
    source.write_text(verilog)
    shared = shared_modules(verilog)
    lines = ["`verilator_config", *(f'hier_block -module "{module}"' for module in shared)]
    blocks.write_text("\n".join(lines) + "\n")
    hierarchical = ["--hierarchical"] if shared else []
    _tool(
        folder,
        environment,
        ["verilator", *hierarchical, *bench_arguments(top, build), str(blocks), str(source)],
    )
    # After Verilator and with new times: make takes what is older than its makefile for stale.
    runtime = runtime_folder()
    kept = [runtime / name for name in _RUNTIME]
    if all(file.exists() for file in kept):
        for file in kept:
            shutil.copyfile(file, build / file.name)
    makefile = "Vtop_hier.mk" if shared else "Vtop.mk"
    _tool(folder, environment, ["make", "-j2", "-C", str(build), "-f", makefile])
    for file in kept:
        # Renamed into place: another process may be looking.
        partial = file.with_suffix(f".{os.getpid()}")
        shutil.copy2(build / file.name, partial)
        partial.replace(file)


def _tool(folder: Path, environment: Mapping[str, str], command: Sequence[str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ToolError(f"{command[0]} failed: {_tail(done.stdout)}")


def _run(
    folder: Path, environment: Mapping[str, str], top: str, plan: Mapping[str, Any], bench: str
) -> Any:
    # Imported here: the package is an extra, and check_tools has said so if it is missing.
    from cocotb_tools.check_results import get_results  # noqa: PLC0415
    from cocotb_tools.runner import get_runner  # noqa: PLC0415

    # On its own, the bench starts without importing all that this package does.
    modules = folder / "modules"
    modules.mkdir()
    shutil.copy(Path(__file__).with_name(f"{bench}.py"), modules)
    plan_file, record, log = (folder / name for name in ("plan.json", "record.json", "log.txt"))
    plan_file.write_text(json.dumps(plan))
    with _changed_process(environment, modules), contextlib.redirect_stdout(io.StringIO()):
        try:
            results = get_runner("verilator").test(
                test_module=bench,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=folder / "build",
                extra_env={"BITWEIGHT_PLAN": str(plan_file), "BITWEIGHT_RECORD": str(record)},
                log_file=log,
            )
        except (SystemExit, RuntimeError) as error:
            raise ToolError(f"simulation of {top} failed: {_tail(log.read_text())}") from error
    if get_results(results)[1]:
        raise ToolError(f"bench failed on {top}: {_tail(log.read_text())}")
    return json.loads(record.read_text())


@contextlib.contextmanager
def _changed_process(environment: Mapping[str, str], modules: Path) -> Iterator[None]:
    """Let cocotb, which hands on this process's environment and path, find tools and bench."""
    before, path = dict(os.environ), list(sys.path)
    os.environ.update(environment)
    sys.path.insert(0, str(modules))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.path[:] = path


def _tail(log: str) -> str:
    return " | ".join(line.strip() for line in log.strip().splitlines()[-_LOG_LINES:])

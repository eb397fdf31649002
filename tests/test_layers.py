"""Folders are layers: who may import whom, read off the source of every module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bitweight

ROOT = Path(bitweight.__file__).parent

# What each layer may import, besides itself. Written out, not computed: this is the rule.
BELOW = {
    "workloads": set(),
    "sim": {"workloads"},
    "rtl": {"workloads", "sim"},
    "cost_models": {"workloads", "sim"},
    "verify": {"workloads", "sim", "rtl", "cost_models"},
    "reports": {"workloads", "sim", "rtl", "cost_models", "verify"},
    "cli": {"workloads", "sim", "rtl", "cost_models", "verify", "reports"},
}
# Two independent ways to an answer must not share code: (who, must not import).
APART = [
    ("bitweight.sim", "bitweight.workloads.quantize"),
    ("bitweight.rtl", "bitweight.sim.kernels"),
]
# The models themselves; RTL takes specs, formats and plans.
MODEL_FUNCTIONS = {"simulate", "step", "run", "resolve", "accumulate"}
NAMELESS_FILES = {"utils.py", "util.py", "helpers.py", "common.py", "base.py", "misc.py"}
MAX_LINES = 500


def modules(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of the package in ``root`` with its dotted module name."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        yield path, ".".join(part for part in parts if part != "__init__")


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted name of everything imported, anywhere in a module; relative ones as '.'."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names)


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def faults_of_import(module: str, name: str) -> Iterator[str]:
    top, _, rest = name.partition(".")
    layer = module.partition(".")[2].partition(".")[0]
    target = rest.partition(".")[0]
    if not top:
        yield "relative import"
    elif top in BELOW:
        yield f"imports {name} through a link at the root"
    elif top == "bitweight" and target in BELOW:
        if target != layer and target not in BELOW.get(layer, set()):
            yield f"imports {name}, which is not below {layer or 'the root'}"
        if layer == "rtl" and target == "sim" and name.rpartition(".")[2] in MODEL_FUNCTIONS:
            yield f"imports {name}: RTL takes specs, never the model it is judged against"
    for who, other in APART:
        if is_in(module, who) and is_in(name, other):
            yield f"imports {name}, from which {who} is kept apart"


def faults(root: Path) -> list[str]:
    """Return one line for each broken rule in the package at ``root``."""
    found = []
    for path, module in modules(root):
        text = path.read_text()
        own = [
            fault for name in imports(ast.parse(text)) for fault in faults_of_import(module, name)
        ]
        if path.name in NAMELESS_FILES:
            own.append(f"{path.name} names no idea")
        if len(text.splitlines()) > MAX_LINES:
            own.append(f"longer than {MAX_LINES} lines")
        layer = module.partition(".")[2].partition(".")[0]
        if layer and layer not in BELOW:
            own.append(f"{layer} is no layer")
        found += [f"{module}: {fault}" for fault in own]
    return found


def test_no_module_breaks_a_rule() -> None:
    assert len(list(modules(ROOT))) > 10
    assert faults(ROOT) == []


@pytest.mark.parametrize(
    ("file", "source", "fault"),
    [
        ("workloads/trace.py", "from bitweight.sim import DESIGNS", "which is not below workloads"),
        ("sim/a.py", "import bitweight.rtl.pe", "which is not below sim"),
        ("rtl/a.py", "from bitweight.cost_models import estimate", "which is not below rtl"),
        ("cost_models/a.py", "from bitweight import rtl", "which is not below cost_models"),
        ("verify/a.py", "from bitweight.cli.app import main", "which is not below verify"),
        ("a.py", "from bitweight.sim import DESIGNS", "a is no layer"),
        ("__init__.py", "import bitweight.sim", "which is not below the root"),
        ("sim/a.py", "def f():\n    from bitweight.cli import app", "which is not below sim"),
        ("sim/a.py", "from . import b", "relative import"),
        ("sim/a.py", "from ..workloads import Gemm", "relative import"),
        ("sim/a.py", "from workloads import Gemm", "through a link at the root"),
        ("sim/a.py", "import sim.catalog", "through a link at the root"),
        (
            "sim/decoders/nf.py",
            "from bitweight.workloads.quantize.nf import LEVELS",
            "from which bitweight.sim is kept apart",
        ),
        ("rtl/a.py", "from bitweight.sim.kernels.x import y", "bitweight.rtl is kept apart"),
        ("rtl/a.py", "from bitweight.sim.pe.mac import step", "never the model"),
        ("sim/utils.py", "", "utils.py names no idea"),
        ("sim/a.py", "x = 1\n" * 501, "longer than 500 lines"),
        ("tools/a.py", "", "tools is no layer"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, file: str, source: str, fault: str) -> None:
    path = tmp_path / "bitweight" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    assert [line for line in faults(tmp_path / "bitweight") if fault in line]


def test_what_the_rules_allow_is_not_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "bitweight" / "verify" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import ast\n"
        "import numpy as np\n"
        "from bitweight import __version__\n"
        "from bitweight.rtl import emit\n"
        "from bitweight.sim import simulate\n"
        "from bitweight.verify.bench import Bench\n"
        "from simulator import x\n"
    )
    assert faults(tmp_path / "bitweight") == []


@pytest.mark.parametrize(
    ("layer", "missing"),
    [("sim", "amaranth"), ("rtl", "cocotb"), ("cli", "cocotb"), ("cli", "gguf")],
)
def test_a_layer_imports_without_what_it_does_not_need(layer: str, missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import bitweight.{layer}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

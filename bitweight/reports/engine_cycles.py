"""Every engine on four GEMMs of language models: cycles and utilisation, as a page of the docs.

Run as a program it writes the page: ``python -m bitweight.reports.engine_cycles docs/cycles.md``.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from bitweight.sim import ENGINES, LayerResult, layers
from bitweight.sim.spec import EngineSpec
from bitweight.workloads import Gemm
from bitweight.workloads.models import model_gemms
from bitweight.workloads.operands import Distribution
from bitweight.workloads.whole_files import write_whole

OPERANDS = Distribution(std=20.0)
SEED = 0

_CASES = (
    ("smollm2-135m", "attn_q", "prefill"),
    ("smollm2-135m", "ffn_down", "decode"),
    ("llama-2-7b", "attn_q", "decode"),
    ("llama-2-7b", "ffn_gate", "prefill"),
)
_TOKENS = 128

_HEAD = f"""# Cycles of every engine

Each design of the catalog at its default size, on four GEMMs of language models: cycles and, below,
utilisation (m n k / (cycles x peak MACs per clock)). The engines have different sizes, so compare
utilisation across rows and cycles within one. Digit-skipping engines count one digit slot per lane
and clock as their peak, so theirs compares digits issued with slots. Operands are drawn, int8,
`{OPERANDS}`, seed {SEED}; the first operand streams. m x k x n; prefill of {_TOKENS} tokens.

This page is made by `make docs`; a test makes it again and compares.

"""


def gemms() -> list[tuple[str, Gemm]]:
    """Return the four GEMMs, each with its title."""
    found = []
    for model, kind, phase in _CASES:
        shapes = model_gemms(model, phase=phase, tokens=_TOKENS)
        gemm = next(shape for shape in shapes if shape.name == kind)
        found.append((f"{model} {kind}, {phase}", gemm))
    return found


def page(designs: Iterable[EngineSpec], on_done: Callable[[str], None] = lambda _name: None) -> str:
    """Return the page in Markdown for ``designs``; ``on_done`` is told each finished one."""
    titles = [f"{title}<br>{gemm.m} x {gemm.k} x {gemm.n}" for title, gemm in gemms()]
    lines = [f"| design | {' | '.join(titles)} |", f"| --- |{' ---: |' * len(titles)}"]
    for spec in designs:
        cells = [_cell(spec, gemm) for _, gemm in gemms()]
        lines.append(f"| `{spec.name}` | {' | '.join(cells)} |")
        on_done(spec.name)
    return _HEAD + "\n".join(lines) + "\n"


def _cell(spec: EngineSpec, gemm: Gemm) -> str:
    operands = OPERANDS if spec.data_dependent else None
    result = layers.run_gemm(spec, gemm, operands=operands, seed=SEED)
    return f"{result.cycles:,}<br>{_share(spec, result):.1%}"


def _share(spec: EngineSpec, result: LayerResult) -> float:
    """Return utilisation, or for digit engines the digit slots that issued a digit."""
    if not spec.data_dependent:
        return result.utilisation
    activity = result.activity
    return activity.digits / (activity.digits + activity.idle_slots)


def main() -> None:
    """Write the page to the file named on the command line."""
    write_whole(Path(sys.argv[1]), page(ENGINES.values(), on_done=_tell).encode())


def _tell(name: str) -> None:
    sys.stderr.write(f"{name}\n")


if __name__ == "__main__":
    main()

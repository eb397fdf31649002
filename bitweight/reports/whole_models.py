"""Whole models on the engines and formats that are compared, as a page of the docs.

Run as a program it writes the page: ``python -m bitweight.reports.whole_models FILE``.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from bitweight.cost_models import TECHNOLOGIES
from bitweight.cost_models.composition import CALIBRATED_IN
from bitweight.cost_models.layer_time import estimated_energy
from bitweight.cost_models.measurements import shipped
from bitweight.cost_models.model_cost import (
    ModelCost,
    ModelRun,
    compare_models,
    total_energy_pj,
    total_time_us,
)
from bitweight.cost_models.system import System
from bitweight.workloads.phase import Phase
from bitweight.workloads.whole_files import write_whole

MODELS = ("smollm2-135m", "llama-3-8b")
CLOCK_MHZ = 200.0

COLUMNS = (
    *("phase", "design", "format", "linear ms", "limit", "linear mJ", "DRAM mJ"),
    *("attention ms", "attention mJ", "energy known as"),
)
"""Titles of ``row``: times and energies of layers with weights, then of products of activations."""

_HEAD = """# Whole models, side by side

What a token (decode) and a prompt of 512 tokens (prefill) cost on four engines with weights in four
formats, and on the engines that two formats have of their own, in {technology} at {clock:g} MHz
with {dram}. `bitweight cost --model MODEL` prints a table of this page.

- *linear*: layers with weights, of which the DRAM takes *DRAM mJ*. *attention*: products of
  activations, on the same engine with int8 keys and values; narrower engines have no place for
  them (-). *limit*: what sets the pace for most of the time of the linear layers.
- MACs are the structure that takes less energy. *energy known as* is the worst of its parts:
  engines are measured, memories published or scaled. Codes of activations are drawn like those of
  SmolLM2's layer of the same kind; for Llama-3-8B that is `assumed`, and marked so for engines
  whose cycles depend on them.
- Engines have the size of their catalog entry: times compare them as they stand, not at equal area.

{tables}"""


def page() -> str:
    """Return the page in Markdown."""
    energy = estimated_energy(shipped(CALIBRATED_IN), CLOCK_MHZ)
    tables = []
    for model in MODELS:
        found = compare_models(
            [ModelRun(model=model, phase=phase) for phase in Phase],
            technology=CALIBRATED_IN,
            clock_mhz=CLOCK_MHZ,
            array_energy=energy,
        )
        tables.append(_table(model, found))
    return _HEAD.format(
        technology=TECHNOLOGIES[CALIBRATED_IN],
        clock=CLOCK_MHZ,
        dram=System().dram.name,
        tables="\n".join(tables),
    )


def _table(model: str, found: Iterable[ModelCost]) -> str:
    lines = [
        f"## {model}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |",
        *(f"| {' | '.join(row(cost))} |" for cost in found),
    ]
    return "\n".join(lines) + "\n"


def row(cost: ModelCost) -> list[str]:
    """Return what a model costs on an engine, as the cells of ``COLUMNS``."""
    energy = cost.linear_energy_pj
    attention = total_energy_pj(cost.attention).total
    return [
        str(cost.run.phase),
        cost.design,
        cost.format,
        number(cost.linear_time_us / 1e3),
        str(cost.limit),
        number(energy.total / 1e9),
        number(energy.parts["dram"] / 1e9),
        number(total_time_us(cost.attention) / 1e3) if cost.attention else "-",
        number(attention / 1e9) if cost.attention else "-",
        str(energy.provenance),
    ]


def number(value: float) -> str:
    """Return four digits of a number, or all before the point."""
    return f"{value:.4g}" if value < 10_000 else f"{value:.0f}"


def main() -> None:
    """Write the page to the file named on the command line."""
    write_whole(Path(sys.argv[1]), page().encode())


if __name__ == "__main__":
    main()

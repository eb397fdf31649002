"""``bitweight simulate``: bits, cycles and utilisation of a design on a workload."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from bitweight.cli.layer_results import print_results, print_results_json
from bitweight.cli.options import Design, Json, Settings
from bitweight.cli.output import fail, progress
from bitweight.cli.workload import DrawnGemm, Job, WorkloadOptions, check_fit, find_jobs, run_job
from bitweight.sim import LayerResult, design, layers
from bitweight.sim.spec import DesignSpec
from bitweight.workloads import Layer
from bitweight.workloads.phase import Phase
from bitweight.workloads.tensors import tensors_to_bytes
from bitweight.workloads.whole_files import check_writable, write_whole


def simulate(
    name: Design,
    *,
    trace: Annotated[Path | None, typer.Option(help="Trace file; default: an example.")] = None,
    gguf: Annotated[Path | None, typer.Option(help="GGUF file, with its own codes.")] = None,
    model: Annotated[str | None, typer.Option(help="Model preset, see `list models`.")] = None,
    gemm: Annotated[str | None, typer.Option(help="Sizes MxKxN.")] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer of a trace or GGUF file; repeat; else all.")
    ] = None,
    operands: Annotated[
        str | None,
        typer.Option(
            help="How operands (a GGUF file's activations) are drawn: uniform or normal:STD; none "
            "counts cycles only. Default: normal:20, with --model none."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of drawn operands; default: 0.", min=0)
    ] = None,
    binding: Annotated[
        layers.Binding, typer.Option(help="Which side streams as a.")
    ] = layers.Binding.X,
    phase: Annotated[
        Phase | None, typer.Option(help="Step of a model or GGUF file; default: prefill.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="Prompt length of a prefill; default: 512.", min=1)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Sequences computed together; default: 1.", min=1)
    ] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens that a model attends to.", min=1)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Safetensors file for the accumulators, LAYER.acc, or for packed weights the sums "
            "of planes and groups, LAYER.partials.",
        ),
    ] = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Run layers through a design; exits 1 if accumulators differ from a trace's golden ones."""
    spec = design(name, settings or ())
    options = WorkloadOptions(
        trace=trace,
        gguf=gguf,
        model=model,
        gemm=gemm,
        layer=tuple(layer or ()),
        operands=operands,
        seed=seed,
        phase=phase,
        tokens=tokens,
        batch=batch,
        context=context,
    )
    results, faults = _run_all(spec, options, binding, out)
    if out is not None:
        _write(out, spec, results)
    (print_results_json if json else print_results)(spec.name, results)
    if faults:
        fail(faults)


def _run_all(
    spec: DesignSpec, options: WorkloadOptions, binding: str, out: Path | None
) -> tuple[list[LayerResult], list[str]]:
    """Return each layer's result, with accumulators if ``out`` wants them, and what is wrong."""
    results: list[LayerResult] = []
    faults: list[str] = []
    with progress("simulate") as advance:
        jobs = find_jobs(spec, options)
        _check(spec, jobs, out)
        for done, job in enumerate(jobs, 1):
            result = run_job(spec, job, binding)
            faults += _faults(job, result)
            # A whole model's accumulators would fill the memory.
            results.append(replace(result, acc=None, partials=None) if out is None else result)
            advance(done, len(jobs))
    return results, faults


def _check(spec: DesignSpec, jobs: list[Job], out: Path | None) -> None:
    for job in jobs:
        check_fit(spec, job)
    if out is None:
        return
    if any(isinstance(job, DrawnGemm) and job.operands is None for job in jobs):
        raise ValueError("--out must come with operands, for example --operands normal:20")
    check_writable(out)


def _faults(job: Job, result: LayerResult) -> list[str]:
    golden = job.golden if isinstance(job, Layer) and result.wrong else None
    if golden is None or result.acc is None:
        return []
    where = tuple(np.argwhere(golden != result.acc)[0].tolist())
    return [
        f"{result.name}: {result.wrong} of {golden.size} accumulators differ from the golden ones, "
        f"first at {where}: {result.acc[where]}, golden {golden[where]}"
    ]


def _write(out: Path, spec: DesignSpec, results: list[LayerResult]) -> None:
    tensors = {
        f"{result.name}.{part}": array
        for result in results
        for part, array in (("acc", result.acc), ("partials", result.partials))
        if array is not None
    }
    write_whole(out, tensors_to_bytes(tensors, "accumulators", {"spec": repr(spec)}))

"""Simulated MACs per second of each engine's model, and its ratio to Verilator on the same GEMM."""

import resource
import time
from typing import Any

import numpy as np
import pytest

from bitweight.sim import DATAPATHS, DESIGNS, simulate
from bitweight.sim.datapath import draw
from bitweight.verify import Work, check_engine

SIZE = 48
BYTES = 2 << 30


def operands(name: str, spec: Any, m: int, size: int) -> tuple[Any, Any]:
    """Return a drawn GEMM of about m x size x size, its weights packed if the engine wants that."""
    rng = np.random.default_rng(0)
    if name not in DATAPATHS:
        return rng.integers(-128, 128, (m, size), np.int8), rng.integers(
            -128, 128, (size, size), np.int8
        )
    k, n = (-(-size // step) * step for step in (spec.k_multiple, spec.n_multiple))
    return rng.integers(-127, 128, (m, k), np.int8), draw(spec.pe, rng, k=k, n=n)


@pytest.mark.bench
@pytest.mark.parametrize("name", DESIGNS)
def test_the_model_is_faster_than_verilator(name: str) -> None:
    spec: Any = DESIGNS[name].small
    work = Work("speed", *operands(name, spec, SIZE, SIZE))
    outcome, _ = check_engine(spec, [work])
    assert not outcome.fault
    simulate(spec, work.a, work.b)  # compiles kernels
    start = time.perf_counter()
    simulate(spec, work.a, work.b)
    model_seconds = time.perf_counter() - start
    m, n, k = work.sizes
    print(  # noqa: T201 - the figures are what this is for
        f"\n{name}: model {m * n * k / model_seconds:.3g} MAC/s, "
        f"Verilator {m * n * k / outcome.seconds:.3g} MAC/s, "
        f"ratio {outcome.seconds / model_seconds:.0f}"
    )
    assert model_seconds < outcome.seconds


@pytest.mark.bench
@pytest.mark.parametrize("name", DESIGNS)
def test_a_llama_sized_gemm_takes_under_ten_seconds_and_two_gigabytes(name: str) -> None:
    spec: Any = DESIGNS[name]
    a, b = operands(name, spec, 512, 4096)
    start = time.perf_counter()
    result = simulate(spec, a, b)
    seconds = time.perf_counter() - start
    # Of the whole process until now, so of every engine before it too.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"\n{name}: 512x4096x4096 in {seconds:.2f} s, {peak / 2**30:.2f} GiB so far")  # noqa: T201
    assert result.cycles > 0
    assert result.activity.macs >= 512 * 4096 * 4096
    assert seconds < 10
    # Sums of packed weights alone can be more: planes x groups of them for every output.
    assert name in DATAPATHS or peak < BYTES

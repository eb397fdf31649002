"""Simulated MACs per second of each engine's model, and its ratio to Verilator on the same GEMM."""

import time

import numpy as np
import pytest

from bitweight.sim import DESIGNS, simulate
from bitweight.verify import Work, check_engine

SIZE = 48


@pytest.mark.bench
@pytest.mark.parametrize("name", DESIGNS)
def test_the_model_is_faster_than_verilator(name: str) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, (SIZE, SIZE), dtype=np.int8) for _ in range(2))
    spec = DESIGNS[name].small
    outcome, _ = check_engine(spec, [Work("speed", a, b)])
    assert not outcome.fault
    simulate(spec, a, b)  # compiles kernels
    start = time.perf_counter()
    simulate(spec, a, b)
    model_seconds = time.perf_counter() - start
    macs = SIZE**3
    print(  # noqa: T201 - the figures are what this is for
        f"\n{name}: model {macs / model_seconds:.3g} MAC/s, "
        f"Verilator {macs / outcome.seconds:.3g} MAC/s, "
        f"ratio {outcome.seconds / model_seconds:.0f}"
    )
    assert model_seconds < outcome.seconds


@pytest.mark.bench
@pytest.mark.parametrize("name", DESIGNS)
def test_a_llama_sized_gemm_takes_under_ten_seconds(name: str) -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-128, 128, (512, 4096), dtype=np.int8)
    b = rng.integers(-128, 128, (4096, 4096), dtype=np.int8)
    start = time.perf_counter()
    result = simulate(DESIGNS[name], a, b)
    seconds = time.perf_counter() - start
    print(f"\n{name}: 512x4096x4096 in {seconds:.2f} s")  # noqa: T201 - the figure
    assert result.cycles > 0
    assert result.activity.macs == 512 * 4096 * 4096
    assert seconds < 10

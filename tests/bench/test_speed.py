"""Times and sizes that the README promises. Run alone: ``make bench``."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from bitweight.rtl import emit
from bitweight.sim import DESIGNS, cycles
from bitweight.sim.kernels.matmul import matmul

pytestmark = pytest.mark.bench

BITWEIGHT = Path(sys.executable).parent / "bitweight"


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def show(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(f"\n{line}", end="")  # noqa: T201 - the measured numbers are the point


def test_the_kernel_takes_at_most_twice_the_time_of_a_float32_product(
    capsys: pytest.CaptureFixture[str],
) -> None:
    size = 1024
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, (size, size), np.int8) for _ in range(2))
    x, y = a.astype(np.float32), b.astype(np.float32)
    calls: list[Callable[[], object]] = [lambda: matmul(a, b), lambda: x @ y]
    for call in calls:
        call()
    # In turns, so that whatever else the machine does slows both.
    pairs = [[seconds(call) for call in calls] for _ in range(15)]
    ours, theirs = (median(column) for column in zip(*pairs, strict=True))
    show(capsys, f"1024^3 int8: {ours * 1e3:.1f} ms, float32 BLAS {theirs * 1e3:.1f} ms")
    assert ours <= 2 * theirs


@pytest.mark.parametrize("name", [name for name in DESIGNS if not DESIGNS[name].data_dependent])
def test_cycles_of_a_large_layer_take_under_a_tenth_of_a_second(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec: Any = DESIGNS[name]
    if hasattr(spec, "cols"):
        spec = replace(spec, rows=32, cols=32)
    # Packed formats want whole blocks.
    step = getattr(spec, "k_multiple", 1)
    for k, n in ((4096 // step * step, 11008), (11008 // step * step, 4096)):
        took = seconds(partial(cycles, spec, m=2048, n=n, k=k))
        show(capsys, f"cycles of {name}, 2048x{k}x{n}: {took * 1e6:.0f} us")
        assert took < 0.1


# Runs a command and prints the peak memory of it alone, in KiB.
MEASURE = (
    "import resource, subprocess, sys\n"
    "code = subprocess.call(sys.argv[1:], stdout=sys.stderr)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    "sys.exit(code)\n"
)


@pytest.mark.parametrize("gemm", ["2048x4096x11008", "2048x11008x4096"])
def test_a_llama_2_layer_is_simulated_in_ten_seconds_and_two_gigabytes(
    gemm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--set", "rows=32", "--set", "cols=32", "--gemm", gemm, "--json"]
    command = [str(BITWEIGHT), "simulate", "systolic_os/carry_save", *sizes]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True
    )
    took = time.perf_counter() - start
    gigabytes = int(done.stdout) * 1024 / 1e9
    show(capsys, f"simulate {gemm}: {took:.1f} s, {gigabytes:.2f} GB")
    (layer,) = json.loads(done.stderr[done.stderr.index("{") :])["layers"]
    m, k, n = (int(size) for size in gemm.split("x"))
    # No ragged tile: each takes k + 32 + 32, then one edge for cmd and two to drain.
    assert layer["cycles"] == 1 + (m // 32) * (n // 32) * (k + 64) + 2
    assert took < 10
    assert gigabytes < 2


@pytest.mark.parametrize(("side", "limit_s"), [(16, 10), (32, 20)])
def test_a_carry_save_array_is_emitted_in_time(
    side: int, limit_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    spec: Any = replace(DESIGNS["systolic_os/carry_save"], rows=side, cols=side)
    texts: list[str] = []
    took = seconds(lambda: texts.append(emit(spec)))
    show(capsys, f"emit {side}x{side}: {took:.1f} s, {len(texts[0]) / 1e6:.2f} MB")
    assert took < limit_s

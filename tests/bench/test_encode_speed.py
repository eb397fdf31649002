"""Time and memory of encoders. Run alone: ``make bench``."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.bench

ENCODE = """
import resource, sys, time
import numpy as np
from bitweight.workloads import FORMATS
from bitweight.workloads.quantize import encode
w = np.random.default_rng(0).normal(0, 0.02, (576, 576))
start = time.perf_counter()
encode(FORMATS[sys.argv[1]], w)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("name", ["seedlm4", "seedlm3"])
def test_all_seeds_are_searched_in_a_minute_and_two_gigabytes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENCODE, name], capture_output=True, text=True, check=True
    )
    took, kibibytes = (float(word) for word in done.stdout.split())
    gigabytes = kibibytes * 1024 / 1e9
    with capsys.disabled():
        print(f"\n{name} 576x576: {took:.1f} s, {gigabytes:.2f} GB", end="")  # noqa: T201 - measured
    assert took < 60
    assert gigabytes < 2

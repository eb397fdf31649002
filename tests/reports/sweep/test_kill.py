"""A sweep in several processes, killed with SIGKILL wherever it is, and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitweight.reports.sweep.journal import journal_path

PROGRAM = Path(__file__).parents[2] / "sweep_of_made_up_costs.py"
SPACE = """
technologies = ["sg13g2", "asap7"]
clocks_mhz = [50, 100, 150, 200, 250]
[[designs]]
names = ["systolic_os/mac", "systolic_os/carry_save", "bit_slice/laconic"]
[[layers]]
trace = "example"
"""
POINTS = 2 * 5 * 3 * 4


def start(space: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start a sweep in two processes, all in a group of their own."""
    command = [sys.executable, str(PROGRAM), str(space), str(out), "2"]
    paths = os.pathsep.join([str(PROGRAM.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command, start_new_session=True, env={**os.environ, "PYTHONPATH": paths}
    )


def wait_for_rows(out: Path, count: int, sweep: subprocess.Popen[bytes]) -> None:
    """Wait until the journal holds so many rows; fail if the sweep ends before."""
    journal = journal_path(out)
    while not journal.exists() or journal.read_bytes().count(b"\n") < count + 1:
        assert sweep.poll() is None, "the sweep ended before it could be killed"
        time.sleep(0.002)


def is_gone(group: int) -> bool:
    """Tell whether no process of a group is left, after at most ten seconds."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_killed_sweep_loses_and_repeats_nothing(tmp_path: Path) -> None:
    space, whole, out = (tmp_path / name for name in ("space.toml", "whole.csv", "out.csv"))
    space.write_text(SPACE)
    assert start(space, whole).wait(timeout=300) == 0
    done = 0
    for rows in (1, 25, 60):
        sweep = start(space, out)
        wait_for_rows(out, max(rows, done + 1), sweep)
        sweep.send_signal(signal.SIGKILL)
        sweep.wait(timeout=60)
        assert is_gone(sweep.pid), "workers must end with the process that started them"
        assert not out.exists()
        lines = journal_path(out).read_bytes().split(b"\n")[1:-1]
        keys = [line.split(b",")[0] for line in lines]
        assert len(set(keys)) == len(keys), "no point twice"
        assert len(keys) >= done
        done = len(keys)
    assert done < POINTS
    assert start(space, out).wait(timeout=300) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert out.read_bytes().count(b"\n") == POINTS + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.csv",
        "space.toml",
        "whole.csv",
    ]

"""Run a space in parallel processes; resumable, and the same bytes however often it was stopped.

Workers compute, one job each at a time; the parent alone writes, a row as soon as it is there. The
final file has the rows in the order of the space.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from bitweight.cost_models import Cost, Provenance, estimate
from bitweight.cost_models.layer_time import Limit, buffers_us
from bitweight.cost_models.system import System
from bitweight.cost_models.traffic import traffic
from bitweight.reports.sweep.journal import appending, finish, recover
from bitweight.reports.sweep.points import Job, expand
from bitweight.reports.sweep.row import Row
from bitweight.reports.sweep.space import Space
from bitweight.sim import LayerResult
from bitweight.workloads.whole_files import check_writable

OnDone = Callable[[int, int], None]
_WORST_LAST = tuple(Provenance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a sweep found.

    Attributes:
        rows: A row for each point, in the order of the space.
        computed: Points that this run computed; the others were there from earlier ones.
    """

    rows: tuple[Row, ...]
    computed: int


def run(
    space: Space,
    out: Path,
    *,
    processes: int | None = None,
    on_done: OnDone = lambda _done, _total: None,
) -> Sweep:
    """Compute the points of a space that ``out`` and its journal do not hold, and write ``out``.

    Args:
        space: The space.
        out: CSV file; what an earlier run left of the same points is kept.
        processes: Workers; None for as many as there are cores.
        on_done: Called with the points done and all points.

    Raises:
        ValueError: If a point cannot be, unless the space wants rows of these.
        OSError: If a file cannot be read or written.
    """
    check_writable(out)
    jobs = expand(space)
    known = recover(out)
    wanted = [row for job in jobs for row in job.points]
    missing = list(_missing(jobs, known))
    left = sum(len(job.points) for job in missing)
    if missing:
        found = {row.point: row for row in wanted if row.point in known}
        on_done(len(found), len(wanted))
        with appending(out) as journal:
            for row in _compute(missing, processes or os.cpu_count() or 1):
                journal.append(row)
                known[row.point] = row
                found[row.point] = row
                on_done(len(found), len(wanted))
    rows = tuple(row if row.refused else known[row.point] for row in wanted)
    finish(out, rows)
    return Sweep(rows=rows, computed=left)


def _missing(jobs: Iterable[Job], known: Mapping[str, Row]) -> Iterator[Job]:
    for job in jobs:
        points = tuple(row for row in job.points if not row.refused and row.point not in known)
        if points:
            yield replace(job, points=points)


def _compute(jobs: list[Job], processes: int) -> Iterator[Row]:
    if processes == 1:
        for job in jobs:
            yield from run_job(job)
        return
    # Fresh processes: forking one that shows a progress bar would copy its threads' locks.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(jobs))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
        try:
            for future in as_completed([pool.submit(run_job, job) for job in jobs]):
                yield from future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Let a worker end with its parent: one that is killed cannot tell its workers to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has one"

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_job(job: Job) -> list[Row]:
    """Return the rows of a job's points, with their figures."""
    assert job.variant.spec is not None, "else its points were refused"
    result = job.layer.run(job.variant.spec, job.variant.weights)
    rows = []
    for point in job.points:
        cost = estimate(
            job.variant.spec,
            point.technology,
            clock_mhz=point.clock_mhz,
            activity=result.activity,
        )
        rows.append(_row(point, job, result, cost))
    return rows


def _row(point: Row, job: Job, result: LayerResult, cost: Cost) -> Row:
    spec: Any = job.variant.spec
    assert cost.energy_pj is not None, "activity was given"
    system = System()
    moved = traffic(spec, job.layer.gemm, system)
    times_us = {
        Limit.ARRAY: result.cycles / point.clock_mhz,
        Limit.BUFFERS: buffers_us(moved, system, point.clock_mhz),
        Limit.DRAM: system.dram.time_us(moved.dram_bytes),
    }
    limiting = max(times_us, key=lambda limit: times_us[limit])
    known = (cost.area_um2.provenance, cost.memory_um2.provenance, cost.energy_pj.provenance)
    return replace(
        point,
        cycles=result.cycles,
        utilisation=result.utilisation,
        delay_ns=cost.delay_ns,
        area_um2=cost.area_um2.total,
        memory_um2=cost.memory_um2.total,
        energy_pj=cost.energy_pj.total,
        energy_pj_per_mac=cost.energy_pj_per_mac,
        array_us=times_us[Limit.ARRAY],
        buffers_us=times_us[Limit.BUFFERS],
        dram_bytes=moved.dram_bytes,
        dram_us=times_us[Limit.DRAM],
        time_us=times_us[limiting],
        limiting=str(limiting),
        provenance=max(known, key=_WORST_LAST.index),
    )

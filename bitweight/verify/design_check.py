"""Runs the checks of one or more designs, two at a time, each in a process of its own."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from bitweight.sim.spec import DesignSpec
from bitweight.verify.engine_check import Outcome, check_engine
from bitweight.verify.plan import Check, plan_checks
from bitweight.verify.toolchain import check_tools

_MAX_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One check and what it found.

    Attributes:
        design: Name of the design.
        label: The check's label.
        outcomes: One per GEMM, without stalls and then with.
    """

    design: str
    label: str
    outcomes: tuple[Outcome, ...]

    @property
    def faults(self) -> list[Outcome]:
        """Outcomes that differ from the model."""
        return [outcome for outcome in self.outcomes if outcome.fault]


def check_designs(
    specs: Sequence[DesignSpec],
    *,
    seed: int = 0,
    on_done: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[CheckReport]:
    """Check designs against their emitted Verilog.

    Args:
        specs: Engines.
        seed: Seed of drawn sizes, operands and stalls.
        on_done: Called with the number of finished checks and of all.

    Returns:
        One report per check, in order.

    Raises:
        ToolError: If a tool is missing or fails.
    """
    check_tools()
    checks = [check for spec in specs for check in plan_checks(spec, seed=seed)]
    reports: dict[int, CheckReport] = {}
    # Spawned, not forked: the parent may hold BLAS and progress-bar threads.
    context = multiprocessing.get_context("spawn")
    workers = min(_MAX_WORKERS, os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {pool.submit(_run_check, check): number for number, check in enumerate(checks)}
        for future in as_completed(futures):
            reports[futures[future]] = future.result()
            on_done(len(reports), len(checks))
    return [reports[number] for number in range(len(checks))]


def _run_check(check: Check) -> CheckReport:
    outcomes = check_engine(check.spec, check.works, seed=check.seed)
    return CheckReport(design=check.spec.name, label=check.label, outcomes=tuple(outcomes))

"""A program for the test that kills it: sweeps a space whose costs are made up.

Worker processes import it too, so they have the same costs.
"""

import sys
from pathlib import Path

from made_up_data import made_up

from bitweight.cost_models import Cost, estimate
from bitweight.cost_models.measurements import Measurements
from bitweight.reports.sweep import points, read_space, run, runner
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec


def measured(technology: str) -> Measurements:
    return made_up(technology)


def cost(
    spec: DesignSpec, technology: str, *, clock_mhz: float, activity: Activity | None = None
) -> Cost:
    return estimate(spec, measured(technology), clock_mhz=clock_mhz, activity=activity)


points.estimate = cost  # type: ignore[attr-defined]  # where it is looked up
runner.estimate = cost  # type: ignore[attr-defined]  # as above
points.shipped = measured  # type: ignore[attr-defined,assignment]  # as above

if __name__ == "__main__":
    run(read_space(Path(sys.argv[1])), Path(sys.argv[2]), processes=int(sys.argv[3]))

"""Many designs on many layers: a space of points, computed in parallel, resumable."""

from bitweight.reports.sweep.row import Row
from bitweight.reports.sweep.runner import Sweep, run
from bitweight.reports.sweep.space import Space, example_space, read_space
from bitweight.reports.sweep.totals import Total, fronts, totals

__all__ = [
    "Row",
    "Space",
    "Sweep",
    "Total",
    "example_space",
    "fronts",
    "read_space",
    "run",
    "totals",
]

"""A small study with made-up costs, for tests of its page."""

import numpy as np
from made_up_data import made_up

from bitweight.reports.comparison.operating import Run
from bitweight.reports.comparison.page import Page
from bitweight.reports.comparison.study import Study
from bitweight.reports.weight_formats import compare
from bitweight.sim import design, layers
from bitweight.workloads import FORMATS, Layer

_RNG = np.random.default_rng(6)
_LAYERS = tuple(
    Layer.from_arrays(name, _RNG.integers(-90, 90, (8, 64)), _RNG.integers(-90, 90, (64, 16)))
    for name in ("first", "second")
)
_DESIGNS = ("systolic_os/mac", "systolic_os/carry_save", "column/grouped", "bit_slice/laconic")


def _run(name: str) -> Run:
    spec = design(name)
    return Run(design=name, spec=spec, layers=tuple(layers.run(spec, one) for one in _LAYERS))


STUDY = Study(
    runs=tuple(map(_run, _DESIGNS)),
    data=(
        made_up("sg13g2"),
        made_up("asap7", 0.01, [*_DESIGNS[:3], "pe:mac", "pe:carry_save"]),
    ),
    formats=tuple(compare(_LAYERS[0], [FORMATS[name] for name in ("nf4", "int8")])),
    formats_layer="first",
    workload="two layers of nothing",
    command="bitweight compare systolic_os/mac --technology sg13g2 -o page",
)
PAGE = Page(
    title="A page",
    lead=("A lead.",),
    left_out=("wires",),
    facts=STUDY.facts(_DESIGNS, []),
)

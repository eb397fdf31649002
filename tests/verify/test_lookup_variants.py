"""Verilog of look-up datapaths against the model where the plan of ``verify`` does not go."""

import numpy as np
import pytest

from bitweight.sim.datapath import DatapathSpec, draw
from bitweight.sim.datapaths.bcq import BcqSpec
from bitweight.sim.datapaths.half_table import KeyWidth
from bitweight.sim.datapaths.shift_add import ShiftAddSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.verify import Work, check_engine
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.formats.shift_add import ShiftAdd

pytestmark = pytest.mark.slow

VARIANTS = [
    BcqSpec(format=Bcq(bits=2, group=32, offset=False), lanes=32, mu=KeyWidth.FOUR),
    BcqSpec(format=Bcq(bits=1, group=64), lanes=16),
    ShiftAddSpec(format=ShiftAdd(bits=2, terms=1, span=6), lanes=32, mu=KeyWidth.FOUR),
    ShiftAddSpec(format=ShiftAdd(bits=1, terms=1, span=30), lanes=16, max_k=200),
]


@pytest.mark.parametrize("pe", VARIANTS, ids=str)
def test_bits_and_edges_are_the_models(pe: DatapathSpec) -> None:
    spec = BlockDotSpec(pe=pe, rows=2, columns=2)
    rng = np.random.default_rng(0)
    n = 2 * spec.n_multiple if spec.n_multiple > 1 else 3
    works = []
    for m, k in ((3, 137), (2, 1), (1, 64)):
        a = rng.choice([-128, 127, *range(-5, 5)], (m, k))
        works.append(Work(f"drawn {m}x{k}x{n}", a, draw(pe, rng, k=k, n=n)))
    for outcome in check_engine(spec, works):
        assert outcome.fault == ""
        assert outcome.edges == outcome.cycles or outcome.stalls

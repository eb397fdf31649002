"""The emitted Verilog of I2_S in 16-bit lanes, on operands that make every lane wrap."""

from dataclasses import replace

import numpy as np
import pytest

from bitweight.sim import DATAPATHS, simulate
from bitweight.sim.datapaths.i2_s import LaneSums
from bitweight.verify import Work, check_engine

pytestmark = pytest.mark.slow


def test_lanes_that_wrap_are_equal_in_verilog_and_model() -> None:
    spec = DATAPATHS["addsub/i2_s"].small
    wrapping = replace(spec, pe=replace(spec.pe, lane_sums=LaneSums.INT16))
    k = 4096 + 2400
    packed = spec.pe.format.pack(np.ones((k, 3), np.int8), np.ones(1, np.float32))
    a = np.full((2, k), 127)
    exact, wrapped = simulate(spec, a, packed).acc, simulate(wrapping, a, packed).acc
    assert exact is not None
    assert wrapped is not None
    # Each lane loses 65,536 once in the first 4,096 weights and once in the 2,400 behind them.
    assert (exact - wrapped == 2 * 16 * 65536).all()
    outcomes = check_engine(wrapping, [Work("lanes that wrap", a, packed)])
    assert [outcome.fault for outcome in outcomes] == ["", ""]

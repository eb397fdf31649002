"""Draws that meet extremes often enough."""

import numpy as np

from bitweight.sim.datapaths.drawn import often_extreme


def test_a_quarter_of_the_codes_is_extreme_and_the_others_stay() -> None:
    uniform = np.zeros((100, 100), np.int64)
    drawn = often_extreme(np.random.default_rng(0), (-7, 8), uniform)
    assert set(np.unique(drawn)) == {-7, 0, 8}
    assert 0.23 < np.mean(drawn != 0) < 0.27
    assert 0.45 < np.mean(drawn[drawn != 0] == 8) < 0.55

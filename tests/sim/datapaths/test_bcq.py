"""Oracle: dot products with the signs that the format unpacks, in Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim import simulate
from bitweight.sim.datapath import contribute, decode, draw, partials, prepare, units
from bitweight.sim.datapaths.bcq import BcqSpec
from bitweight.sim.datapaths.half_table import KeyWidth
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8
from bitweight.workloads.formats.bcq import Bcq

specs = st.builds(
    BcqSpec,
    a=st.sampled_from([INT4, INT8, UINT8, INT16]),
    format=st.builds(
        Bcq, bits=st.integers(1, 4), group=st.sampled_from([32, 96]), offset=st.booleans()
    ),
    lanes=st.sampled_from([8, 16, 32]),
    mu=st.sampled_from(KeyWidth),
)


@given(spec=specs, k=st.integers(1, 70), seed=st.integers(0, 99))
def test_parts_and_fast_sums_are_the_signs_dot_products(spec: BcqSpec, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    packed = draw(spec, rng, k=k, n=2)
    x = rng.integers(spec.a.min, spec.a.max + 1, k)
    planes = [*spec.format.unpack(packed)[:, :, 1].tolist()]
    planes += [[1] * k] if spec.format.offset else []
    wanted = [
        [
            sum(sign * int(x[i]) for i, sign in enumerate(plane) if i // spec.group == group)
            for group in range(-(-k // spec.group))
        ]
        for plane in planes
    ]
    assert partials(spec, x[None], packed)[0, 1].tolist() == wanted
    sums = np.zeros_like(wanted)
    padded = np.append(x, 0)
    for beat, (places, words) in enumerate(
        zip(spec.walk.lane_k(k), units(spec, packed)[:, 1], strict=True)
    ):
        row = prepare(spec, padded[places].tolist())
        added = contribute(spec, row, decode(spec, words.tolist(), ()))
        sums[:, beat * spec.lanes // spec.group] += added
    assert sums.tolist() == wanted


@pytest.mark.parametrize("a", [INT8, UINT8, INT16])
def test_accumulators_hold_the_extreme_sums_and_no_bit_more(a: object) -> None:
    assert isinstance(a, type(INT8))
    spec = BcqSpec(a=a, format=Bcq(bits=1, group=128))
    code = a.min if a.signed else a.max
    signs = np.stack([np.ones((128, 2), int)])
    signs[:, :, 1] = -1
    scales = np.ones((1, 1, 2), np.float16), np.ones((1, 2), np.float16)
    sums = partials(spec, np.full((1, 128), code), spec.format.pack(signs, *scales))
    greatest = int(np.abs(sums).max())
    assert greatest == 128 * a.max_magnitude
    assert 1 << (spec.acc_width - 2) <= greatest < 1 << (spec.acc_width - 1)


def test_work_of_a_beat_is_counted() -> None:
    # Per output and 8 inputs: 3 look-ups and 4 additions, the last for the offset's plane.
    packed = draw(BcqSpec(), np.random.default_rng(0), k=128, n=16)
    activity = simulate(BlockDotSpec(pe=BcqSpec()), np.ones((1, 128), int), packed).activity
    assert (activity.lookups, activity.multiplies) == (16 * 16 * 3, 0)
    assert activity.adds == 16 * 16 * 4 + 16 * 152


def test_wrong_parameters_give_one_clear_line() -> None:
    with pytest.raises(ValueError, match="Lanes of bcq must be 8, 16 or 32, not 12"):
        BcqSpec(lanes=12)
    with pytest.raises(ValueError, match="Group of bcq must be a multiple of 16, not 24"):
        BcqSpec(lanes=16, format=Bcq(group=24))

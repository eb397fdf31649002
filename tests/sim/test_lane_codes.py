import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.lane_codes import lane_codes
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.quantize import encode
from bitweight.workloads.weight_formats import FORMATS

NAMES = ["nf2", "nf3", "nf4", "dual_grained", "i2_s", "trit_nine", "int8", "int4"]


@pytest.mark.parametrize("name", NAMES)
@given(k=st.integers(1, 300), seed=st.integers(0, 99))
def test_codes_decode_one_by_one_to_the_weights_of_the_format(name: str, k: int, seed: int) -> None:
    form = FORMATS[name]
    lane = lane_codes(form)
    packed = encode(form, np.random.default_rng(seed).normal(size=(k, 2)))
    codes, integers = lane.codes(packed), lane.integers(packed)
    assert codes.min() >= 0
    assert codes.max() < 1 << lane.bits
    assert lane.weights.admits(integers)
    side = [] if lane.side is None else lane.side(packed).tolist()
    for i, row in enumerate(codes.tolist()):
        for j, code in enumerate(row):
            own = side[i // lane.side_group][j] if lane.side_group else ()
            assert lane.decode(code, own) == integers[i, j]
    # What they stand for is told by the float scales alone.
    x = np.eye(k, dtype=np.int64)
    group = lane.gemm_group or k
    sums = [x[:, at : at + group] @ integers[at : at + group] for at in range(0, k, group)]
    outputs = form.apply_scales(np.stack(sums, axis=2)[:, :, None], packed)
    error = np.abs(outputs - packed.dequantise()).max()
    step = form.unit / 2 * np.abs(packed.scales["scale"]).max() if name.startswith("nf") else 0
    assert error <= step + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_padding_decodes_to_0(name: str) -> None:
    lane = lane_codes(FORMATS[name])
    assert lane.decode(lane.zero, (1, 0)) == 0


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - set(NAMES)))
def test_formats_whose_codes_are_no_weights_are_refused_by_name(name: str) -> None:
    text = f"Decoder must be of a format with a code per weight, not {name}: it runs on an engine"
    with pytest.raises(ValueError, match=text):
        lane_codes(FORMATS[name])


def test_a_table_without_0_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a code of weight 0, and the table of table2"):
        lane_codes(ValueTable(table=(-1.0, -0.5, 0.5, 1.0)))


def test_weights_leave_out_the_least_code() -> None:
    assert lane_codes(ValueTable(entry=IntFormat(width=6))).weights.min == -31
    assert lane_codes(DualGrained()).weights.min == -127
    assert lane_codes(ScaledInteger(code=INT8)).weights.min == -127
    assert not lane_codes(FORMATS["i2_s"]).weights.admits(np.array([-2]))

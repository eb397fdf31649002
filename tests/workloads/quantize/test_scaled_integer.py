from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats import INT4, INT8, IntFormat
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.quantize import encode

WEIGHTS = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 3)),
    elements=st.floats(-1000, 1000, width=32),
)


@given(w=WEIGHTS, code=st.sampled_from([INT8, INT4]), group=st.none() | st.integers(1, 8))
def test_each_code_is_the_nearest_multiple_of_its_fp16_scale(
    w: np.ndarray, code: IntFormat, group: int | None
) -> None:
    form = ScaledInteger(code=code, group=group)
    packed = encode(form, w)
    codes, length = form.unpack(packed), group or len(w)
    for (i, j), weight in np.ndenumerate(w):
        scale = packed.scales["scale"][j, i // length]
        part = w[i // length * length : (i // length + 1) * length, j]
        assert scale == np.float16(np.abs(part).max() / code.max)
        if scale == 0:
            assert codes[i, j] == 0
            continue
        quotient = Fraction(weight) / Fraction(float(scale))
        nearest = max(-code.max, min(code.max, round(quotient)))
        # Where float64's quotient rounds onto a tie, both neighbours are as near.
        near_tie = abs(abs(quotient) % 1 - Fraction(1, 2)) < Fraction(1, 10**12)
        assert near_tie or codes[i, j] == nearest


@pytest.mark.parametrize(
    ("form", "error"),
    [(ScaledInteger(), 0.0078), (ScaledInteger(code=INT4, group=128), 0.1173)],
)
def test_error_on_normal_weights_is_a_step_over_root_12(form: ScaledInteger, error: float) -> None:
    w = np.random.default_rng(0).normal(0, 0.02, (1024, 128))
    packed = encode(form, w)
    found = np.linalg.norm(packed.dequantise() - w) / np.linalg.norm(w)
    step = np.sqrt((packed.scales["scale"].astype(float) ** 2).mean())
    assert found == pytest.approx(step / np.sqrt(12) / 0.02, rel=0.02)
    assert found == pytest.approx(error, abs=0.001)


def test_scales_beyond_fp16_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Scales must fit fp16 \(at most 65504\), not 78740\.2"):
        encode(ScaledInteger(), np.full((2, 1), 1e7))

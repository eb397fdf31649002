from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from bitweight.workloads.formats.value_table import NF2, NF3, NF4, ValueTable
from bitweight.workloads.quantize import encode

TABLES = st.sampled_from([NF2, NF3, NF4, (-2.0, -0.5, 0.25, 3.0)])
WEIGHTS = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 40), st.integers(1, 4)),
    elements=st.floats(-1000, 1000, width=32),
)


@given(w=WEIGHTS, table=TABLES, group=st.integers(1, 20))
def test_every_code_is_the_nearest_value_of_its_ratio(
    w: np.ndarray, table: tuple[float, ...], group: int
) -> None:
    form = ValueTable(table=table, group=group)
    packed = encode(form, w)
    codes = form.unpack(packed)
    values = np.array(table, np.float32)
    for start in range(0, len(w), group):
        part = w[start : start + group].astype(np.float32)
        for j in range(w.shape[1]):
            greatest = np.abs(part[:, j]).max()
            scale = packed.scales["scale"][j, start // group]
            assert scale == np.float16(greatest)
            if scale == 0:
                assert (codes[start : start + group, j] == form.zero_code).all()
                continue
            for i, weight in enumerate(part[:, j]):
                ratio = weight / greatest
                below = sum(ratio > (a + b) / 2 for a, b in pairwise(values))
                assert codes[start + i, j] == below


def test_a_weight_on_a_midpoint_takes_the_lower_code() -> None:
    form = ValueTable(table=(-1.0, -0.5, 0.5, 1.0))
    w = np.array([[1.0], [0.75], [0.0], [-0.75], [np.nextafter(np.float32(0), np.float32(1))]])
    assert form.unpack(encode(form, w))[:, 0].tolist() == [3, 2, 1, 0, 2]


def test_a_group_of_zeros_has_scale_0_and_the_code_of_0() -> None:
    form = ValueTable(group=4)
    packed = encode(form, np.array([[0.0]] * 4 + [[0.5]] * 3))
    assert packed.scales["scale"].tolist() == [[0.0, 0.5]]
    assert form.unpack(packed)[:, 0].tolist() == [7, 7, 7, 7, 15, 15, 15]
    assert packed.dequantise()[:, 0].tolist() == [0.0] * 4 + [0.5] * 3


@pytest.mark.parametrize(("table", "error"), [(NF2, 0.599), (NF3, 0.2106), (NF4, 0.0956)])
def test_error_on_normal_weights_is_that_of_the_nearest_values(
    table: tuple[float, ...], error: float
) -> None:
    w = np.random.default_rng(0).normal(0, 0.02, (1024, 128))
    form = ValueTable(table=table)
    missing = encode(form, w).dequantise() - w
    found = np.linalg.norm(missing) / np.linalg.norm(w)
    parts = w.T.reshape(128, 8, 128)
    scale = np.abs(parts).max(axis=2, keepdims=True)
    distance = np.abs(parts[..., None] / scale[..., None] - np.array(table)).min(axis=3)
    assert found == pytest.approx(np.linalg.norm(distance * scale) / np.linalg.norm(w), rel=2e-3)
    assert found == pytest.approx(error, abs=0.002)


def test_progress_ends_at_all_outputs() -> None:
    seen: list[tuple[int, int]] = []
    encode(ValueTable(), np.ones((8, 3)), on_done=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)


@pytest.mark.parametrize(
    ("w", "text"),
    [
        (np.full((4, 1), 1e5), r"Scales must fit fp16 \(at most 65504\), not 100000"),
        (np.full((4, 1), np.nan), "Weights to encode must be finite, not nan"),
        (np.ones(4), r"Weights to encode must have shape \(k, n\), not \(4,\)"),
        (np.ones((0, 3)), r"Weights to encode must have shape \(k, n\), not \(0, 3\)"),
    ],
)
def test_weights_that_cannot_be_held_are_refused(w: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        encode(ValueTable(), w)

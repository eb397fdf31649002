"""Rows of the comparison against figures made by hand, and the docs' page against the rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitweight.reports.format_row import FormatRow
from bitweight.reports.weight_formats import (
    COLUMNS,
    cells,
    compare,
    engines,
    markdown_row,
    page,
    section,
    shipped_weights,
)
from bitweight.sim import cycles
from bitweight.workloads import FORMATS, Layer, Operand, PackedLayer, Trace
from bitweight.workloads.example import PACKED_EXAMPLE_LAYER
from bitweight.workloads.formats import INT8, UINT8
from bitweight.workloads.quantize import encode

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
QUICK = ("bcq1", "i2_s", "tl1", "tl2", "trit_nine", "nf2", "nf3", "nf4", "int8", "int4")
RNG = np.random.default_rng(21)
M, K, N = 5, 192, 64
LAYER = Layer.from_arrays(
    "a",
    RNG.integers(-127, 128, (M, K)),
    RNG.integers(-128, 128, (K, N)),
    x_scale=RNG.uniform(0.5, 1.5, M),
    w_scale=RNG.uniform(0.001, 0.002, N),
)
X, W = LAYER.x * LAYER.x_scale[:, None], LAYER.w * LAYER.w_scale


def relative(came: Any, wanted: Any) -> float:
    return float(np.sqrt(((came - wanted) ** 2).sum() / (wanted**2).sum()))


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.startswith("seedlm")])
def test_bits_bytes_errors_and_cycles_are_those_of_the_encoded_layer(name: str) -> None:
    form = FORMATS[name]
    packed = encode(form, W)
    rows = compare(LAYER, [form])
    assert [row.format for row in rows] == [name] * len(engines(form))
    for row, spec in zip(rows, engines(form), strict=True):
        assert row.bits_per_weight == packed.bytes * 8 / (K * N)
        assert row.weight_error == pytest.approx(relative(packed.dequantise(), W), rel=1e-9)
        # Tables run on entries of eight bits; all else is exact.
        exact = relative(X @ packed.dequantise(), X @ W)
        tolerance = 0.01 if name.startswith("nf") else 1e-9
        assert row.output_error == pytest.approx(exact, abs=tolerance)
        assert (row.decode.tokens, row.prefill.tokens) == (1, M)
        assert row.decode.weight_bytes == packed.bytes
        # Where scales cut k, engines of integer operands run a GEMM for each group.
        parts = [128, 64] if name == "int4" else [K]
        for cost in (row.decode, row.prefill):
            assert cost.cycles == sum(cycles(spec, m=cost.tokens, n=N, k=k) for k in parts)


def test_engines_that_keep_no_weights_fetch_them_for_every_token() -> None:
    tree, cube, nine = compare(LAYER, [FORMATS["int8"], FORMATS["trit_nine"]])
    assert tree.engine.design == "adder_tree/mac/int8xint8"
    assert cube.engine.design == "cube/mac/int8xint8"
    assert tree.prefill.weight_bytes == tree.decode.weight_bytes == K * N + 2 * N
    for row in (cube, nine):
        assert row.engine.rows == 1
        assert row.prefill.weight_bytes == M * row.decode.weight_bytes
    for row in (tree, cube, nine):
        assert row.engine.rows * row.engine.columns * row.engine.lanes == 128


def test_a_tree_fetches_again_what_its_memory_cannot_hold() -> None:
    rows = RNG.integers(-127, 128, (513, 16))
    tree, _cube = compare(Layer.from_arrays("a", rows, LAYER.w[:16]), [FORMATS["int8"]])
    assert tree.prefill.weight_bytes == 3 * tree.decode.weight_bytes


def test_operations_of_an_output_are_those_worked_out_by_hand() -> None:
    rows = compare(LAYER, [FORMATS["nf4"], FORMATS["int4"]])
    nf4, int4, _cube = (row.per_output for row in rows)
    # A look-up, a product and an addition for every weight; a product and an addition.
    assert (nf4.lookups, nf4.adds, nf4.multiplies) == (K, K, K)
    assert (int4.lookups, int4.adds, int4.multiplies) == (0, K, K)


def test_short_groups_are_told() -> None:
    assert [row.short_groups for row in compare(LAYER, [FORMATS["nf4"], FORMATS["i2_s"]])] == [N, 0]


def test_weights_that_are_ready_are_not_encoded_again() -> None:
    form = FORMATS["nf4"]
    other = encode(form, W + 0.1)
    [fresh], [taken] = (compare(LAYER, [form], ready=ready) for ready in ({}, {"nf4": other}))
    assert fresh.weight_error < 0.2
    assert taken.weight_error == pytest.approx(relative(other.dequantise(), W))
    wrong_format = {"nf4": encode(FORMATS["nf3"], W)}
    assert compare(LAYER, [form], ready=wrong_format) == [fresh]


def test_what_an_engine_cannot_run_is_refused_before_any_encoding() -> None:
    def told(_done: int, _total: int) -> None:
        pytest.fail("encoding has begun")

    ragged = Layer.from_arrays("a", LAYER.x[:, :50], LAYER.w[:50])
    with pytest.raises(ValueError, match=r"^lookup/tl2 must have k a multiple of 32, not 50$"):
        compare(ragged, [FORMATS["dual_grained"], FORMATS["tl2"]], on_done=told)
    wide = Layer.from_arrays("a", LAYER.x.astype(int) + 128, LAYER.w, x_format=UINT8)
    with pytest.raises(ValueError, match=r"^Operand a must hold int8 codes"):
        compare(wide, [FORMATS["dual_grained"]], on_done=told)


def test_a_packed_layer_is_refused() -> None:
    x = Operand.from_arrays("a.x", LAYER.x, INT8)
    packed = PackedLayer.from_arrays("a", x, encode(FORMATS["nf4"], W))
    with pytest.raises(ValueError, match=r"^a\.w must hold integer codes to be encoded, not nf4"):
        compare(packed, [FORMATS["nf3"]])


def test_the_shipped_weights_are_those_of_its_layer() -> None:
    assert shipped_weights("blk.5.attn_q.first_320") == {}
    ready = shipped_weights(PACKED_EXAMPLE_LAYER)
    assert list(ready) == list(FORMATS)
    assert {name: one.format for name, one in ready.items()} == dict(FORMATS)
    layer = Trace.example().layer(PACKED_EXAMPLE_LAYER)
    for name in QUICK:
        again = encode(FORMATS[name], layer.w * layer.w_scale.astype(np.float64))
        np.testing.assert_array_equal(again.words, ready[name].words)


def test_the_page_shows_the_smallest_layers_quick_formats_as_they_are() -> None:
    layer = Trace.example().layer(PACKED_EXAMPLE_LAYER)
    text = PAGE.read_text()
    part = text[text.index(f"## {layer.name}\n") :].partition("\n## ")[0]
    for row in compare(layer, [FORMATS[name] for name in QUICK]):
        assert f"\n{markdown_row(row)}\n" in part


def test_the_page_has_every_format_on_every_layer_of_the_example() -> None:
    _head, *parts = PAGE.read_text().split("\n## ")
    assert [part.partition("\n")[0] for part in parts] == [
        layer.name for layer in Trace.example().layers
    ]
    for part in parts:
        names = [line.split()[1] for line in part.splitlines() if line.startswith("| ")][2:]
        assert list(dict.fromkeys(names)) == list(FORMATS)


def test_a_section_has_a_cell_for_every_column() -> None:
    rows: list[FormatRow] = compare(LAYER, [FORMATS["int8"]])
    assert len(cells(rows[0])) == len(COLUMNS)
    lines = section(LAYER, rows).splitlines()
    assert {line.count("|") for line in lines if line.startswith("|")} == {len(COLUMNS) + 1}


@pytest.mark.slow
def test_the_page_is_what_the_models_say() -> None:
    assert page() == PAGE.read_text()

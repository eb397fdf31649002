from pathlib import Path

import gguf
import numpy as np
import pytest
from tiny_gguf import TYPES, write_llama, write_matrices

from bitweight.workloads import Granularity, Trace
from bitweight.workloads.gguf_layers import gguf_layer, gguf_trace
from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.operands import Distribution

N, K = 6, 96
X = np.random.default_rng(3).integers(-128, 128, (5, K))
NORMAL = Distribution.parse("normal:20")


def one_matrix(path: Path, type_name: str) -> GgufFile:
    values = np.random.default_rng(0).normal(0, 1, (N, K)).astype(np.float32)
    packed = gguf.quants.quantize(values, TYPES[type_name])
    return GgufFile(write_matrices(path, {"blk.0.ffn_up.weight": (packed, type_name)}))


@pytest.mark.parametrize("type_name", ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_group_sums_scales_and_minima_give_the_real_product(tmp_path: Path, type_name: str) -> None:
    file = one_matrix(tmp_path / "a.gguf", type_name)
    layer = gguf_layer(file, "blk.0.ffn_up.weight", X)
    assert (layer.name, layer.m, layer.n, layer.k) == ("blk.0.ffn_up", 5, N, K)
    assert (layer.group, layer.groups) == (32, 3)
    assert layer.w_granularity is Granularity.GROUP
    real = (layer.exact() * layer.w_scale.T).sum(axis=2)
    if layer.w_minimum is not None:
        real += X.reshape(5, 3, 32).sum(axis=2) @ layer.w_minimum
    expected = X @ file.dequantise("blk.0.ffn_up.weight").T.astype(np.float64)
    np.testing.assert_allclose(real, expected, rtol=1e-5, atol=1e-3)
    assert (layer.w_minimum is None) == (not type_name.endswith("1"))


def test_only_asked_outputs_are_unpacked_and_they_are_the_right_ones(tmp_path: Path) -> None:
    file = one_matrix(tmp_path / "a.gguf", "Q4_1")
    layer = gguf_layer(file, "blk.0.ffn_up.weight", X)
    np.testing.assert_array_equal(layer.w, file.codes("blk.0.ffn_up.weight").codes.T)
    part = layer.w_slice(slice(10, 40), slice(2, 5))
    np.testing.assert_array_equal(part, layer.w[10:40, 2:5])


def test_it_saves_as_a_trace_with_its_minima(tmp_path: Path) -> None:
    layer = gguf_layer(one_matrix(tmp_path / "a.gguf", "Q4_1"), "blk.0.ffn_up.weight", X)
    Trace(layers=(layer,)).save(tmp_path / "t.safetensors")
    back = Trace.load(tmp_path / "t.safetensors").layers[0]
    np.testing.assert_array_equal(back.w_minimum, layer.w_minimum)
    np.testing.assert_array_equal(back.w_scale, layer.w_scale)
    np.testing.assert_array_equal(back.w, layer.w)
    assert back.w_format == layer.w_format


@pytest.mark.parametrize("type_name", ["F32", "F16", "BF16"])
def test_float_weights_are_refused_by_name(tmp_path: Path, type_name: str) -> None:
    file = one_matrix(tmp_path / "a.gguf", type_name)
    with pytest.raises(ValueError, match=rf"blk\.0\.ffn_up\.weight must be .*{type_name} is float"):
        gguf_layer(file, "blk.0.ffn_up.weight", X)


def test_a_model_gives_its_linear_layers_with_drawn_activations(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "a.gguf")
    trace = gguf_trace(model, tokens=4, operands=NORMAL, seed=0)
    assert len(trace.layers) == 14
    assert all(layer.m == 4 for layer in trace.layers)
    assert "token_embd" not in {layer.name for layer in trace.layers}
    again = gguf_trace(model, tokens=4, operands=NORMAL, seed=0, names=["blk.1.ffn_up.weight"])
    np.testing.assert_array_equal(again.layers[0].x, trace.layer("blk.1.ffn_up").x)
    other = gguf_trace(model, tokens=4, operands=NORMAL, seed=1)
    assert (other.layers[0].x != trace.layers[0].x).any()


def test_layers_that_are_not_there_are_refused(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "a.gguf")
    with pytest.raises(
        ValueError, match=r"blk\.7\.attn_q\.weight; the nearest is blk\.[01]\.attn_q"
    ):
        gguf_trace(model, tokens=1, operands=NORMAL, seed=0, names=["blk.7.attn_q.weight"])
    with pytest.raises(ValueError, match="Tokens must be at least 1, not 0"):
        gguf_trace(model, tokens=0, operands=NORMAL, seed=0)

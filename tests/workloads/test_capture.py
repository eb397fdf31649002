import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_gguf import FFN, HIDDEN, write_llama

from bitweight.workloads import Granularity, Trace, example_path
from bitweight.workloads.capture import Capture, Cut, Selection, capture
from bitweight.workloads.example import EXAMPLE, EXAMPLE_GGUF_SHA256, EXAMPLE_SHA256
from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.llama import LINEAR_KINDS, Llama, softmax
from bitweight.workloads.quantize import W8A8
from bitweight.workloads.tokenizer import Tokenizer

SMOLLM2 = os.environ.get("BITWEIGHT_SMOLLM2_GGUF", "")
needs_smollm2 = pytest.mark.skipif(
    not SMOLLM2, reason="BITWEIGHT_SMOLLM2_GGUF does not name SmolLM2's GGUF file"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_llama(tmp_path / "tiny.gguf")


def test_a_capture_holds_every_linear_layer_in_the_models_order(model: Path) -> None:
    trace = capture(model, Capture(text="hello world"))
    assert [layer.name for layer in trace.layers] == [
        f"blk.{block}.{kind}" for block in (0, 1) for kind in LINEAR_KINDS
    ]
    assert trace.source_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (trace.model, trace.text, len(trace.token_ids)) == ("tiny", "hello world", 7)
    assert {layer.m for layer in trace.layers} == {7}
    assert all(layer.wrong_golden() == 0 for layer in trace.layers)


def test_codes_times_scales_are_the_models_inputs_and_weights(model: Path) -> None:
    seen = {}
    file = GgufFile(model)
    trace = capture(model, Capture(text="hello"))
    Llama(file).hidden(trace.token_ids, observe=lambda name, x: seen.update({name: x}))
    for layer in trace.layers:
        x = layer.x * layer.x_scale[:, None]
        w = layer.w * layer.w_scale
        np.testing.assert_allclose(x, seen[layer.name], atol=layer.x_scale.max() * 0.51)
        weights = file.dequantise(f"{layer.name}.weight").T
        np.testing.assert_allclose(w, weights, atol=layer.w_scale.max() * 0.51)


def test_a_cut_layer_is_the_first_outputs_of_the_whole_and_says_so(model: Path) -> None:
    whole = capture(model, Capture(text="hello")).layer("blk.1.ffn_up")
    chosen = (Cut(block=1, kind="ffn_up", outputs=10), Cut(block=0, kind="attn_k", outputs=999))
    trace = capture(model, Capture(text="hello", layers=chosen))
    assert [layer.name for layer in trace.layers] == ["blk.0.attn_k", "blk.1.ffn_up.first_10"]
    cut = trace.layers[1]
    assert (cut.n, cut.k) == (10, HIDDEN)
    np.testing.assert_array_equal(cut.x, whole.x)
    np.testing.assert_array_equal(cut.w, whole.w[:, :10])
    np.testing.assert_array_equal(cut.golden, whole.golden[:, :10])


def test_scales_are_as_asked(model: Path) -> None:
    scales = W8A8(x=Granularity.GROUP, w=Granularity.TENSOR, group=40)
    chosen = Selection(blocks=(1,), kinds=("ffn_down",))
    layer = capture(model, Capture(text="hi", layers=chosen, scales=scales)).layers[0]
    assert (layer.name, layer.k, layer.groups) == ("blk.1.ffn_down", FFN, 3)
    assert layer.x_scale.shape == (2, 3)
    assert layer.w_scale.shape == ()
    assert layer.wrong_golden() == 0


def test_the_same_capture_gives_the_same_bytes_and_tells_its_progress(model: Path) -> None:
    done = []
    request = Capture(text="hello")
    first = capture(model, request, on_block=lambda *counts: done.append(counts)).to_bytes()
    assert capture(model, request).to_bytes() == first
    assert done == [(1, 2), (2, 2)]
    assert str(model).encode() not in first


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Capture(text=""), "Text to capture must not be empty"),
        (lambda: Cut(block=0, kind="attn"), "Layer kind must be one of attn_q, .*, not 'attn'"),
        (lambda: Cut(block=-1, kind="attn_q"), "Block must be at least 0, not -1"),
        (lambda: Cut(block=0, kind="attn_q", outputs=0), "Outputs to keep must be at least 1"),
    ],
)
def test_requests_that_make_no_sense_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_blocks_beyond_the_model_are_refused(model: Path) -> None:
    chosen = Selection(blocks=(2,))
    with pytest.raises(ValueError, match="Block must be one of the model's, 0 to 1, not 2"):
        capture(model, Capture(text="hi", layers=chosen))


def test_the_shipped_example_is_the_one_that_was_made() -> None:
    data = example_path().read_bytes()
    assert hashlib.sha256(data).hexdigest() == EXAMPLE_SHA256
    assert len(data) <= 1_000_000
    licence = example_path().parent / "smollm2_license.md"
    assert "Apache License" in licence.read_text()


def test_the_shipped_example_is_real_ragged_and_right() -> None:
    trace = Trace.example()
    assert trace.source_sha256 == EXAMPLE_GGUF_SHA256
    assert trace.text == EXAMPLE.text
    sizes = {layer.name: (layer.m, layer.n, layer.k) for layer in trace.layers}
    assert sizes == {
        "blk.5.attn_q.first_320": (27, 320, 576),
        "blk.11.ffn_down.first_192": (27, 192, 1536),
        "blk.17.attn_k": (27, 192, 576),
        "blk.23.ffn_gate.first_320": (27, 320, 576),
    }
    for layer in trace.layers:
        np.testing.assert_array_equal(layer.golden, layer.x.astype(int) @ layer.w.astype(int))
        assert layer.x_granularity is Granularity.TOKEN
        assert layer.w_granularity is Granularity.CHANNEL


def test_the_example_keeps_ffn_downs_outlier() -> None:
    scale = Trace.example().layer("blk.11.ffn_down.first_192").x_scale
    assert scale[0] > 1000 * np.median(scale)


@pytest.mark.slow
@needs_smollm2
def test_smollm2_says_that_the_capital_of_france_is_paris() -> None:
    file = GgufFile(SMOLLM2)
    tokenizer = Tokenizer.from_gguf(file)
    shares = softmax(Llama(file).logits(tokenizer.encode("The capital of France is")))
    best = int(shares.argmax())
    assert tokenizer.decode([best]) == " Paris"
    assert shares[best] == pytest.approx(0.772, abs=0.003)  # llama.cpp's value


@pytest.mark.slow
@needs_smollm2
def test_the_example_is_made_again_byte_for_byte() -> None:
    assert GgufFile(SMOLLM2).sha256() == EXAMPLE_GGUF_SHA256
    assert capture(Path(SMOLLM2), EXAMPLE).to_bytes() == example_path().read_bytes()

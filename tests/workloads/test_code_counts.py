import json
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from tiny_gguf import FFN, HEADS, HIDDEN, write_llama

from bitweight.workloads import Trace
from bitweight.workloads.code_counts import CodeCounts, code_counts, count_codes, shipped_counts
from bitweight.workloads.models import model_gemms

SMOLLM2 = os.environ.get("BITWEIGHT_SMOLLM2_GGUF", "")
_TOKENS, _BLOCKS = 27, 30


def test_drawn_codes_have_the_counted_frequencies() -> None:
    counts = [0] * 256
    counts[128 - 128], counts[128 + 5], counts[128 + 127] = 1, 2, 1
    drawn = CodeCounts(kind="x", counts=tuple(counts), source="here").draw(
        (40, 1000), np.random.default_rng(0)
    )
    codes, found = np.unique(drawn, return_counts=True)
    assert codes.tolist() == [-128, 5, 127]
    np.testing.assert_allclose(found / drawn.size, [0.25, 0.5, 0.25], atol=0.01)


def test_the_same_seed_draws_the_same_codes() -> None:
    one, two, other = (
        code_counts("ffn_down").draw((3, 50), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one.dtype == np.int8
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_every_activation_of_the_captured_model_was_counted() -> None:
    sizes = {kind: sum(counted.counts) for kind, counted in shipped_counts().items()}
    hidden = _TOKENS * 576
    assert sizes == {
        **dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), hidden * _BLOCKS),
        **dict.fromkeys(("ffn_gate", "ffn_up"), hidden * _BLOCKS),
        "ffn_down": _TOKENS * 1536 * _BLOCKS,
        # Queries of 9 heads of 64; probabilities of the tokens seen so far.
        "attn_scores_qk": hidden * _BLOCKS,
        "attn_values_pv": 9 * _BLOCKS * _TOKENS * (_TOKENS + 1) // 2,
        "lm_head": hidden,
    }


def test_counts_are_those_of_the_shipped_example_where_it_has_the_layer() -> None:
    layer = Trace.example().layer("blk.17.attn_k").x
    codes, counts = np.unique(layer, return_counts=True)
    shipped = np.array(code_counts("attn_k").counts)
    # One block of thirty.
    assert (shipped[codes.astype(np.int64) + 128] >= counts).all()
    assert shipped[128 - 128] == 0, "symmetric codes"


def test_every_kind_of_layer_of_a_llama_has_counts() -> None:
    for model in ("smollm2-135m", "llama-3-8b"):
        for gemm in model_gemms(model, phase="decode"):
            assert sum(code_counts(gemm.name).counts) > 0


def test_a_tiny_model_is_counted_whole(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    document = json.loads(count_codes(path, "hello world"))
    sizes = {kind: sum(counts) for kind, counts in document["counts"].items()}
    tokens = document["tokens"]
    assert tokens == 7
    assert sizes["attn_q"] == sizes["ffn_up"] == 2 * tokens * HIDDEN
    assert sizes["ffn_down"] == 2 * tokens * FFN
    assert sizes["attn_values_pv"] == 2 * HEADS * tokens * (tokens + 1) // 2
    assert sizes["lm_head"] == tokens * HIDDEN
    # The likeliest token of every row of probabilities has code 127, its first row no other.
    assert document["counts"]["attn_values_pv"][128 + 127] >= 2 * HEADS * tokens


@pytest.mark.slow
@pytest.mark.skipif(not SMOLLM2, reason="BITWEIGHT_SMOLLM2_GGUF does not name SmolLM2's GGUF file")
def test_the_shipped_counts_are_made_again_byte_for_byte() -> None:
    shipped = resources.files("bitweight.workloads") / "data" / "smollm2_code_counts.json"
    assert count_codes(SMOLLM2) == shipped.read_bytes()


def test_a_kind_that_was_not_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Layer must be of a kind with code counts \(attn_q, "):
        code_counts("router")

from typing import Any

import pytest

from bitweight.workloads import Gemm
from bitweight.workloads.models import find_model, model_gemms, models

# Sums of all linear weights without heads and embeddings, counted by hand from published sizes:
# hidden * (q + 2 kv + o) + 3 * hidden * ffn per block.
LLAMA_2_7B = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
SMOLLM2 = 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536)


def by_name(name: str, **options: Any) -> dict[str, Gemm]:
    return {gemm.name: gemm for gemm in model_gemms(name, **options)}


def weights_of(name: str) -> int:
    linear = [g for g in model_gemms(name, phase="prefill", tokens=1000) if "_head" not in g.name]
    return sum(
        g.n * g.k * g.calls for g in linear if "scores" not in g.name and "values" not in g.name
    )


def test_smollm2_has_the_weights_of_its_file() -> None:
    assert find_model("smollm2-135m").weight_params == SMOLLM2 == 106_168_320
    assert weights_of("smollm2-135m") == SMOLLM2


def test_llama_2_7b_has_its_published_weights() -> None:
    assert weights_of("llama-2-7b") == LLAMA_2_7B
    assert pytest.approx(6.74e9, rel=0.01) == LLAMA_2_7B + 2 * 32000 * 4096


@pytest.mark.parametrize("name", models())
def test_weight_sums_equal_the_tables_column(name: str) -> None:
    gemms = by_name(name, phase="prefill", tokens=1000)
    head = gemms.get("lm_head")
    table = find_model(name).weight_params
    # A tied head counts no weights in the table, any other head counts all.
    assert weights_of(name) in (table, table - (head.n * head.k if head else 0))


@pytest.mark.parametrize("name", models())
def test_every_model_has_a_source_and_a_usual_block(name: str) -> None:
    assert find_model(name).source
    gemms = by_name(name, phase="prefill", tokens=7)
    assert {"attn_output", "ffn_up", "ffn_down", "attn_scores_qk"} <= set(gemms)


def test_prefill_computes_every_token_of_the_batch_at_once() -> None:
    gemms = by_name("smollm2-135m", phase="prefill", tokens=10, batch=3)
    assert (gemms["attn_k"].m, gemms["attn_k"].n, gemms["attn_k"].k) == (30, 192, 576)
    assert gemms["attn_k"].calls == 30


def test_prefill_attention_is_per_sequence_and_query_head() -> None:
    gemms = by_name("smollm2-135m", phase="prefill", tokens=10, batch=3)
    scores, values = gemms["attn_scores_qk"], gemms["attn_values_pv"]
    assert (scores.m, scores.n, scores.k, scores.calls) == (10, 10, 64, 30 * 9 * 3)
    assert (values.m, values.n, values.k, values.calls) == (10, 64, 10, 30 * 9 * 3)


def test_a_cached_prefix_lengthens_the_context_of_a_prefill() -> None:
    scores = by_name("smollm2-135m", phase="prefill", tokens=10, context=50)["attn_scores_qk"]
    assert (scores.m, scores.n) == (10, 50)


def test_decode_computes_one_token_of_each_sequence() -> None:
    gemms = by_name("llama-3-8b", phase="decode", batch=4, context=100)
    assert gemms["attn_k"].m == 4
    assert gemms["attn_k"].n == 1024
    scores, values = gemms["attn_scores_qk"], gemms["attn_values_pv"]
    assert (scores.m, scores.n, scores.k, scores.calls) == (1, 100, 128, 32 * 32 * 4)
    assert (values.m, values.n, values.k, values.calls) == (1, 128, 100, 32 * 32 * 4)


def test_only_the_last_token_of_a_prompt_needs_the_head() -> None:
    for phase in ("prefill", "decode"):
        head = by_name("llama-2-7b", phase=phase, tokens=64, batch=2)["lm_head"]
        assert (head.m, head.n, head.k, head.calls) == (2, 32000, 4096, 1)


def test_tokens_spread_evenly_over_experts() -> None:
    prefill = by_name("mixtral-8x7b", phase="prefill", tokens=100)
    assert (prefill["ffn_up"].m, prefill["ffn_up"].calls) == (100 * 2 // 8, 32 * 8)
    assert (prefill["attn_q"].m, prefill["moe_router"].m) == (100, 100)
    decode = by_name("mixtral-8x7b", phase="decode")
    assert (decode["ffn_up"].m, decode["ffn_up"].calls) == (1, 32 * 2)
    ragged = by_name("mixtral-8x7b", phase="prefill", tokens=9)
    assert (ragged["ffn_up"].m, ragged["ffn_up"].calls) == (3, 32 * 8)


def test_a_decode_step_takes_the_tables_macs_per_token() -> None:
    gemms = model_gemms("llama-2-7b", phase="decode", context=1000)
    per_token = LLAMA_2_7B + 32000 * 4096 + 2 * 131072 * 1000
    assert sum(gemm.macs * gemm.calls for gemm in gemms) == per_token


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "llama-2-7"}, "not 'llama-2-7'; the nearest is 'llama-2-7b'"),
        ({"phase": "train"}, "Phase must be prefill or decode, not 'train'"),
        ({"tokens": 0}, "Tokens must be at least 1, not 0"),
        ({"batch": -1}, "Batch must be at least 1, not -1"),
        ({"context": 0}, "Context must be at least 1, not 0"),
        ({"tokens": 20, "context": 10}, "Context must hold the prompt of 20 tokens, not 10"),
        ({"name": "gpt-2", "tokens": 2**33}, "size m must be"),
        ({"name": "all-minilm-l6-v2", "phase": "decode"}, "an encoder does not decode"),
    ],
)
def test_requests_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_gemms(**{"name": "llama-2-7b", "phase": "prefill", **options})

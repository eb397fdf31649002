"""How often each int8 code occurs among the activations of a model, by kind of layer.

Digit engines take as long as their operands' digits: where a model is known by its shapes alone,
its activations are drawn with the frequencies of a model that was run. They are drawn one by one,
so that what codes of one token or one channel have in common is lost: what follows from them is
``assumed``.

The shipped counts are of all blocks of SmolLM2-135M on the shipped example's sentence, int8 with
one scale per token (per token and head for the queries and probabilities of attention, whose
masked half is not counted). Made, byte for byte, by::

    python -m bitweight.workloads.code_counts MODEL.gguf OUT.json
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.example import EXAMPLE
from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.layer_operand import Granularity
from bitweight.workloads.llama import LINEAR_KINDS, Floats, Llama, rms_norm, rotate
from bitweight.workloads.quantize.w8a8 import quantise_x
from bitweight.workloads.tokenizer import Tokenizer
from bitweight.workloads.whole_files import write_whole

_FILE = "smollm2_code_counts.json"
_CODES = np.arange(-128, 128)
_KINDS = (*LINEAR_KINDS, "attn_scores_qk", "attn_values_pv", "lm_head")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodeCounts:
    """Frequencies of int8 codes.

    Attributes:
        kind: Kind of layer whose activations they are.
        counts: By code from -128 to 127.
        source: The model that was run, and on what.
    """

    kind: str
    counts: tuple[int, ...]
    source: str

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int8]:
        """Draw codes with these frequencies; the same state of ``rng`` gives the same codes."""
        ends = np.cumsum(self.counts)
        drawn = rng.integers(0, ends[-1], shape)
        return _CODES[np.searchsorted(ends, drawn, side="right")].astype(np.int8)


@cache
def shipped_counts() -> Mapping[str, CodeCounts]:
    """Return the shipped counts by kind of layer, named as ``model_gemms`` names them."""
    text = (resources.files("bitweight.workloads") / "data" / _FILE).read_text("utf-8")
    document = json.loads(text)
    source = f"{document['model']}, {document['tokens']} tokens"
    return MappingProxyType(
        {
            kind: CodeCounts(kind=kind, counts=tuple(counts), source=source)
            for kind, counts in document["counts"].items()
        }
    )


def code_counts(kind: str) -> CodeCounts:
    """Return the counts of a kind of layer.

    Raises:
        ValueError: If no such layer was run.
    """
    if kind not in shipped_counts():
        raise ValueError(
            f"Layer must be of a kind with code counts ({', '.join(shipped_counts())}), "
            f"not {kind!r}"
        )
    return shipped_counts()[kind]


def count_codes(path: str | Path, text: str = EXAMPLE.text) -> bytes:
    """Run a Llama-architecture GGUF model on a text and return the counts as a JSON file.

    Raises:
        ValueError: If the model cannot be run, or the extra ``gguf`` is missing.
        OSError: If the file cannot be read.
    """
    file = GgufFile(path)
    model = Llama(file)
    token_ids = Tokenizer.from_gguf(file).encode(text)
    counts = {kind: np.zeros(len(_CODES), np.int64) for kind in _KINDS}

    def add(kind: str, values: Floats) -> None:
        codes = quantise_x(values, Granularity.TOKEN).codes
        counts[kind] += np.bincount(codes.reshape(-1).astype(np.int64) + 128, minlength=256)

    def observe(name: str, inputs: Floats) -> None:
        block, kind = name.rsplit(".", 1)
        add(kind, inputs)
        if kind == "attn_q":
            _add_attention(model, block, inputs, add)

    hidden = model.hidden(token_ids, observe=observe)
    norm = file.dequantise("output_norm.weight")
    add("lm_head", rms_norm(hidden, norm, model.shape.norm_epsilon))
    document = {
        "model": file.metadata("general.name", str, default=""),
        "source_sha256": file.sha256(),
        "text": text,
        "tokens": len(token_ids),
    }
    rows = ",\n".join(f'  "{kind}": {json.dumps(counts[kind].tolist())}' for kind in _KINDS)
    head = json.dumps(document, indent=1).removesuffix("\n}")
    return f'{head},\n "counts": {{\n{rows}\n }}\n}}\n'.encode()


def _add_attention(model: Llama, block: str, normed: Floats, add: Any) -> None:
    """Count rotated queries, and the probabilities that multiply values."""
    shape, tokens = model.shape, len(normed)
    queries, keys = (
        rotate(
            (normed.astype(np.float64) @ model.file.dequantise(f"{block}.{kind}.weight").T)
            .astype(np.float32)
            .reshape(tokens, heads, shape.head_dim),
            shape.rope_base,
        )
        for kind, heads in (("attn_q", shape.heads), ("attn_k", shape.kv_heads))
    )
    add("attn_scores_qk", queries.reshape(-1, shape.head_dim))
    for head in range(shape.heads):
        key = keys[:, head * shape.kv_heads // shape.heads].astype(np.float64)
        scores = queries[:, head].astype(np.float64) @ key.T / np.sqrt(shape.head_dim)
        for token in range(tokens):
            seen = scores[token, : token + 1]
            weights = np.exp(seen - seen.max())
            # No sum: one scale per token leaves codes as they are.
            add("attn_values_pv", weights[None, :].astype(np.float32))


def main() -> None:
    """Write the counts of the model named on the command line to the file named after it."""
    write_whole(Path(sys.argv[2]), count_codes(sys.argv[1]))


if __name__ == "__main__":
    main()

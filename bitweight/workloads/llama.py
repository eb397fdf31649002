"""Forward pass of a Llama-architecture model, in numpy, to see what its layers are given.

    x ─ RMSNorm ─ q,k,v ─ RoPE ─ attention ─ output ─(+x)─ RMSNorm ─ silu(gate) * up ─ down ─(+)─

Each operator computes in float64 and rounds its output to float32, so that the order in which a
BLAS adds hardly ever shows. Weights are dequantised a matrix at a time and dropped again. Heads
share k and v in groups (grouped-query attention); all tokens attend to themselves and earlier ones.

Source: Touvron et al., "LLaMA", 2023, section 2.2; Su et al., "RoFormer", 2021 (RoPE), on pairs
(2i, 2i+1) as GGUF files order the rows of q and k; Ainslie et al., "GQA", EMNLP 2023.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.gguf_reader import GgufFile

Floats = NDArray[np.float32]
Observer = Callable[[str, Floats], None]

LINEAR_KINDS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
_HEAD_ROWS = 4096
_DEFAULT_ROPE_BASE = 10000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaShape:
    """Sizes and constants of a model.

    Attributes:
        blocks: Transformer blocks.
        heads: Query heads.
        kv_heads: Key and value heads; divides ``heads``.
        head_dim: Elements of a head, even.
        rope_base: Base of the rotation frequencies.
        norm_epsilon: Added to the mean square in RMSNorm.
    """

    blocks: int
    heads: int
    kv_heads: int
    head_dim: int
    rope_base: float
    norm_epsilon: float

    def __post_init__(self) -> None:
        """Refuse sizes that do not divide."""
        if min(self.blocks, self.heads, self.kv_heads, self.head_dim) < 1:
            raise ValueError(f"Model sizes must be at least 1, not {self}")
        if self.heads % self.kv_heads or self.head_dim % 2:
            raise ValueError(f"Heads must be a multiple of kv heads, head size even, not {self}")

    @classmethod
    def from_gguf(cls, file: GgufFile) -> "LlamaShape":
        """Read a model's sizes.

        Raises:
            ValueError: If the architecture is not plain Llama, or a size is missing.
        """
        architecture = file.metadata("general.architecture", str)
        if architecture != "llama":
            raise ValueError(f"{file.path}: architecture must be llama, not {architecture!r}")
        _refuse_variants(file)
        heads = file.metadata("llama.attention.head_count", int)
        hidden = file.metadata("llama.embedding_length", int)
        head_dim = file.metadata("llama.attention.key_length", int, default=hidden // max(heads, 1))
        rotated = file.metadata("llama.rope.dimension_count", int, default=head_dim)
        if rotated != head_dim:
            raise ValueError(
                f"{file.path}: RoPE must rotate whole heads of {head_dim}, not {rotated} elements"
            )
        return cls(
            blocks=file.metadata("llama.block_count", int),
            heads=heads,
            kv_heads=file.metadata("llama.attention.head_count_kv", int, default=heads),
            head_dim=head_dim,
            rope_base=file.metadata("llama.rope.freq_base", float, default=_DEFAULT_ROPE_BASE),
            norm_epsilon=file.metadata("llama.attention.layer_norm_rms_epsilon", float),
        )


def _refuse_variants(file: GgufFile) -> None:
    """Refuse what this forward pass would silently leave out."""
    if file.metadata("llama.expert_count", int, default=0):
        raise ValueError(f"{file.path}: must have no experts; mixtures of experts are not run here")
    scaling = file.metadata("llama.rope.scaling.type", str, default="none")
    if scaling != "none" or "rope_freqs.weight" in file.names:
        raise ValueError(f"{file.path}: RoPE must be unscaled; scaled frequencies are not run here")
    bias = next((name for name in file.names if name.endswith(".bias")), None)
    if bias is not None:
        raise ValueError(f"{file.path}: linear layers must have no bias, but there is {bias}")


class Llama:
    """A model whose weights stay in their file.

    Args:
        file: The model.

    Raises:
        ValueError: If it is not a plain Llama-architecture model.
    """

    def __init__(self, file: GgufFile) -> None:
        self.file = file
        self.shape = LlamaShape.from_gguf(file)
        # A false count would otherwise be believed before the first missing tensor is met.
        file.shape(f"blk.{self.shape.blocks - 1}.attn_q.weight")

    def hidden(
        self,
        token_ids: Sequence[int],
        *,
        observe: Observer = lambda _name, _inputs: None,
        blocks: int | None = None,
        on_block: Callable[[int], None] = lambda _done: None,
    ) -> Floats:
        """Run the blocks on a prompt.

        Args:
            token_ids: The prompt.
            observe: Given the name of each linear layer and its inputs, float32 (tokens, k).
            blocks: Run only this many blocks.
            on_block: Called after each block with the number done.

        Returns:
            The residual stream after the last block, float32, shape (tokens, hidden).

        Raises:
            ValueError: If there are no tokens or one is not in the vocabulary.
        """
        vocabulary = self.file.shape("token_embd.weight")[0]
        if not token_ids or not all(0 <= token < vocabulary for token in token_ids):
            raise ValueError(f"Prompt must be one or more tokens from 0 to {vocabulary - 1}")
        rows = [self.file.dequantise("token_embd.weight", slice(t, t + 1)) for t in token_ids]
        x = np.concatenate(rows)
        for block in range(self.shape.blocks if blocks is None else blocks):
            x = self._block(f"blk.{block}", x, observe)
            on_block(block + 1)
        return x

    def logits(self, token_ids: Sequence[int]) -> Floats:
        """Return the next token's logits after the prompt, float32, shape (vocabulary,)."""
        x = self._norm("output_norm.weight", self.hidden(token_ids)[-1:])
        # Without an output layer of its own, the model uses its embeddings (tied).
        tied = "output.weight" not in self.file.names
        head = "token_embd.weight" if tied else "output.weight"
        # A vocabulary in float64 would be the largest array of all: take it in pieces.
        starts = range(0, self.file.shape(head)[0], _HEAD_ROWS)
        return np.concatenate([self._linear(head, x, slice(s, s + _HEAD_ROWS))[0] for s in starts])

    def _block(self, name: str, x: Floats, observe: Observer) -> Floats:
        def linear(kind: str, inputs: Floats) -> Floats:
            observe(f"{name}.{kind}", inputs)
            return self._linear(f"{name}.{kind}.weight", inputs, slice(None))

        normed = self._norm(f"{name}.attn_norm.weight", x)
        q, k, v = (linear(kind, normed) for kind in ("attn_q", "attn_k", "attn_v"))
        x = x + linear("attn_output", attention(self.shape, q, k, v))
        normed = self._norm(f"{name}.ffn_norm.weight", x)
        gate, up = linear("ffn_gate", normed), linear("ffn_up", normed)
        return x + linear("ffn_down", swiglu(gate, up))

    def _linear(self, name: str, x: Floats, outputs: slice) -> Floats:
        weights = self.file.dequantise(name, outputs).astype(np.float64)
        if weights.shape[1] != x.shape[1]:
            raise ValueError(
                f"{self.file.path}: {name} must take {x.shape[1]} inputs, not {weights.shape[1]}"
            )
        product: Floats = (x.astype(np.float64) @ weights.T).astype(np.float32)
        return product

    def _norm(self, name: str, x: Floats) -> Floats:
        return rms_norm(x, self.file.dequantise(name), self.shape.norm_epsilon)


def rms_norm(x: Floats, weight: Floats, epsilon: float) -> Floats:
    """Return ``x / sqrt(mean(x**2) + epsilon) * weight`` over the last axis, as float32."""
    wide = x.astype(np.float64)
    size = np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + epsilon)
    normed: Floats = (wide / size * weight).astype(np.float32)
    return normed


def swiglu(gate: Floats, up: Floats) -> Floats:
    """Return ``gate * sigmoid(gate) * up`` as float32."""
    wide = gate.astype(np.float64)
    # exp(-|gate|) cannot overflow, unlike exp(-gate).
    small = np.exp(-np.abs(wide))
    sigmoid = np.where(wide >= 0, 1.0, small) / (1.0 + small)
    return (wide * sigmoid * up).astype(np.float32)


def rotate(x: Floats, base: float) -> Floats:
    """Turn each pair (2i, 2i+1) of each head by ``position * base**(-2i / head_dim)``.

    Args:
        x: Queries or keys, shape (tokens, heads, head_dim).
        base: Base of the frequencies.
    """
    tokens, _, head_dim = x.shape
    frequencies = base ** (-np.arange(0, head_dim, 2) / head_dim)
    angles = np.arange(tokens)[:, None, None] * frequencies
    wide = x.astype(np.float64)
    even, odd = wide[..., 0::2], wide[..., 1::2]
    cos, sin = np.cos(angles), np.sin(angles)
    turned = np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return turned.reshape(x.shape).astype(np.float32)


def attention(shape: LlamaShape, q: Floats, k: Floats, v: Floats) -> Floats:
    """Return causal grouped-query attention of one block, before its output layer.

    Args:
        shape: Heads and their size.
        q: Queries, float32, shape (tokens, heads * head_dim).
        k: Keys, float32, shape (tokens, kv_heads * head_dim).
        v: Values, as k.

    Returns:
        float32, shape (tokens, heads * head_dim).
    """
    tokens = q.shape[0]
    queries = rotate(q.reshape(tokens, shape.heads, -1), shape.rope_base)
    keys = rotate(k.reshape(tokens, shape.kv_heads, -1), shape.rope_base)
    values = v.reshape(tokens, shape.kv_heads, -1)
    later = np.triu(np.ones((tokens, tokens), dtype=bool), 1)
    heads = []
    for head in range(shape.heads):
        kv = head * shape.kv_heads // shape.heads
        scores = queries[:, head].astype(np.float64) @ keys[:, kv].astype(np.float64).T
        scores = np.where(later, -np.inf, scores / np.sqrt(shape.head_dim))
        weights = softmax(scores.astype(np.float32)).astype(np.float64)
        heads.append((weights @ values[:, kv].astype(np.float64)).astype(np.float32))
    return np.concatenate(heads, axis=1)


def softmax(scores: Floats) -> Floats:
    """Return ``exp(scores)`` divided by its sum over the last axis, as float32."""
    wide = scores.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    shares: Floats = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares

"""The forward pass against one written otherwise: token by token, head by head, complex RoPE."""

import cmath
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_gguf import BLOCKS, FFN, HEADS, HIDDEN, KV_HEADS, write_llama

from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.llama import LINEAR_KINDS, Llama, LlamaShape, rotate, softmax, swiglu

Row = NDArray[np.float64]
IDS = (5, 200, 17, 17, 80, 3)
DIM = HIDDEN // HEADS


def reference_norm(row: Row, weight: Row) -> Row:
    return row / math.sqrt(sum(v * v for v in row) / len(row) + 1e-5) * weight


def turn(head: Row, position: int) -> Row:
    """Rotate pairs (2i, 2i+1) as complex numbers."""
    pairs = head[0::2] + 1j * head[1::2]
    angles = [position * 10000.0 ** (-2 * i / DIM) for i in range(DIM // 2)]
    turned = pairs * np.array([cmath.exp(1j * angle) for angle in angles])
    return np.stack([turned.real, turned.imag], axis=-1).ravel()


def reference_attention(queries: list[Row], keys: list[Row], values: list[Row]) -> Row:
    """Attend from the last of the rows; q heads h use kv head h // (heads / kv heads)."""
    out = []
    for h in range(HEADS):
        g = h // (HEADS // KV_HEADS)
        query = turn(queries[-1].reshape(HEADS, DIM)[h], len(queries) - 1)
        scores = [
            float(query @ turn(key.reshape(KV_HEADS, DIM)[g], position)) / math.sqrt(DIM)
            for position, key in enumerate(keys)
        ]
        powers = [math.exp(score) for score in scores]
        heads = [value.reshape(KV_HEADS, DIM)[g] for value in values]
        out.append(sum(p / sum(powers) * v for p, v in zip(powers, heads, strict=True)))
    return np.concatenate(out)


def reference_logits(file: GgufFile, ids: tuple[int, ...]) -> Row:
    def weight(name: str) -> Row:
        return file.dequantise(f"{name}.weight").astype(np.float64)

    rows = [weight("token_embd")[token] for token in ids]
    for block in range(BLOCKS):
        name = f"blk.{block}"
        normed = [reference_norm(row, weight(f"{name}.attn_norm")) for row in rows]
        q, k, v = ([weight(f"{name}.attn_{p}") @ row for row in normed] for p in "qkv")
        for t in range(len(rows)):
            mixed = reference_attention(q[: t + 1], k[: t + 1], v[: t + 1])
            rows[t] = rows[t] + weight(f"{name}.attn_output") @ mixed
        for t, row in enumerate(rows):
            normed_row = reference_norm(row, weight(f"{name}.ffn_norm"))
            gate = weight(f"{name}.ffn_gate") @ normed_row
            up = weight(f"{name}.ffn_up") @ normed_row
            rows[t] = row + weight(f"{name}.ffn_down") @ (gate / (1 + np.exp(-gate)) * up)
    return weight("token_embd") @ reference_norm(rows[-1], weight("output_norm"))


@pytest.fixture
def file(tmp_path: Path) -> GgufFile:
    return GgufFile(write_llama(tmp_path / "a.gguf"))


def test_logits_equal_a_token_by_token_reference(file: GgufFile) -> None:
    ours = Llama(file).logits(IDS)
    theirs = reference_logits(file, IDS)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_every_linear_layer_is_seen_with_its_inputs(file: GgufFile) -> None:
    seen = {}
    Llama(file).hidden(IDS, observe=lambda name, x: seen.update({name: x}))
    assert list(seen) == [f"blk.{b}.{kind}" for b in range(BLOCKS) for kind in LINEAR_KINDS]
    widths = {name.split(".")[-1]: x.shape for name, x in seen.items()}
    assert widths["ffn_down"] == (len(IDS), FFN)
    assert widths["attn_q"] == (len(IDS), HIDDEN)
    assert all(x.dtype == np.float32 for x in seen.values())


def test_later_tokens_do_not_change_earlier_ones(file: GgufFile) -> None:
    model = Llama(file)
    np.testing.assert_allclose(model.hidden(IDS)[:3], model.hidden(IDS[:3]), rtol=1e-5, atol=1e-6)


def test_stopping_early_gives_the_same_first_block(file: GgufFile) -> None:
    inputs, done = [], []
    model = Llama(file)
    model.hidden(IDS, observe=lambda _n, x: inputs.append(x), blocks=1, on_block=done.append)
    assert len(inputs) == len(LINEAR_KINDS)
    assert done == [1]


def test_position_zero_is_not_turned() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)
    turned = rotate(x, 10000.0)
    np.testing.assert_array_equal(turned[0], x[0])
    assert not np.allclose(turned[1], x[1])


def test_large_inputs_do_not_overflow() -> None:
    huge = np.array([[-1e30, -800.0, 0.0, 800.0, 1e30]], np.float32)
    assert swiglu(huge, np.ones_like(huge)).tolist() == [[0.0, 0.0, 0.0, 800.0, np.float32(1e30)]]
    assert softmax(np.array([[1e30, 0.0]], np.float32)).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("ids", [(), (260,), (-1,)])
def test_prompts_outside_the_vocabulary_are_refused(file: GgufFile, ids: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one or more tokens from 0 to 259"):
        Llama(file).hidden(ids)


def test_other_architectures_and_variants_are_refused_by_name(tmp_path: Path) -> None:
    scaled = write_llama(tmp_path / "a.gguf", llama__rope__scaling__type="yarn")
    with pytest.raises(ValueError, match="RoPE must be unscaled"):
        Llama(GgufFile(scaled))
    sizes = {"blocks": 1, "heads": 3, "kv_heads": 2, "head_dim": 4}
    with pytest.raises(ValueError, match="Heads must be a multiple of kv heads"):
        LlamaShape(**sizes, rope_base=1e4, norm_epsilon=1e-5)

"""Matrix products of known language models: shapes by model, phase and prompt.

``data/llm_models.csv`` has one row per kind of product, with the source of its dimensions. From it
``model_gemms`` makes the products of one step:

* Prefill computes all ``tokens`` of each of ``batch`` prompts. A weight layer sees every token of
  the batch at once: m = tokens * batch. Attention is per sequence and query head: scores are
  (tokens, head_dim) by (head_dim, tokens), values (tokens, tokens) by (tokens, head_dim), once for
  each head of each sequence. Nothing is cached before the prompt, so the context is the prompt
  itself; a longer ``context`` (a cached prefix) may be given. The causal half that could be skipped
  is counted: an engine without masking computes it. Only the last token of a prompt needs the
  vocabulary head: its m is ``batch``.
* Decode computes one token of each of ``batch`` sequences: m = batch for weight layers; attention
  sees ``context`` cached tokens with m = 1. With grouped-query attention the heads that share k and
  v could share one product of m = heads / kv_heads; they are counted one by one, as they differ in
  their rows only.
* Experts: each token goes through ``experts_per_token`` of ``experts``. Routing is taken to be
  even: rows = m * experts_per_token fall on min(experts, rows) experts, each given
  ceil(rows / experts in use) rows, so that no product is left out; a ragged share is rounded up.

Encoders (BERT, MiniLM) have a prefill only. The embedding look-up is no product and is not listed.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType

from bitweight.workloads.gemm import Gemm
from bitweight.workloads.phase import Phase

_TABLE = "llm_models.csv"
_DEFAULT_TOKENS = 512
_DEFAULT_CONTEXT = 2048
_ENCODERS = ("bert",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One kind of product of a model; ``n`` or ``k`` of 0 stands for the context length."""

    gemm: str
    scope: str
    calls: int
    n: int
    k: int
    experts: int
    experts_per_token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A language model, as far as its matrix products go.

    Attributes:
        name: Slug, for example ``llama-2-7b``.
        title: Its usual name.
        architecture: Family, for example ``llama``.
        weight_params: Weights of all linear layers and experts; tied heads count 0.
        source: Where its dimensions were read.
        rows: Kinds of products.
    """

    name: str
    title: str
    architecture: str
    weight_params: int
    source: str
    rows: tuple[_Row, ...]


def _size(text: str) -> int:
    return 0 if text == "S" else int(text)


def _row(cells: Mapping[str, str]) -> _Row:
    return _Row(
        gemm=cells["gemm"],
        scope=cells["scope"],
        calls=int(cells["calls_per_token"]),
        n=_size(cells["n"]),
        k=_size(cells["k"]),
        experts=int(cells["experts"]) if cells["gemm"].startswith("ffn") else 1,
        experts_per_token=int(cells["experts_per_token"]),
    )


@cache
def models() -> Mapping[str, Model]:
    """Return all models by slug, in the table's order."""
    table = resources.files("bitweight.workloads") / "data" / _TABLE
    by_title: dict[str, list[dict[str, str]]] = {}
    for cells in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        by_title.setdefault(cells["model"], []).append(cells)
    return MappingProxyType({model.name: model for model in map(_model, by_title.values())})


def _model(rows: list[dict[str, str]]) -> Model:
    first = rows[0]
    return Model(
        name=first["model"].lower(),
        title=first["model"],
        architecture=first["arch"],
        weight_params=sum(int(cells["weight_params"]) for cells in rows),
        source=first["source"],
        rows=tuple(map(_row, rows)),
    )


def model_gemms(
    name: str,
    *,
    phase: Phase | str,
    tokens: int = _DEFAULT_TOKENS,
    batch: int = 1,
    context: int | None = None,
) -> tuple[Gemm, ...]:
    """Return the matrix products of one step of a model.

    Args:
        name: A model's slug, for example ``smollm2-135m``.
        phase: ``prefill`` or ``decode``.
        tokens: Prompt length of a prefill; a decode does not use it.
        batch: Sequences computed together.
        context: Tokens attended to: by default the prompt in a prefill, 2048 in a decode.

    Returns:
        One entry per kind of product, ``calls`` times each.

    Raises:
        ValueError: If there is no such model or phase, or a size is out of range.
    """
    model = find_model(name)
    step = Phase.parse(phase)
    if step is Phase.DECODE and model.architecture in _ENCODERS:
        raise ValueError(f"Phase of {model.name} must be prefill: an encoder does not decode")
    for size_name, size in (("tokens", tokens), ("batch", batch), ("context", context)):
        if size is not None and size < 1:
            raise ValueError(f"{size_name.capitalize()} must be at least 1, not {size!r}")
    rows = tokens if step is Phase.PREFILL else 1
    attended = context or (tokens if step is Phase.PREFILL else _DEFAULT_CONTEXT)
    if step is Phase.PREFILL and attended < tokens:
        raise ValueError(f"Context must hold the prompt of {tokens} tokens, not {attended}")
    return tuple(_gemm(row, rows, batch, attended) for row in model.rows)


def find_model(name: str) -> Model:
    """Return the model of that slug.

    Raises:
        ValueError: If there is none; the message suggests the nearest.
    """
    if name not in models():
        near = get_close_matches(name.lower(), models(), n=1, cutoff=0)
        raise ValueError(
            f"Model must be one of {', '.join(models())}, not {name!r}; the nearest is {near[0]!r}"
        )
    return models()[name]


def _gemm(row: _Row, tokens: int, batch: int, context: int) -> Gemm:
    n, k = row.n or context, row.k or context
    if row.scope == "layer_head":
        calls = row.calls * batch
        return Gemm(name=row.gemm, m=tokens, n=n, k=k, calls=calls, weighted=False)
    if row.scope == "model":
        return Gemm(name=row.gemm, m=batch, n=n, k=k, calls=row.calls)
    if row.experts == 1:
        return Gemm(name=row.gemm, m=tokens * batch, n=n, k=k, calls=row.calls)
    routed = tokens * batch * row.experts_per_token
    used = min(row.experts, routed)
    layers = row.calls // row.experts_per_token
    return Gemm(name=row.gemm, m=-(-routed // used), n=n, k=k, calls=layers * used)

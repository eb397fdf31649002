"""Capture a trace: run a model on a text and keep what its linear layers compute.

The model runs in floating point; the inputs and weights of the chosen layers are then quantised
(``quantize.w8a8``) and multiplied exactly, so that a trace holds real integers with their golden
accumulators.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.layer import Layer
from bitweight.workloads.llama import LINEAR_KINDS, Floats, Llama
from bitweight.workloads.quantize import W8A8
from bitweight.workloads.tokenizer import Tokenizer
from bitweight.workloads.trace import Trace

# No version: the same model and text make the same bytes, whichever release captures them.
_PRODUCER = "bitweight trace capture"
OnBlock = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One layer to capture.

    Attributes:
        block: Its block in the model, from 0.
        kind: Which of ``LINEAR_KINDS`` it is.
        outputs: Keep only the first this many outputs, and say so in the name; None for all.
    """

    block: int
    kind: str
    outputs: int | None = None

    def __post_init__(self) -> None:
        """Refuse layers that no Llama model has."""
        if self.block < 0:
            raise ValueError(f"Block must be at least 0, not {self.block!r}")
        if self.kind not in LINEAR_KINDS:
            kinds = ", ".join(LINEAR_KINDS)
            raise ValueError(f"Layer kind must be one of {kinds}, not {self.kind!r}")
        if self.outputs is not None and self.outputs < 1:
            raise ValueError(f"Outputs to keep must be at least 1, not {self.outputs!r}")

    @property
    def name(self) -> str:
        """The layer's name in the model, for example ``blk.3.attn_q``."""
        return f"blk.{self.block}.{self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Every kind in every block.

    Attributes:
        blocks: Blocks from 0; none means all of the model.
        kinds: Some of ``LINEAR_KINDS``; none means all.
        outputs: Keep only the first this many outputs of each layer.
    """

    blocks: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    outputs: int | None = None

    def cuts(self, block_count: int) -> tuple[Cut, ...]:
        """Return the layers chosen from a model of ``block_count`` blocks.

        Raises:
            ValueError: If a kind is not a linear layer of a Llama block.
        """
        return tuple(
            Cut(block=block, kind=kind, outputs=self.outputs)
            for block in self.blocks or range(block_count)
            for kind in self.kinds or LINEAR_KINDS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What to capture.

    Attributes:
        text: The prompt; all of it is one prefill.
        layers: Which layers; a trace holds them in the order in which the model runs them.
        scales: How operands are quantised.
    """

    text: str
    layers: Selection | tuple[Cut, ...] = field(default_factory=Selection)
    scales: W8A8 = field(default_factory=W8A8)

    def __post_init__(self) -> None:
        """Refuse an empty prompt."""
        if not self.text:
            raise ValueError("Text to capture must not be empty")


def capture(
    path: str | Path, request: Capture, *, on_block: OnBlock = lambda _done, _total: None
) -> Trace:
    """Run a Llama-architecture GGUF model on a text and return its quantised layers.

    Args:
        path: The GGUF file.
        request: Text, layers and scales.
        on_block: Told how many blocks of how many are done.

    Raises:
        ValueError: If the model cannot be run, has no such layer, or the extra ``gguf`` is missing.
        OSError: If the file cannot be read.
    """
    file = GgufFile(path)
    model = Llama(file)
    cuts = _by_name(request.layers, model.shape.blocks)
    token_ids = Tokenizer.from_gguf(file).encode(request.text)
    blocks = 1 + max(cut.block for cut in cuts.values())
    layers: list[Layer] = []

    def observe(name: str, inputs: Floats) -> None:
        if name in cuts:
            layers.append(_layer(file, cuts[name], inputs, request.scales))

    # Weights that overflow give values that are not finite, which the quantiser refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        model.hidden(
            token_ids, observe=observe, blocks=blocks, on_block=lambda done: on_block(done, blocks)
        )
    return Trace(
        layers=tuple(layers),
        model=file.metadata("general.name", str, default=""),
        producer=_PRODUCER,
        source_sha256=file.sha256(),
        text=request.text,
        token_ids=token_ids,
    )


def _by_name(layers: Selection | tuple[Cut, ...], block_count: int) -> dict[str, Cut]:
    cuts = layers.cuts(block_count) if isinstance(layers, Selection) else layers
    beyond = next((cut.block for cut in cuts if cut.block >= block_count), None)
    if beyond is not None:
        raise ValueError(f"Block must be one of the model's, 0 to {block_count - 1}, not {beyond}")
    return {cut.name: cut for cut in cuts}


def _layer(file: GgufFile, cut: Cut, inputs: Floats, scales: W8A8) -> Layer:
    weight = f"{cut.name}.weight"
    is_cut = cut.outputs is not None and cut.outputs < file.shape(weight)[0]
    name = f"{cut.name}.first_{cut.outputs}" if is_cut else cut.name
    return scales.layer(name, inputs, file.dequantise(weight, slice(0, cut.outputs)).T)

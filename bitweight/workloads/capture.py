"""Capture a trace: run a model on a text and keep what its linear layers compute.

The model runs in floating point; the inputs and weights of the chosen layers are then quantised
(``quantize.w8a8``) and multiplied exactly, so that a trace holds real integers with their golden
accumulators.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

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
        name: Its name in the model, for example ``blk.3.attn_q``.
        outputs: Keep only the first this many outputs, and say so in the name; None for all.
    """

    name: str
    outputs: int | None = None

    def __post_init__(self) -> None:
        """Refuse a cut that leaves nothing."""
        if self.outputs is not None and self.outputs < 1:
            raise ValueError(f"Outputs to keep must be at least 1, not {self.outputs!r}")

    @property
    def block(self) -> int:
        """Block of the model that holds the layer."""
        return int(self.name.split(".")[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What to capture.

    Attributes:
        text: The prompt; all of it is one prefill.
        cuts: Layers; none means every linear layer of every block, whole.
        scales: How operands are quantised.
    """

    text: str
    cuts: tuple[Cut, ...] = ()
    scales: W8A8 = field(default_factory=W8A8)

    def __post_init__(self) -> None:
        """Refuse an empty prompt."""
        if not self.text:
            raise ValueError("Text to capture must not be empty")


def choose_layers(
    blocks: Collection[int], kinds: Collection[str], outputs: int | None
) -> tuple[Cut, ...]:
    """Return the cuts of every ``kind`` in every block, in the model's order.

    Raises:
        ValueError: If a kind is not a linear layer of a Llama block.
    """
    unknown = next((kind for kind in kinds if kind not in LINEAR_KINDS), None)
    if unknown is not None:
        raise ValueError(f"Layer kind must be one of {', '.join(LINEAR_KINDS)}, not {unknown!r}")
    return tuple(
        Cut(name=f"blk.{block}.{kind}", outputs=outputs)
        for block in sorted(set(blocks))
        for kind in LINEAR_KINDS
        if kind in kinds
    )


def capture(
    path: str | Path, request: Capture, *, on_block: OnBlock = lambda _done, _total: None
) -> Trace:
    """Run a Llama-architecture GGUF model on a text and return its quantised layers.

    Args:
        path: The GGUF file.
        request: Text, layers and scales.
        on_block: Told how many blocks of how many are done.

    Raises:
        ValueError: If the model cannot be run, or has no such layer.
        OSError: If the file cannot be read.
    """
    file = GgufFile(path)
    model = Llama(file)
    cuts = request.cuts or choose_layers(range(model.shape.blocks), LINEAR_KINDS, None)
    wanted = _by_name(model, cuts)
    token_ids = Tokenizer.from_gguf(file).encode(request.text)
    blocks = 1 + max(cut.block for cut in cuts)
    layers: list[Layer] = []

    def observe(name: str, inputs: Floats) -> None:
        if name in wanted:
            layers.append(_layer(file, wanted[name], inputs, request.scales))

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


def _by_name(model: Llama, cuts: tuple[Cut, ...]) -> dict[str, Cut]:
    known = {cut.name for cut in choose_layers(range(model.shape.blocks), LINEAR_KINDS, None)}
    for cut in cuts:
        if cut.name not in known:
            raise ValueError(
                f"Layer must be one of blk.0 to blk.{model.shape.blocks - 1} and "
                f"{', '.join(LINEAR_KINDS)}, not {cut.name!r}"
            )
    return {cut.name: cut for cut in cuts}


def _layer(file: GgufFile, cut: Cut, inputs: Floats, scales: W8A8) -> Layer:
    weights = file.dequantise(f"{cut.name}.weight", slice(0, cut.outputs)).T
    is_cut = cut.outputs is not None and cut.outputs < file.shape(f"{cut.name}.weight")[0]
    name = f"{cut.name}.first_{cut.outputs}" if is_cut else cut.name
    return scales.layer(name, inputs, weights)

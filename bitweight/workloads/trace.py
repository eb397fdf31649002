"""Trace files: real integer operands of a model's layers, with golden accumulators.

One safetensors file with one JSON document (``trace_document``). ``Trace.load`` reads and checks
the description of everything but takes no memory for values: layers read these when asked.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bitweight.workloads.json_fields import JsonFields
from bitweight.workloads.layer import Layer
from bitweight.workloads.packed_layer import AnyLayer
from bitweight.workloads.phase import Phase
from bitweight.workloads.tensors import StoredTensor, Tensor, open_tensors, tensors_to_bytes
from bitweight.workloads.trace_document import LayerReader, check_layer_name, layer_to_json
from bitweight.workloads.whole_files import write_whole

FORMAT = "bitweight-trace"
VERSION = 1
_KEY = "trace"
_EXAMPLE = "smollm2_example.safetensors"
_PACKED_EXAMPLE = "smollm2_packed.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Layers of one run of one model.

    Attributes:
        layers: In the order in which the model runs them; names are unique.
        model: Name of the model, or "" if there is none.
        producer: What made the file.
        source_sha256: SHA-256 of the model file in hexadecimal, or "" if there is none.
        phase: Prefill or decode.
        text: The prompt, or "".
        token_ids: The prompt's tokens; a layer's m is their number in a prefill.
    """

    layers: tuple[AnyLayer, ...]
    model: str = ""
    producer: str = ""
    source_sha256: str = ""
    phase: Phase = Phase.PREFILL
    text: str = ""
    token_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty trace and layers that share a name."""
        if not self.layers:
            raise ValueError("Trace must have at least one layer, not none")
        names = [layer.name for layer in self.layers]
        for name, count in Counter(names).items():
            check_layer_name(name)
            if count > 1:
                raise ValueError(f"Layer names must differ, but {name!r} comes {count} times")

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read the description of a trace file and check that its tensors fit it.

        Raises:
            ValueError: If the file is truncated, is no trace, or contradicts itself.
            OSError: If it cannot be opened.
        """
        file = Path(path)
        tensors, metadata = open_tensors(file)
        if _KEY not in metadata:
            raise ValueError(
                f"{file}: metadata must have a key {_KEY!r}, which is missing: this is no trace; "
                "`bitweight trace capture` makes one"
            )
        try:
            return _parse(metadata[_KEY], tensors)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error

    @classmethod
    def example(cls) -> "Trace":
        """Load the shipped example: four layers of SmolLM2-135M on a real text."""
        return cls.load(example_path())

    @classmethod
    def packed_example(cls) -> "Trace":
        """Load the shipped packed example: a layer of the example, in every packed format.

        Layers are named after the layer and the format, as ``blk.17.attn_k.nf4``.
        """
        return cls.load(packed_example_path())

    @property
    def integer_layers(self) -> tuple[Layer, ...]:
        """The layers whose weights are integer codes, not packed; all of the shipped example's."""
        return tuple(layer for layer in self.layers if isinstance(layer, Layer))

    def layer(self, name: str) -> AnyLayer:
        """Return the layer of that name.

        Raises:
            ValueError: If there is none; the message suggests the nearest.
        """
        by_name = {layer.name: layer for layer in self.layers}
        if name not in by_name:
            near = get_close_matches(name, by_name, n=1, cutoff=0)
            raise ValueError(
                f"Layer must be one of the trace's, not {name!r}; the nearest is {near[0]!r}"
            )
        return by_name[name]

    def to_bytes(self) -> bytes:
        """Return the trace as a file's bytes; the same trace gives the same bytes."""
        store = _Store()
        document = {
            "format": FORMAT,
            "version": VERSION,
            "producer": self.producer,
            "model": self.model,
            "source_sha256": self.source_sha256,
            "phase": str(self.phase),
            "text": self.text,
            "token_ids": list(self.token_ids),
            "layers": [layer_to_json(layer, store.name) for layer in self.layers],
        }
        return tensors_to_bytes(store.tensors, _KEY, document)

    def save(self, path: str | Path) -> None:
        """Write the trace; a failure leaves the old file or none.

        Raises:
            OSError: If it cannot be written.
        """
        write_whole(Path(path), self.to_bytes())


def example_path() -> Path:
    """Return where the shipped example is installed."""
    return _data(_EXAMPLE)


def packed_example_path() -> Path:
    """Return where the shipped packed example is installed."""
    return _data(_PACKED_EXAMPLE)


def _data(name: str) -> Path:
    return Path(str(resources.files("bitweight.workloads") / "data" / name))


class _Store:
    """Tensors to write, each once however many layers share it."""

    def __init__(self) -> None:
        self.tensors: dict[str, NDArray[Any]] = {}
        self._names: dict[object, str] = {}

    def name(self, wish: str, tensor: Tensor) -> str:
        """Store ``tensor`` as ``wish`` unless it is stored already, and return its name."""
        values = tensor.read()
        # Equal bytes are one tensor: q, k and v hold separate reads of the same activations.
        digest = hashlib.sha256(values.tobytes()).digest()
        identity = (values.shape, values.dtype.str, digest)
        if identity not in self._names:
            self._names[identity] = wish
            self.tensors[wish] = values
        return self._names[identity]


def _parse(text: str, tensors: Mapping[str, StoredTensor]) -> Trace:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"metadata {_KEY!r} must be JSON: {error}") from error
    fields = JsonFields(document, _KEY)
    _check_version(fields)
    reader = LayerReader(tensors)
    trace = Trace(
        layers=tuple(
            reader.read(entry, f"layers[{index}]")
            for index, entry in enumerate(fields.take("layers", list))
        ),
        model=fields.take("model", str),
        producer=fields.take("producer", str),
        source_sha256=fields.take("source_sha256", str),
        phase=Phase.parse(fields.take("phase", str)),
        text=fields.take("text", str),
        token_ids=_token_ids(fields.take("token_ids", list)),
    )
    fields.finish()
    unused = sorted(set(tensors) - reader.used)
    if unused:
        raise ValueError(f"every tensor must belong to a layer, but {unused[0][:80]!r} does not")
    return trace


def _check_version(fields: JsonFields) -> None:
    kind, version = fields.take("format", str), fields.take("version", int)
    if kind != FORMAT:
        raise ValueError(f"format must be {FORMAT!r}, not {kind[:80]!r}")
    if version != VERSION:
        raise ValueError(
            f"version must be {VERSION}, not {version!r}; use a bitweight that writes version "
            f"{VERSION}, or update this one"
        )


def _token_ids(values: list[object]) -> tuple[int, ...]:
    ids = tuple(value for value in values if type(value) is int and value >= 0)
    if len(ids) != len(values):
        raise ValueError("token_ids must be integers from 0")
    return ids

"""The JSON document of a trace file: what the tensors beside it mean.

Written under the metadata key ``trace``, version 1::

    {"format": "bitweight-trace", "version": 1, "producer": "...", "model": "...",
     "source_sha256": "...", "phase": "prefill", "text": "...", "token_ids": [...],
     "layers": [{"name": "blk.3.attn_q", "op": "linear", "m": 24, "n": 576, "k": 576, "group": null,
       "x": {"tensor": "blk.3.attn_q.x", "bits": 8, "signed": true,
             "encoding": "twos_complement", "layout": "MK", "granularity": "token",
             "scale": "blk.3.attn_q.x_scale", "zero_point": null,
             "minimum": null, "rounding": "half_even"},
       "w": {..., "layout": "NK", "granularity": "channel", ...},
       "acc": {"bits": 32, "overflow": "wrap", "tensor": "blk.3.attn_q.acc"},
       "bias": null, "y": null}]}

Codes are one per byte (two bytes above 8 bits). ``layout`` says how the file holds codes: MK or
KM for x, NK or KN for w. Scales and zero points are always held as ``Granularity`` shows them.
``granularity`` is ``tensor``, ``token`` (x), ``channel`` (w) or ``group:G``, with G along k the
layer's ``group``; a group makes ``acc`` (m, n, groups) even where scales are coarser.
Several layers may name one tensor: it is stored once. Packed weights are described in
``packed_document``; such a layer has no ``group``, ``acc`` and ``y``.
"""

from collections.abc import Callable, Mapping
from functools import partial, singledispatch
from typing import Any

from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gemm import check_sizes
from bitweight.workloads.json_fields import JsonFields
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Granularity, Operand, Rounding
from bitweight.workloads.packed_document import packed_to_json, read_packed
from bitweight.workloads.packed_layer import AnyLayer, PackedLayer
from bitweight.workloads.tensors import StoredTensor, Tensor

_OPS = ("linear", "matmul")
_STORED_AS_READ = {"x": {"MK": True, "KM": False}, "w": {"KN": True, "NK": False}}
_ENCODINGS = {True: "twos_complement", False: "unsigned"}

TensorNamer = Callable[[str, Tensor], str]


@singledispatch
def layer_to_json(layer: Any, name_tensor: TensorNamer) -> dict[str, Any]:
    """Describe a layer; ``name_tensor(wish, tensor)`` says under which name a tensor is stored."""
    raise TypeError(f"No trace holds a {type(layer).__name__}")


@layer_to_json.register
def _(layer: Layer, name_tensor: TensorNamer) -> dict[str, Any]:
    x, w = layer.x_granularity, layer.w_granularity
    named = partial(_named, layer.name, name_tensor)
    return {
        **_sizes(layer),
        "group": layer.group,
        "x": _side("MK", layer.x_operand, granularity_name(x, layer.group), partial(named, "x")),
        "w": _side("KN", layer.w_operand, granularity_name(w, layer.group), partial(named, "w")),
        "acc": {
            "bits": layer.acc_bits,
            "overflow": "wrap",
            "tensor": named("acc", "", layer.golden_tensor),
        },
        "bias": named("bias", "", layer.bias),
        "y": named("y", "", layer.y),
    }


@layer_to_json.register
def _(layer: PackedLayer, name_tensor: TensorNamer) -> dict[str, Any]:
    named = partial(_named, layer.name, name_tensor)
    return {
        **_sizes(layer),
        "x": _side("MK", layer.x_operand, str(layer.x_granularity), partial(named, "x")),
        "w": {"packed": packed_to_json(f"{layer.name}.w", layer.w_tensors, name_tensor)},
        "bias": named("bias", "", layer.bias),
    }


def _named(
    layer: str, name_tensor: TensorNamer, part: str, suffix: str, tensor: Tensor | None
) -> str | None:
    return None if tensor is None else name_tensor(f"{layer}.{part}{suffix}", tensor)


def _sizes(layer: AnyLayer) -> dict[str, Any]:
    return {"name": layer.name, "op": "linear", "m": layer.m, "n": layer.n, "k": layer.k}


def _side(
    layout: str,
    operand: Operand,
    granularity: str,
    named: Callable[[str, Tensor | None], str | None],
) -> dict[str, Any]:
    return {
        "tensor": named("", operand.codes),
        "bits": operand.format.width,
        "signed": operand.format.signed,
        "encoding": _ENCODINGS[operand.format.signed],
        "layout": layout,
        "granularity": granularity,
        "scale": named("_scale", operand.scale),
        "zero_point": named("_zp", operand.zero_point),
        "minimum": named("_min", operand.minimum),
        "rounding": str(operand.rounding),
    }


class LayerReader:
    """Turns descriptions of layers into layers over the tensors of one file.

    Args:
        tensors: The file's tensors by name. Those that layers use are noted in ``used``.
    """

    def __init__(self, tensors: Mapping[str, StoredTensor]) -> None:
        self._tensors = tensors
        self.used: set[str] = set()

    def read(self, value: object, where: str) -> AnyLayer:
        """Read one entry of ``layers``.

        Raises:
            ValueError: If a key, a type, a shape or a name is wrong.
        """
        fields = JsonFields(value, where)
        name = _layer_name(fields)
        fields.where = f"layer {name}"
        _choice(fields, "op", _OPS)
        sizes = {size: fields.take(size, int) for size in "mnk"}
        w = JsonFields(fields.take("w", dict), f"{fields.where}.w")
        read = self._read_packed if "packed" in w else self._read_integer
        layer = read(name, fields, w, sizes)
        fields.finish()
        return layer

    def _read_integer(
        self, name: str, fields: JsonFields, w_part: JsonFields, sizes: Mapping[str, int]
    ) -> Layer:
        group = fields.take_optional("group", int)
        x_part = JsonFields(fields.take("x", dict), f"{fields.where}.x")
        x = self._operand(x_part, "x", (sizes["m"], sizes["k"]), group)
        w = self._operand(w_part, "w", (sizes["k"], sizes["n"]), group)
        acc = JsonFields(fields.take("acc", dict), f"layer {name}.acc")
        _choice(acc, "overflow", ("wrap",))
        layer = Layer(
            name=name,
            x_operand=x,
            w_operand=w,
            group=group,
            acc_bits=acc.take("bits", int),
            golden_tensor=self._tensor(acc, "tensor"),
            bias=self._tensor(fields, "bias"),
            y=self._tensor(fields, "y"),
        )
        acc.finish()
        return layer

    def _read_packed(
        self, name: str, fields: JsonFields, w_part: JsonFields, sizes: Mapping[str, int]
    ) -> PackedLayer:
        check_sizes(**sizes)
        x_part = JsonFields(fields.take("x", dict), f"{fields.where}.x")
        packed = JsonFields(w_part.take("packed", dict), f"{w_part.where}.packed")
        w_part.finish()
        return PackedLayer(
            name=name,
            x_operand=self._operand(x_part, "x", (sizes["m"], sizes["k"]), None),
            w_tensors=read_packed(packed, f"{name}.w", self._look_up, k=sizes["k"], n=sizes["n"]),
            bias=self._tensor(fields, "bias"),
        )

    def _operand(
        self, part: JsonFields, side: str, shape: tuple[int, int], group: int | None
    ) -> Operand:
        codes = self._required(part, "tensor")
        layouts = _STORED_AS_READ[side]
        if not layouts[_choice(part, "layout", tuple(layouts))]:
            codes = codes.transpose() if len(codes.shape) == 2 else codes
        if codes.shape != shape:
            raise ValueError(
                f"{part.where} must have shape {shape} by the layer's m, n, k, not {codes.shape}"
            )
        signed = part.take("signed", bool)
        _choice(part, "encoding", (_ENCODINGS[signed],))
        operand = Operand(
            name=part.where.removeprefix("layer "),
            codes=codes,
            format=IntFormat(width=part.take("bits", int), signed=signed),
            scale=self._tensor(part, "scale"),
            zero_point=self._tensor(part, "zero_point"),
            minimum=self._tensor(part, "minimum"),
            rounding=Rounding(_choice(part, "rounding", tuple(Rounding))),
        )
        along = Granularity.TOKEN if side == "x" else Granularity.CHANNEL
        expected = granularity_name(operand.granularity(along), group)
        stated = part.take("granularity", str)
        if stated != expected:
            raise ValueError(
                f"{part.where}.granularity must be {expected}, as the shape of its scale shows, "
                f"not {stated[:80]!r}"
            )
        part.finish()
        return operand

    def _required(self, fields: JsonFields, key: str) -> StoredTensor:
        return self._look_up(fields.take(key, str), fields.where)

    def _tensor(self, fields: JsonFields, key: str) -> StoredTensor | None:
        name = fields.take_optional(key, str)
        return None if name is None else self._look_up(name, f"{fields.where}.{key}")

    def _look_up(self, name: str, where: str) -> StoredTensor:
        if name not in self._tensors:
            raise ValueError(f"{where} must name a tensor of the file, not {name[:80]!r}")
        self.used.add(name)
        return self._tensors[name]


def check_layer_name(name: str) -> None:
    """Refuse names that could not be a tensor's, a file's or a table's.

    Raises:
        ValueError: If ``name`` is not 1 to 200 ASCII letters, digits and ``._:/-``.
    """
    allowed = name.isascii() and all(c.isalnum() or c in "._:/-" for c in name)
    if not (allowed and 1 <= len(name) <= 200):
        raise ValueError(
            f"Layer name must be 1 to 200 letters, digits or ._:/- characters, not {name[:80]!r}"
        )


def _layer_name(fields: JsonFields) -> str:
    name = fields.take("name", str)
    check_layer_name(name)
    return name


def _choice(fields: JsonFields, key: str, choices: tuple[str, ...]) -> str:
    value = fields.take(key, str)
    if value not in choices:
        raise ValueError(f"{fields.where}.{key} must be {' or '.join(choices)}, not {value[:80]!r}")
    return value


def granularity_name(granularity: Granularity, group: int | None) -> str:
    """Return ``tensor``, ``token``, ``channel`` or, with the group's length, ``group:32``."""
    return f"group:{group}" if granularity is Granularity.GROUP else str(granularity)

"""Packed weights in a trace's JSON document: a format by its fields, and the tensors it reads.

Under ``w`` of a layer, instead of what integer weights have::

    {"packed": {"format": {"name": "nf4", "kind": "ValueTable",
                           "fields": {"table": [...], "group": 128, "entry": "int8"}},
                "words": "blk.3.attn_q.w", "side": {},
                "scales": {"scale": "blk.3.attn_q.w_scale"}}}

``kind`` and ``fields`` are the dataclass of the format; ``name`` follows from them and is there to
be read by people.
"""

import dataclasses
import enum
import typing
from collections.abc import Callable
from typing import Any

from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gemm import MAX_SIZE
from bitweight.workloads.json_fields import JsonFields
from bitweight.workloads.packed_tensors import PackedTensors
from bitweight.workloads.packed_weights import WeightFormat
from bitweight.workloads.tensors import Tensor
from bitweight.workloads.weight_formats import FORMATS

_KINDS: dict[str, Any] = {type(form).__name__: type(form) for form in FORMATS.values()}


def packed_to_json(
    stem: str, weights: PackedTensors, name_tensor: Callable[[str, Tensor], str]
) -> dict[str, Any]:
    """Describe weights.

    Args:
        stem: What names of their tensors begin with.
        weights: The weights.
        name_tensor: Takes a wish and a tensor, and says under which name it is stored.
    """

    def named(tensors: typing.Mapping[str, Tensor]) -> dict[str, str]:
        return {part: name_tensor(f"{stem}_{part}", tensor) for part, tensor in tensors.items()}

    return {
        "format": _format_to_json(weights.format),
        "words": name_tensor(stem, weights.words),
        "side": named(weights.side),
        "scales": named(weights.scales),
    }


def read_packed(
    part: JsonFields, name: str, look_up: Callable[[str, str], Tensor], *, k: int, n: int
) -> PackedTensors:
    """Read a description of weights.

    Args:
        part: The JSON object under ``packed``.
        name: What messages call the weights.
        look_up: Returns the tensor of a name, and is told the place that names it.
        k: Inputs.
        n: Outputs.

    Raises:
        ValueError: If a key, a type, a name or a shape is wrong.
    """
    form = _read_format(JsonFields(part.take("format", dict), f"{part.where}.format"))
    layout = form.layout(k=k, n=n)

    def tensors(key: str, wanted: typing.Iterable[str]) -> dict[str, Tensor]:
        names = JsonFields(part.take(key, dict), f"{part.where}.{key}")
        found = {one: look_up(names.take(one, str), f"{names.where}.{one}") for one in wanted}
        names.finish()
        return found

    weights = PackedTensors(
        name=name,
        format=form,
        k=k,
        n=n,
        words=look_up(part.take("words", str), f"{part.where}.words"),
        side=tensors("side", layout.side),
        scales=tensors("scales", layout.scales),
    )
    part.finish()
    return weights


def _format_to_json(form: Any) -> dict[str, Any]:
    fields = {field.name: _to_json(getattr(form, field.name)) for field in dataclasses.fields(form)}
    return {"name": form.name, "kind": type(form).__name__, "fields": fields}


def _to_json(value: Any) -> Any:
    match value:
        case IntFormat():
            return str(value)
        case enum.Enum():
            return value.value
        case tuple():
            return [*value]
    return value


def _read_format(part: JsonFields) -> WeightFormat:
    name, kind = part.take("name", str), part.take("kind", str)
    if kind not in _KINDS:
        raise ValueError(f"{part.where}.kind must be {' or '.join(_KINDS)}, not {kind[:80]!r}")
    given = JsonFields(part.take("fields", dict), f"{part.where}.fields")
    hints = typing.get_type_hints(_KINDS[kind])
    values = {
        field.name: _read_field(given, field.name, hints[field.name])
        for field in dataclasses.fields(_KINDS[kind])
    }
    given.finish()
    part.finish()
    form: WeightFormat = _KINDS[kind](**values)
    if name != form.name:
        raise ValueError(
            f"{part.where}.name must be {form.name}, as its fields show, not {name[:80]!r}"
        )
    return form


def _read_field(given: JsonFields, name: str, kind: Any) -> Any:
    where = f"{given.where}.{name}"
    if kind == int | None:
        return _bounded(given.take_optional(name, int), where)
    if kind is int:
        return _bounded(given.take(name, int), where)
    if kind is IntFormat:
        return IntFormat.parse(given.take(name, str))
    if kind == tuple[float, ...]:
        values = given.take(name, list)
        if not all(type(value) is float for value in values):
            raise ValueError(f"{where} must be floats, such as 1.0")
        return tuple(values)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        text, choices = given.take(name, str), [str(member.value) for member in kind]
        if text not in choices:
            raise ValueError(f"{where} must be {' or '.join(choices)}, not {text[:80]!r}")
        return kind(text)
    return given.take(name, kind)


def _bounded(number: int | None, where: str) -> int | None:
    if number is not None and not 0 <= number <= MAX_SIZE:
        raise ValueError(f"{where} must be 0 to {MAX_SIZE}, not {str(number)[:80]}")
    return number

"""Frozen dataclasses varied by text: ``field=value``, dotted where they nest.

What ``--set`` gives the command line, for designs and for weight formats.
"""

import dataclasses
import difflib
import enum
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from bitweight.workloads.formats import IntFormat

_T = TypeVar("_T")


def vary(spec: _T, settings: Iterable[str]) -> _T:
    """Return ``spec`` with the fields that ``settings`` name replaced, all at once.

    Raises:
        ValueError: If a field is unknown, a value cannot be read, or the spec refuses it.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        path, is_assignment, text = setting.partition("=")
        if not is_assignment:
            raise ValueError(f"Setting must be FIELD=VALUE, not {setting!r}")
        _place(changes, path.split("."), text, setting)
    varied: _T = _replace(spec, changes)
    return varied


def settings_between(default: Any, spec: Any) -> tuple[str, ...]:
    """Return the settings that make ``spec`` of ``default``; ``vary`` reads them back.

    Raises:
        ValueError: If a part of ``spec`` is of another type than that of ``default``.
    """
    settings: list[str] = []
    for field in dataclasses.fields(spec):
        old, new = getattr(default, field.name), getattr(spec, field.name)
        if old == new:
            continue
        if dataclasses.is_dataclass(new) and not isinstance(new, IntFormat):
            if type(old) is not type(new):
                raise ValueError(f"{field.name} must be a {type(old).__name__}, not {new!r}")
            settings += (f"{field.name}.{inner}" for inner in settings_between(old, new))
        else:
            settings.append(f"{field.name}={setting_text(new)}")
    return tuple(settings)


def setting_text(value: Any) -> str:
    """Return a field's value as a setting gives it."""
    match value:
        case tuple():
            return ",".join(map(str, value))
        case enum.Enum():
            return str(value.value)
        case bool() | None:
            return str(value).lower()
    return str(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that suggests a known name, if one is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""


def _place(changes: dict[str, Any], path: list[str], text: str, setting: str) -> None:
    for name in path[:-1]:
        inner = changes.setdefault(name, {})
        if isinstance(inner, str) or isinstance(changes.get(path[-1]), dict):
            raise ValueError(f"Setting {setting!r} contradicts one before it")  # noqa: TRY004 - text
        changes = inner
    changes[path[-1]] = text


def _replace(spec: Any, changes: Mapping[str, Any]) -> Any:
    kinds = typing.get_type_hints(type(spec))
    values: dict[str, Any] = {}
    for name, change in changes.items():
        fields = [field.name for field in dataclasses.fields(spec)]
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise ValueError(
                f"{type(spec).__name__} has no field {name!r} (it has {known})"
                f"{nearest(name, fields)}"
            )
        current = getattr(spec, name)
        if isinstance(change, Mapping):
            if not dataclasses.is_dataclass(current):
                raise ValueError(f"Field {name!r} of {type(spec).__name__} has no fields inside")
            values[name] = _replace(current, change)
        else:
            values[name] = _read(kinds[name], name, change)
    return dataclasses.replace(spec, **values)


def _read(kind: Any, name: str, text: str) -> Any:
    if kind is IntFormat:
        return IntFormat.parse(text)
    if kind is bool:
        if text not in {"true", "false"}:
            raise ValueError(f"Field {name!r} must be true or false, not {text!r}")
        return text == "true"
    if kind == int | None and text == "none":
        return None
    if kind in {int, int | None}:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"Field {name!r} must be an integer, not {text!r}") from None
    if kind == tuple[float, ...]:
        try:
            return tuple(map(float, text.split(",")))
        except ValueError:
            raise ValueError(f"Field {name!r} must be numbers and commas, not {text!r}") from None
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        choices = [str(member.value) for member in kind]
        if text not in choices:
            raise ValueError(f"Field {name!r} must be one of {', '.join(choices)}, not {text!r}")
        return kind(text)
    raise ValueError(f"Field {name!r} cannot be set whole; set one of the fields inside it")

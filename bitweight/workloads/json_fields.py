"""Strict reading of JSON objects: each key once, of the right type, and no unknown ones."""

from typing import TypeVar

_T = TypeVar("_T")
_SHOWN = 60


class JsonFields:
    """One JSON object from which known keys are taken.

    Args:
        value: What the JSON parser made of it.
        where: How messages call it, for example ``layers[3]``.

    Raises:
        ValueError: If ``value`` is not an object.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(  # noqa: TRY004 - a bad file, not a bad call
                f"{where} must be a JSON object, not {_shown(value)}"
            )
        self._left: dict[str, object] = dict(value)
        self.where = where

    def __contains__(self, key: str) -> bool:
        """Tell whether ``key`` is there and not taken yet."""
        return key in self._left

    def take(self, key: str, kind: type[_T]) -> _T:
        """Return the value of ``key``.

        Raises:
            ValueError: If it is missing or not exactly a ``kind`` (true is not an integer).
        """
        if key not in self._left:
            raise ValueError(f"{self.where} must have a key {key!r}, which is missing")
        return self._typed(key, self._left.pop(key), kind)

    def take_optional(self, key: str, kind: type[_T]) -> _T | None:
        """Return the value of ``key``, or None if it is missing or null."""
        value = self._left.pop(key, None)
        return None if value is None else self._typed(key, value, kind)

    def _typed(self, key: str, value: object, kind: type[_T]) -> _T:
        if type(value) is not kind:
            raise ValueError(f"{self.where}.{key} must be {kind.__name__}, not {_shown(value)}")
        return value

    def finish(self) -> None:
        """Refuse what was not taken.

        Raises:
            ValueError: If a key is left, with its name.
        """
        if self._left:
            unknown = ", ".join(_shown(key) for key in sorted(self._left))
            raise ValueError(f"{self.where} must have only known keys, not {unknown[: _SHOWN * 2]}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."

"""What a sweep goes through, as data, and the TOML file that says it.

A space is the product of its axes: every design in each of its settings and weight formats, on
every layer, in every technology, at every clock::

    technologies = ["sg13g2", "asap7"]
    clocks_mhz = [100, 200]
    refused = "stop"                      # or "rows"

    [[designs]]
    names = ["systolic_os/mac", "systolic_os/carry_save"]
    settings = [[], ["rows=8", "cols=8"]] # each a list as --set takes them; default: [[]]
    formats = ["int8", "nf4"]             # of weights; default: the design's own

    [[layers]]
    trace = "example"                     # or a file, beside the TOML
    names = ["blk.17.attn_k"]             # default: all

    [[layers]]
    model = "smollm2-135m"
    phase = "decode"                      # and tokens, batch, context as for `simulate`
    names = ["attn_q", "ffn_down"]        # default: all that multiply weights
    operands = "normal:20"                # how values are drawn; default: normal:20
    seed = 0
"""

import enum
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from bitweight.cost_models import TECHNOLOGIES
from bitweight.workloads.operands import Distribution
from bitweight.workloads.phase import Phase
from bitweight.workloads.settings import nearest

_T = TypeVar("_T")
_E = TypeVar("_E", bound=enum.StrEnum)
_EXAMPLE = "example_space.toml"
_DRAWN = Distribution(std=20.0)
EXAMPLE_TRACE = "example"


class Refusals(enum.StrEnum):
    """What becomes of points that cannot be.

    Attributes:
        STOP: The first one ends the sweep before anything runs.
        ROWS: Each becomes a row that says why.
    """

    STOP = "stop"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignAxis:
    """Designs, each in all of the settings and formats.

    Attributes:
        names: Catalog names.
        settings: Variants, each the ``field=value`` that ``--set`` takes.
        formats: Weight formats by name; empty for the design's own.
    """

    names: tuple[str, ...]
    settings: tuple[tuple[str, ...], ...] = ((),)
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLayers:
    """Layers of a trace file.

    Attributes:
        path: The file; None for the shipped example.
        names: Layers; empty for all.
    """

    path: Path | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLayers:
    """Shapes of a model's layers, with how their values are drawn.

    Attributes:
        model: The model's slug.
        phase: Step of the model.
        names: Products, as ``attn_q``; empty for all that multiply weights.
        tokens: Prompt of a prefill.
        batch: Sequences computed together.
        context: Tokens attended to; None for the step's default.
        operands: How values are drawn.
        seed: Seed of the draw.
    """

    model: str
    phase: Phase = Phase.PREFILL
    names: tuple[str, ...] = ()
    tokens: int = 512
    batch: int = 1
    context: int | None = None
    operands: Distribution = _DRAWN
    seed: int = 0


LayerAxis = TraceLayers | ModelLayers


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """All axes of a sweep.

    Attributes:
        designs: Designs in their variants.
        layers: Layers.
        technologies: Names of technologies.
        clocks_mhz: Clocks.
        refused: What becomes of points that cannot be.
    """

    designs: tuple[DesignAxis, ...]
    layers: tuple[LayerAxis, ...]
    technologies: tuple[str, ...]
    clocks_mhz: tuple[float, ...]
    refused: Refusals = Refusals.STOP


def example_space() -> Path:
    """Return where the shipped example of a space is installed."""
    return Path(str(resources.files("bitweight.reports") / "data" / _EXAMPLE))


def read_space(path: Path) -> Space:
    """Read a space from a TOML file.

    Raises:
        ValueError: If the file is no TOML, or a key or a value is not one of a space.
        OSError: If it cannot be read.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except ValueError as error:  # TOML's own and bad UTF-8
        raise ValueError(f"{path} must be a TOML file: {error}") from error
    try:
        return _space(document, path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


class _Table:
    """A TOML table of known keys."""

    def __init__(self, values: Any, name: str, known: Sequence[str]) -> None:
        if not isinstance(values, dict):
            raise ValueError(f"{name} must be a table, not {values!r}")  # noqa: TRY004 - text
        for key in values:
            if key not in known:
                raise ValueError(
                    f"{name} has no key {key!r} (it has {', '.join(known)}){nearest(key, known)}"
                )
        self._values: dict[str, Any] = values
        self._name = name

    def take(self, key: str, read: Callable[[Any], _T], default: _T | None = None) -> _T:
        """Return what ``read`` makes of a key; without a default the key must be there."""
        if key not in self._values:
            if default is None:
                raise ValueError(f"{self._name} must have {key}, which is missing")
            return default
        try:
            return read(self._values[key])
        except ValueError as error:
            raise ValueError(f"{self._name}.{key}: {error}") from error

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self._values


def _space(document: Any, folder: Path) -> Space:
    keys = ("technologies", "clocks_mhz", "refused", "designs", "layers")
    table = _Table(document, "space", keys)
    return Space(
        technologies=table.take("technologies", _technologies),
        clocks_mhz=table.take("clocks_mhz", _clocks),
        refused=table.take("refused", _choice(Refusals), Refusals.STOP),
        designs=tuple(
            _designs(entry, f"designs[{place}]")
            for place, entry in enumerate(table.take("designs", _list))
        ),
        layers=tuple(
            _layers(entry, f"layers[{place}]", folder)
            for place, entry in enumerate(table.take("layers", _list))
        ),
    )


def _designs(entry: Any, name: str) -> DesignAxis:
    table = _Table(entry, name, ("names", "settings", "formats"))
    return DesignAxis(
        names=table.take("names", _texts),
        settings=table.take("settings", _settings, ((),)),
        formats=table.take("formats", _texts, ()),
    )


def _layers(entry: Any, name: str, folder: Path) -> LayerAxis:
    if isinstance(entry, dict) and "trace" in entry:
        return _trace_layers(_Table(entry, name, ("trace", "names")), folder)
    return _model_layers(_Table(entry, name, [field.name for field in fields(ModelLayers)]))


def _trace_layers(table: _Table, folder: Path) -> TraceLayers:
    file = table.take("trace", _text)
    return TraceLayers(
        path=None if file == EXAMPLE_TRACE else folder / file,
        names=table.take("names", _texts, ()),
    )


def _model_layers(table: _Table) -> ModelLayers:
    return ModelLayers(
        model=table.take("model", _text),
        phase=table.take("phase", _choice(Phase), Phase.PREFILL),
        names=table.take("names", _texts, ()),
        tokens=table.take("tokens", _count, 512),
        batch=table.take("batch", _count, 1),
        context=table.take("context", _count) if table.has("context") else None,
        operands=table.take("operands", _distribution, _DRAWN),
        seed=table.take("seed", _whole, 0),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a text, not {value!r}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"must be a list of at least one entry, not {value!r}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_text, _list(value))))


def _settings(value: Any) -> tuple[tuple[str, ...], ...]:
    variants = _list(value)
    for variant in variants:
        if not isinstance(variant, list):
            raise ValueError(f"must be lists of 'field=value', not {variant!r}")  # noqa: TRY004
    return tuple(dict.fromkeys(tuple(map(_text, variant)) for variant in variants))


def _technologies(value: Any) -> tuple[str, ...]:
    names = _texts(value)
    for name in names:
        if name not in TECHNOLOGIES:
            raise ValueError(
                f"must be of {', '.join(TECHNOLOGIES)}, not {name!r}{nearest(name, TECHNOLOGIES)}"
            )
    return names


def _clocks(value: Any) -> tuple[float, ...]:
    for clock in _list(value):
        if type(clock) not in (int, float) or not 0 < clock < float("inf"):
            raise ValueError(f"must be positive numbers of MHz, not {clock!r}")
    return tuple(dict.fromkeys(map(float, value)))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"must be an integer from 0, not {value!r}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"must be an integer from 1, not {value!r}")
    return value


def _distribution(value: Any) -> Distribution:
    return Distribution.parse(_text(value))


def _choice(kind: type[_E]) -> Callable[[Any], _E]:
    def read(value: Any) -> _E:
        if value not in list(kind):
            raise ValueError(f"must be one of {', '.join(kind)}, not {value!r}")
        return kind(value)

    return read

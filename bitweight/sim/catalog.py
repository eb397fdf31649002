"""The catalog: every design by name, as data.

``DESIGNS`` lists engines (``engine/pe``), ``PES`` the PEs. A name may carry operand formats:
``systolic_os/mac/int4xint8`` is the entry ``systolic_os/mac`` with a in int4 and b in int8.
"""

import dataclasses
import difflib
import enum
import typing
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast

from bitweight.sim.datapath import DatapathSpec
from bitweight.sim.datapaths.trit_planes import TritPlanesSpec
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.pe.digit import GroupedSpec, SharedEncoderSpec, SparseDigitSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec
from bitweight.sim.spec import DesignSpec, EngineSpec, PeSpec
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes

_PES: tuple[PeSpec, ...] = (MacSpec(), CarrySaveMacSpec())
_ENGINES: tuple[EngineSpec, ...] = (
    SystolicOsSpec(pe=MacSpec()),
    SystolicOsSpec(pe=CarrySaveMacSpec()),
    SystolicWsSpec(pe=MacSpec()),
    SystolicWsSpec(pe=CarrySaveMacSpec()),
    CubeSpec(pe=MacSpec()),
    CubeSpec(pe=CarrySaveMacSpec()),
    AdderTreeSpec(pe=MacSpec()),
    AdderTreeSpec(pe=SameWeightTreeSpec(), registers=3),
    Matrix2dSpec(pe=MacSpec()),
    Matrix2dSpec(pe=SameWeightMacSpec()),
    ColumnSpec(pe=SparseDigitSpec()),
    ColumnSpec(pe=SharedEncoderSpec()),
    ColumnSpec(pe=GroupedSpec()),
    DealtColumnSpec(pe=DealtPeSpec()),
    BitSerialSpec(),
    LaconicSpec(),
)
_DATAPATHS: tuple[DatapathSpec, ...] = (
    TritPlanesSpec(format=TritPlanes()),
    TritPlanesSpec(format=TritNine()),
)

PES: Mapping[str, PeSpec] = MappingProxyType({pe.name: pe for pe in _PES})
"""PEs at their default formats: int8 x int8, 32-bit accumulator."""

ENGINES: Mapping[str, EngineSpec] = MappingProxyType({spec.name: spec for spec in _ENGINES})
"""Engines of integer operands at their default size and formats."""

DATAPATHS: Mapping[str, BlockDotSpec] = MappingProxyType(
    {spec.name: spec for spec in (BlockDotSpec(pe=pe) for pe in _DATAPATHS)}
)
"""Engines of packed weights at their default size."""

DESIGNS: Mapping[str, DesignSpec] = MappingProxyType({**ENGINES, **DATAPATHS})
"""All engines."""


def design(name: str, settings: Iterable[str] = ()) -> DesignSpec:
    """Return the engine that ``name`` and ``settings`` describe.

    Args:
        name: ``engine/pe`` or ``engine/pe/AxB``.
        settings: ``field=value`` with dotted fields, for example ``rows=32`` or ``pe.a=int4``.

    Raises:
        ValueError: If the name, a field or a value is unknown; the message suggests the nearest.
    """
    entry, _, formats = name.partition("/")
    variant, _, formats = formats.partition("/")
    entry = f"{entry}/{variant}" if variant else entry
    if entry not in DESIGNS:
        raise ValueError(f"Design must be in the catalog, not {name!r}{_nearest(entry, DESIGNS)}")
    spec = DESIGNS[entry]
    if formats:
        a, is_pair, b = formats.partition("x")
        if not is_pair:
            raise ValueError(f"Operand formats must look like int8xint4, not {formats!r}")
        spec = vary(spec, (f"pe.a={a}", f"pe.b={b}"))
    return vary(spec, settings)


def integer_engine(name: str, settings: Iterable[str] = ()) -> EngineSpec:
    """Return ``design(name, settings)``, an engine of integer operands.

    Raises:
        ValueError: As ``design``, or if the engine takes packed weights.
    """
    spec = design(name, settings)
    if spec.name not in ENGINES:
        raise ValueError(f"Design must take integer weights, not packed ones as {spec.name} does")
    # What is named in ENGINES is such a spec; a protocol cannot be asked.
    return cast("EngineSpec", spec)


def vary(spec: DesignSpec, settings: Iterable[str]) -> DesignSpec:
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
    varied: DesignSpec = _replace(spec, changes)
    return varied


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
        if name not in kinds:
            fields = [field.name for field in dataclasses.fields(spec)]
            raise ValueError(
                f"{type(spec).__name__} has no field {name!r} (it has {', '.join(fields)})"
                f"{_nearest(name, fields)}"
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
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        choices = [member.value for member in kind]
        if text not in choices:
            raise ValueError(f"Field {name!r} must be one of {', '.join(choices)}, not {text!r}")
        return kind(text)
    raise ValueError(f"Field {name!r} cannot be set whole; set one of the fields inside it")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""

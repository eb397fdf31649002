"""The catalog: every design by name, as data.

``DESIGNS`` lists engines (``engine/pe``), ``PES`` the PEs. A name may carry operand formats:
``systolic_os/mac/int4xint8`` is the entry ``systolic_os/mac`` with a in int4 and b in int8, and
``systolic_os/mac/int8xnf4`` that entry behind a decoder of nf4 codes (``sim.engines.decoded``).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import cast

from bitweight.sim.datapath import DatapathSpec
from bitweight.sim.datapaths.bcq import BcqSpec
from bitweight.sim.datapaths.dual_grained import DualGrainedSpec
from bitweight.sim.datapaths.i2_s import I2SSpec
from bitweight.sim.datapaths.seedlm import SeedlmSpec
from bitweight.sim.datapaths.shift_add import ShiftAddSpec
from bitweight.sim.datapaths.tl1 import Tl1Spec
from bitweight.sim.datapaths.tl2 import Tl2Spec
from bitweight.sim.datapaths.trit_planes import TritPlanesSpec
from bitweight.sim.datapaths.value_table import ValueTableSpec
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec
from bitweight.sim.lane_codes import lane_codes
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.pe.digit import GroupedSpec, SharedEncoderSpec, SparseDigitSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.same_weight_mac import SameWeightMacSpec
from bitweight.sim.pe.same_weight_tree import SameWeightTreeSpec
from bitweight.sim.spec import DesignSpec, EngineSpec, PeSpec
from bitweight.workloads.formats import INT4, INT8, IntFormat
from bitweight.workloads.formats.seedlm import SEEDLM3
from bitweight.workloads.formats.trit_planes import TritNine, TritPlanes
from bitweight.workloads.formats.value_table import NF3, ValueTable
from bitweight.workloads.settings import nearest, settings_between, vary
from bitweight.workloads.weight_formats import FORMATS

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
    SeedlmSpec(),
    SeedlmSpec(format=SEEDLM3),
    ValueTableSpec(),
    ValueTableSpec(format=ValueTable(table=NF3)),
    DualGrainedSpec(),
    BcqSpec(),
    ShiftAddSpec(),
    I2SSpec(),
    Tl1Spec(),
    Tl2Spec(),
    TritPlanesSpec(format=TritPlanes()),
    TritPlanesSpec(format=TritNine()),
)

PES: Mapping[str, PeSpec] = MappingProxyType({pe.name: pe for pe in _PES})
"""PEs at their default formats: int8 x int8, 32-bit accumulator."""

ENGINES: Mapping[str, EngineSpec] = MappingProxyType({spec.name: spec for spec in _ENGINES})
"""Engines of integer operands at their default size and formats."""

ENGINE_PES: Mapping[str, PeSpec] = MappingProxyType({spec.pe.name: spec.pe for spec in _ENGINES})
"""What engines are made of, at default formats; not all of them take a whole operand a clock."""

# Where an eighth of the outputs must be whole tiles: 8 columns divide n of 192, 576 and 1536, too.
_BLOCK_ENGINES = (
    BlockDotSpec(pe=pe, columns=8) if pe.side and pe.side.sets else BlockDotSpec(pe=pe)
    for pe in _DATAPATHS
)

DATAPATHS: Mapping[str, BlockDotSpec] = MappingProxyType(
    {spec.name: spec for spec in _BLOCK_ENGINES}
)
"""Engines of packed weights at their default size."""

DESIGNS: Mapping[str, DesignSpec] = MappingProxyType({**ENGINES, **DATAPATHS})
"""All engines."""


def design(name: str, settings: Iterable[str] = ()) -> DesignSpec:
    """Return the engine that ``name`` and ``settings`` describe.

    Args:
        name: ``engine/pe`` or ``engine/pe/AxB``, B an integer format or a packed one.
        settings: ``field=value`` with dotted fields, for example ``rows=32`` or ``pe.a=int4``.

    Raises:
        ValueError: If the name, a field or a value is unknown; the message suggests the nearest.
    """
    entry, _, formats = name.partition("/")
    variant, _, formats = formats.partition("/")
    entry = f"{entry}/{variant}" if variant else entry
    if entry not in DESIGNS:
        raise ValueError(f"Design must be in the catalog, not {name!r}{nearest(entry, DESIGNS)}")
    spec = DESIGNS[entry]
    if formats:
        a, is_pair, b = formats.partition("x")
        if not is_pair:
            raise ValueError(f"Operand formats must look like int8xint4, not {formats!r}")
        spec = _with_operands(spec, a, b)
    return vary(spec, settings)


def address(spec: DesignSpec) -> tuple[str, tuple[str, ...]]:
    """Return the name and the settings that ``design`` makes ``spec`` of.

    Raises:
        ValueError: If the catalog has no entry of that name.
    """
    return spec.name, settings_between(design(spec.name), spec)


def pe_design(name: str, settings: Iterable[str] = ()) -> PeSpec | None:
    """Return the PE that ``pe:NAME`` and ``settings`` describe; None if the name is of no PE.

    Raises:
        ValueError: If there is no such PE, a field or a value is unknown.
    """
    prefix, is_pe, own = name.partition(":")
    if not is_pe or prefix != "pe":
        return None
    if own not in ENGINE_PES:
        raise ValueError(f"PE must be in the catalog, not {own!r}{nearest(own, ENGINE_PES)}")
    return vary(ENGINE_PES[own], settings)


def pe_address(pe: PeSpec) -> tuple[str, tuple[str, ...]]:
    """Return the name of a PE, with ``pe:`` before it, and the settings that make ``pe`` of it."""
    return f"pe:{pe.name}", settings_between(ENGINE_PES[pe.name], pe)


def _with_operands(spec: DesignSpec, a: str, b: str) -> DesignSpec:
    """Return an engine with the formats of ``a`` and ``b``, or behind a decoder if b is packed."""
    is_packed = b in FORMATS and b not in {str(INT4), str(INT8)}
    if not is_packed or isinstance(spec, BlockDotSpec):
        return vary(spec, (f"pe.a={a}", f"pe.b={b}"))
    form = FORMATS[b]
    width = lane_codes(form).weights.width
    engine = cast(EngineSpec, vary(spec, (f"pe.a={a}", f"pe.b={IntFormat(width=width)}")))
    return DecodedSpec(decoder=form, engine=engine)

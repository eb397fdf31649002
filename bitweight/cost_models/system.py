"""What stands around an engine: a buffer for each operand, and DRAM.

::

    DRAM <--> a, b and c buffers <--> ports a, b (with s) and c of the engine

Each buffer is on-chip SRAM in two halves: one serves the engine while the other is filled or
emptied. So half of it holds what the engine uses again, and transfers hide behind computing. A
buffer is as wide as its port, unless a narrower one is asked for: then a beat takes several
accesses.

DRAM is taken at its peak bandwidth with one energy per bit. Left out: refresh, row misses, idle
power, the controller, bank selection, and the wires between buffers and engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bitweight.cost_models.coefficient import Coefficient, coefficients

_BITS_PER_BYTE = 8
# Half of it holds 16 rows of int8 along the longest k of Llama-3-8B, 14336.
_TILE_BYTES = 512 * 1024
_RESULT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Dram:
    """A DRAM interface.

    Attributes:
        name: Its name.
        pins: Data pins.
        rate: Bits per second of a pin.
        energy: Energy of a bit read or written.
    """

    name: str
    pins: Coefficient
    rate: Coefficient
    energy: Coefficient

    @property
    def bandwidth_gbs(self) -> float:
        """Peak bandwidth, 10**9 bytes a second."""
        return self.pins.value * self.rate.value / _BITS_PER_BYTE / 1000

    @property
    def energy_pj_per_byte(self) -> float:
        """Energy of a byte read or written."""
        return self.energy.value * _BITS_PER_BYTE

    def time_us(self, size_bytes: float) -> float:
        """Return how long a transfer takes at peak bandwidth."""
        return size_bytes / self.bandwidth_gbs / 1000


def _dram(name: str) -> Dram:
    found = coefficients()
    return Dram(
        name=name,
        pins=found[f"{name}/pins"],
        rate=found[f"{name}/rate"],
        energy=found[f"{name}/energy"],
    )


DRAMS: Mapping[str, Dram] = MappingProxyType(
    {name: _dram(name) for name in ("lpddr4", "hbm2", "gddr5", "ddr3")}
)
"""DRAM interfaces with published energies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """An on-chip buffer of two halves.

    Attributes:
        capacity_bytes: Of both halves.
        width_bits: Bits of an access; None: a beat of the port.
        bank_words: Words of a bank: one bank is accessed at a time, so that more capacity costs
            area, not energy.
    """

    capacity_bytes: int
    width_bits: int | None = None
    bank_words: int = 1024

    def __post_init__(self) -> None:
        """Refuse buffers that hold nothing."""
        if self.capacity_bytes < 2:
            raise ValueError(f"Buffer must hold at least 2 bytes, not {self.capacity_bytes!r}")
        if self.width_bits is not None and self.width_bits < 1:
            raise ValueError(f"Buffer width must be at least 1 bit, not {self.width_bits!r}")
        if self.bank_words < 1:
            raise ValueError(f"Banks must have at least 1 word, not {self.bank_words!r}")

    @property
    def usable_bytes(self) -> int:
        """What is at hand while the other half is filled."""
        return self.capacity_bytes // 2

    def accesses(self, beat_bits: int) -> int:
        """Return the accesses of a beat."""
        return -(-beat_bits // (self.width_bits or beat_bits))

    def banks(self, beat_bits: int) -> int:
        """Return the banks of both halves, each half a whole number of them."""
        words = -(-_BITS_PER_BYTE * self.usable_bytes // (self.width_bits or beat_bits))
        return 2 * -(-words // self.bank_words)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Memories around an engine.

    Attributes:
        dram: Off-chip memory.
        a: Buffer of the streamed operand.
        b: Buffer of the other operand, with its side integers.
        c: Buffer of results.
        result_bits: Bits of a result once it has been scaled and rounded, on its way to DRAM: it
            is an activation of the next layer.
    """

    dram: Dram = field(default_factory=lambda: DRAMS["lpddr4"])
    a: Buffer = field(default_factory=lambda: Buffer(capacity_bytes=_TILE_BYTES))
    b: Buffer = field(default_factory=lambda: Buffer(capacity_bytes=_TILE_BYTES))
    c: Buffer = field(default_factory=lambda: Buffer(capacity_bytes=_RESULT_BYTES))
    result_bits: int = 8

    def __post_init__(self) -> None:
        """Refuse results without bits."""
        if self.result_bits < 1:
            raise ValueError(f"Results must have at least 1 bit, not {self.result_bits!r}")

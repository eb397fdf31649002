"""Processing elements: one file each, registered with ``sim.pe.step`` by its spec's type."""

from bitweight.sim.pe.bit_serial import BitSerialPeSpec
from bitweight.sim.pe.carry_save_mac import CarrySaveMacSpec
from bitweight.sim.pe.chained import ChainedMacSpec
from bitweight.sim.pe.dealt import DealtPeSpec
from bitweight.sim.pe.digit import GroupedSpec, SharedEncoderSpec, SparseDigitSpec
from bitweight.sim.pe.laconic import LaconicPeSpec
from bitweight.sim.pe.mac import MacSpec
from bitweight.sim.pe.step import initial_state, resolve, step

__all__ = [
    "BitSerialPeSpec",
    "CarrySaveMacSpec",
    "ChainedMacSpec",
    "DealtPeSpec",
    "GroupedSpec",
    "LaconicPeSpec",
    "MacSpec",
    "SharedEncoderSpec",
    "SparseDigitSpec",
    "initial_state",
    "resolve",
    "step",
]

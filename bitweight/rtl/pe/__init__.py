"""RTL of the PEs, registered with ``rtl.build.component`` by their spec's type."""

from bitweight.rtl.pe.bit_serial import BitSerialPe
from bitweight.rtl.pe.carry_save_mac import CarrySaveMac
from bitweight.rtl.pe.chained import ChainedMac
from bitweight.rtl.pe.dealt import DealtPe
from bitweight.rtl.pe.digit import DigitPe, SparseDigitPe
from bitweight.rtl.pe.laconic import LaconicPe
from bitweight.rtl.pe.mac import Mac
from bitweight.rtl.pe.same_weight_mac import SameWeightMac

__all__ = [
    "BitSerialPe",
    "CarrySaveMac",
    "ChainedMac",
    "DealtPe",
    "DigitPe",
    "LaconicPe",
    "Mac",
    "SameWeightMac",
    "SparseDigitPe",
]

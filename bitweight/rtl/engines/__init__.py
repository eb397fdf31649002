"""RTL of the engines, registered with ``rtl.build.component`` by their spec's type."""

from bitweight.rtl.engines.adder_tree import AdderTree
from bitweight.rtl.engines.bit_serial import BitSerial
from bitweight.rtl.engines.block_dot import BlockDot
from bitweight.rtl.engines.column import Column
from bitweight.rtl.engines.column_dealt import DealtColumn
from bitweight.rtl.engines.cube import Cube
from bitweight.rtl.engines.decoded import BeatDecoder, Decoded
from bitweight.rtl.engines.laconic import Laconic
from bitweight.rtl.engines.matrix_2d import Matrix2d
from bitweight.rtl.engines.systolic_os import SystolicOs
from bitweight.rtl.engines.systolic_ws import SystolicWs

__all__ = [
    "AdderTree",
    "BeatDecoder",
    "BitSerial",
    "BlockDot",
    "Column",
    "Cube",
    "DealtColumn",
    "Decoded",
    "Laconic",
    "Matrix2d",
    "SystolicOs",
    "SystolicWs",
]

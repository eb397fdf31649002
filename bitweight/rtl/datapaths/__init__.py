"""RTL of the datapaths, registered with ``rtl.datapath`` by their spec's type."""

from bitweight.rtl.datapaths.bcq import BcqCell, BcqColumn
from bitweight.rtl.datapaths.dot_product import DotCell, PlainRow
from bitweight.rtl.datapaths.dual_grained import DualGrainedColumn, FactoredCell
from bitweight.rtl.datapaths.exponent_add import ExponentAdd
from bitweight.rtl.datapaths.half_table import HalfTableRow
from bitweight.rtl.datapaths.i2_s import I2SCell, I2SColumn, I2SRow
from bitweight.rtl.datapaths.seedlm import HeldRow, RegisterColumn, SeedlmCell, WindowColumn
from bitweight.rtl.datapaths.shift_add import ShiftAddCell, ShiftAddColumn
from bitweight.rtl.datapaths.ternary import TernaryTableRow
from bitweight.rtl.datapaths.tl1 import Tl1Cell, Tl1Column
from bitweight.rtl.datapaths.tl2 import Tl2Cell, Tl2Column
from bitweight.rtl.datapaths.trit_planes import TritPlanesCell, TritPlanesColumn, TritPlanesRow
from bitweight.rtl.datapaths.value_table import ValueTableColumn

__all__ = [
    "BcqCell",
    "BcqColumn",
    "DotCell",
    "DualGrainedColumn",
    "ExponentAdd",
    "FactoredCell",
    "HalfTableRow",
    "HeldRow",
    "I2SCell",
    "I2SColumn",
    "I2SRow",
    "PlainRow",
    "RegisterColumn",
    "SeedlmCell",
    "ShiftAddCell",
    "ShiftAddColumn",
    "TernaryTableRow",
    "Tl1Cell",
    "Tl1Column",
    "Tl2Cell",
    "Tl2Column",
    "TritPlanesCell",
    "TritPlanesColumn",
    "TritPlanesRow",
    "ValueTableColumn",
    "WindowColumn",
]

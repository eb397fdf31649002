"""RTL of the datapaths, registered with ``rtl.datapath`` by their spec's type."""

from bitweight.rtl.datapaths.dot_product import DotCell, PlainRow
from bitweight.rtl.datapaths.dual_grained import DualGrainedColumn, FactoredCell
from bitweight.rtl.datapaths.trit_planes import TritPlanesCell, TritPlanesColumn, TritPlanesRow
from bitweight.rtl.datapaths.value_table import ValueTableColumn

__all__ = [
    "DotCell",
    "DualGrainedColumn",
    "FactoredCell",
    "PlainRow",
    "TritPlanesCell",
    "TritPlanesColumn",
    "TritPlanesRow",
    "ValueTableColumn",
]

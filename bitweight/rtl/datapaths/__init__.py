"""RTL of the datapaths, registered with ``rtl.datapath`` by their spec's type."""

from bitweight.rtl.datapaths.trit_planes import TritPlanesCell, TritPlanesColumn, TritPlanesRow

__all__ = ["TritPlanesCell", "TritPlanesColumn", "TritPlanesRow"]

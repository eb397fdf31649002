"""Datapaths of packed weight formats, one file each; ``sim.engines.block_dot`` runs them."""

from bitweight.sim.datapaths.dual_grained import DualGrainedSpec
from bitweight.sim.datapaths.trit_planes import TritPlanesSpec
from bitweight.sim.datapaths.value_table import ValueTableSpec

__all__ = ["DualGrainedSpec", "TritPlanesSpec", "ValueTableSpec"]

"""Datapaths of packed weight formats, one file each; ``sim.engines.block_dot`` runs them."""

from bitweight.sim.datapaths.trit_planes import TritPlanesSpec

__all__ = ["TritPlanesSpec"]

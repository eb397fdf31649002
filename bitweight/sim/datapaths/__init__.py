"""Datapaths of packed weight formats, one file each; ``sim.engines.block_dot`` runs them."""

from bitweight.sim.datapaths.bcq import BcqSpec
from bitweight.sim.datapaths.dual_grained import DualGrainedSpec
from bitweight.sim.datapaths.exponent_add import ExponentAddSpec
from bitweight.sim.datapaths.i2_s import I2SSpec
from bitweight.sim.datapaths.seedlm import SeedlmSpec
from bitweight.sim.datapaths.shift_add import ShiftAddSpec
from bitweight.sim.datapaths.tl1 import Tl1Spec
from bitweight.sim.datapaths.tl2 import Tl2Spec
from bitweight.sim.datapaths.trit_planes import TritPlanesSpec
from bitweight.sim.datapaths.value_table import ValueTableSpec

__all__ = [
    "BcqSpec",
    "DualGrainedSpec",
    "ExponentAddSpec",
    "I2SSpec",
    "SeedlmSpec",
    "ShiftAddSpec",
    "Tl1Spec",
    "Tl2Spec",
    "TritPlanesSpec",
    "ValueTableSpec",
]

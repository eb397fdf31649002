"""Bit- and cycle-exact models of PEs and engines."""

from bitweight.sim import engines, layers
from bitweight.sim.catalog import DESIGNS, PES, design
from bitweight.sim.engine import Activity, MatmulResult, PortBeats, beats, cycles, run, simulate
from bitweight.sim.layers import LayerResult

__all__ = [
    "DESIGNS",
    "PES",
    "Activity",
    "LayerResult",
    "MatmulResult",
    "PortBeats",
    "beats",
    "cycles",
    "design",
    "engines",
    "layers",
    "run",
    "simulate",
]

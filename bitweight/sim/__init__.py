"""Bit- and cycle-exact models of PEs and engines."""

from bitweight.sim import datapaths, engines, layers, packed_layers
from bitweight.sim.catalog import DATAPATHS, DESIGNS, ENGINES, PES, design
from bitweight.sim.engine import Activity, MatmulResult, PortBeats, beats, cycles, run, simulate
from bitweight.sim.layers import LayerResult

__all__ = [
    "DATAPATHS",
    "DESIGNS",
    "ENGINES",
    "PES",
    "Activity",
    "LayerResult",
    "MatmulResult",
    "PortBeats",
    "beats",
    "cycles",
    "datapaths",
    "design",
    "engines",
    "layers",
    "packed_layers",
    "run",
    "simulate",
]

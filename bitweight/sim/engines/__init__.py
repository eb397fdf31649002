"""Engines: arrays of PEs with feeding, control and drain; one file for the model of each."""

from bitweight.sim.engines import (
    adder_tree_clocked,
    bit_serial_clocked,
    block_dot_clocked,
    column_clocked,
    column_dealt_clocked,
    cube_clocked,
    laconic_clocked,
    matrix_2d_clocked,
    systolic_os_clocked,
    systolic_ws_clocked,
)
from bitweight.sim.engines.adder_tree import AdderTreeSpec
from bitweight.sim.engines.bit_serial import BitSerialSpec
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.engines.column import ColumnSpec
from bitweight.sim.engines.column_dealt import DealtColumnSpec
from bitweight.sim.engines.cube import CubeSpec
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.engines.laconic import LaconicSpec
from bitweight.sim.engines.matrix_2d import Matrix2dSpec
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.engines.systolic_ws import SystolicWsSpec

__all__ = [
    "AdderTreeSpec",
    "BitSerialSpec",
    "BlockDotSpec",
    "ColumnSpec",
    "CubeSpec",
    "DealtColumnSpec",
    "DecodedSpec",
    "LaconicSpec",
    "Matrix2dSpec",
    "SystolicOsSpec",
    "SystolicWsSpec",
    "adder_tree_clocked",
    "bit_serial_clocked",
    "block_dot_clocked",
    "column_clocked",
    "column_dealt_clocked",
    "cube_clocked",
    "laconic_clocked",
    "matrix_2d_clocked",
    "systolic_os_clocked",
    "systolic_ws_clocked",
]

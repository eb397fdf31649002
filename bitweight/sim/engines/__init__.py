"""Engines: arrays of PEs with feeding, control and drain; one file for the model of each."""

from bitweight.sim.engines import systolic_os_clocked
from bitweight.sim.engines.systolic_os import SystolicOsSpec

__all__ = ["SystolicOsSpec", "systolic_os_clocked"]

"""Model against RTL: benches on the emitted Verilog."""

from bitweight.verify import decoded_plan, packed_plan
from bitweight.verify.design_check import CheckReport, check_designs
from bitweight.verify.engine_check import Outcome, Work, check_engine
from bitweight.verify.toolchain import check_tools
from bitweight.workloads.tool_error import ToolError

__all__ = [
    "CheckReport",
    "Outcome",
    "ToolError",
    "Work",
    "check_designs",
    "check_engine",
    "check_tools",
    "decoded_plan",
    "packed_plan",
]

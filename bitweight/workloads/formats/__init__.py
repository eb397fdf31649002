"""Number formats of operands and weights."""

from bitweight.workloads.formats.integer import (
    INT4,
    INT8,
    INT16,
    SYMMETRIC_INT8,
    UINT4,
    UINT8,
    IntFormat,
)

__all__ = ["INT4", "INT8", "INT16", "SYMMETRIC_INT8", "UINT4", "UINT8", "IntFormat"]

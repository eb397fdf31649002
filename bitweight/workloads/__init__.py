"""What is computed: shapes, data and number formats of real layers."""

from bitweight.workloads.gemm import Gemm

__all__ = ["Gemm"]

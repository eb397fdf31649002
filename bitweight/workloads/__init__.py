"""What is computed: shapes, data and number formats of real layers."""

from bitweight.workloads.exact import exact_product
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Granularity, Operand, Rounding
from bitweight.workloads.models import model_gemms, models
from bitweight.workloads.phase import Phase
from bitweight.workloads.trace import Trace, example_path

__all__ = [
    "Gemm",
    "Granularity",
    "Layer",
    "Operand",
    "Phase",
    "Rounding",
    "Trace",
    "exact_product",
    "example_path",
    "model_gemms",
    "models",
]

"""What is computed: shapes, data and number formats of real layers."""

from bitweight.workloads.exact import exact_product
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Granularity, Operand, Rounding
from bitweight.workloads.models import model_gemms, models
from bitweight.workloads.packed_layer import AnyLayer, PackedLayer
from bitweight.workloads.packed_weights import PackedWeights, apply_scales
from bitweight.workloads.phase import Phase
from bitweight.workloads.trace import Trace, example_path
from bitweight.workloads.weight_formats import FORMATS

__all__ = [
    "FORMATS",
    "AnyLayer",
    "Gemm",
    "Granularity",
    "Layer",
    "Operand",
    "PackedLayer",
    "PackedWeights",
    "Phase",
    "Rounding",
    "Trace",
    "apply_scales",
    "exact_product",
    "example_path",
    "model_gemms",
    "models",
]

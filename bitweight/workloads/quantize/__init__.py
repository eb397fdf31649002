"""Encoders: real values to a number format, one format per file."""

from bitweight.workloads.quantize import (
    absmean,
    dual_grained,
    scaled_integer,
    trit_planes,
    value_table,
)
from bitweight.workloads.quantize.encode import encode
from bitweight.workloads.quantize.w8a8 import W8A8, Quantised, quantise_w, quantise_x

__all__ = [
    "W8A8",
    "Quantised",
    "absmean",
    "dual_grained",
    "encode",
    "quantise_w",
    "quantise_x",
    "scaled_integer",
    "trit_planes",
    "value_table",
]

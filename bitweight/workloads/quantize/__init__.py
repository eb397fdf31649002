"""Encoders: real values to a number format, one format per file."""

from bitweight.workloads.quantize import (
    absmean,
    bcq,
    dual_grained,
    scaled_integer,
    seedlm,
    shift_add,
    trit_planes,
    value_table,
)
from bitweight.workloads.quantize.encode import encode
from bitweight.workloads.quantize.w8a8 import W8A8, Quantised, quantise_w, quantise_x

__all__ = [
    "W8A8",
    "Quantised",
    "absmean",
    "bcq",
    "dual_grained",
    "encode",
    "quantise_w",
    "quantise_x",
    "scaled_integer",
    "seedlm",
    "shift_add",
    "trit_planes",
    "value_table",
]

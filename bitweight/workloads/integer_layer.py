"""Packed weights that an engine of integer operands can take: plain codes under scales."""

from functools import singledispatch
from typing import Any

from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Operand
from bitweight.workloads.packed_layer import PackedLayer
from bitweight.workloads.packed_weights import PackedWeights


@singledispatch
def integer_weights(form: Any, packed: PackedWeights, name: str) -> tuple[Operand, int | None]:
    """Return codes with their scales, and the scale group's length along k if there are several.

    Args:
        form: ``packed.format``.
        packed: The weights.
        name: What messages call the operand.

    Raises:
        ValueError: If the format's codes are no integers that only need a scale.
    """
    raise ValueError(
        f"{name} must hold integer codes for an engine of integer operands, not {form.name}: "
        "`bitweight quantize --to int8` makes such weights, and engines of packed ones take these"
    )


@integer_weights.register
def _(form: ScaledInteger, packed: PackedWeights, name: str) -> tuple[Operand, int | None]:
    scale = packed.scales["scale"]
    is_grouped = scale.shape[1] > 1
    codes = Operand.from_arrays(
        name, form.unpack(packed), form.code, scale=scale.T if is_grouped else scale[:, 0]
    )
    return codes, form.group if is_grouped else None


@singledispatch
def integer_layer(layer: Any) -> Layer:
    """Return the layer with integer weights: itself, or one of the very codes that it packs.

    Raises:
        ValueError: If its weights are packed in another way.
    """
    raise TypeError(f"No engine runs a {type(layer).__name__}")


@integer_layer.register
def _(layer: Layer) -> Layer:
    return layer


@integer_layer.register
def _(layer: PackedLayer) -> Layer:
    w, group = integer_weights(layer.format, layer.weights, f"{layer.name}.w")
    return Layer(
        name=layer.name, x_operand=layer.x_operand, w_operand=w, group=group, bias=layer.bias
    )

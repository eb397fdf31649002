"""Layers with real weights: what packed formats are encoded from."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Operand
from bitweight.workloads.packed_layer import PackedLayer, check_token_scales
from bitweight.workloads.phase import Phase
from bitweight.workloads.real_values import real_weights
from bitweight.workloads.tensors import Tensor
from bitweight.workloads.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealLayer:
    """One layer: integer activations, and weights that are real numbers.

    Attributes:
        name: Unique in its trace.
        x_operand: Activations, codes of shape (m, k).
        k: Inputs.
        n: Outputs.
        read_weights: Returns the weights, shape (k, n); read each time.
        bias: Float bias, shape (n,), or None.
    """

    name: str
    x_operand: Operand
    k: int
    n: int
    read_weights: Callable[[], NDArray[np.float64]]
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse activations whose scales cut k."""
        check_token_scales(self.name, self.x_operand)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealTrace:
    """Layers of one run of one model, as ``Trace`` but for their weights.

    Attributes:
        layers: In the order in which the model runs them.
        model: Name of the model, or "".
        source_sha256: SHA-256 of the model file in hexadecimal, or "".
        phase: Prefill or decode.
        text: The prompt, or "".
        token_ids: The prompt's tokens.
    """

    layers: tuple[RealLayer, ...]
    model: str = ""
    source_sha256: str = ""
    phase: Phase = Phase.PREFILL
    text: str = ""
    token_ids: tuple[int, ...] = ()


def real_trace(trace: Trace, names: Collection[str] = ()) -> RealTrace:
    """Return a trace's layers with the weights that their integer codes stand for.

    Args:
        trace: The trace.
        names: Layers to take, in this order; none means all.

    Raises:
        ValueError: If there is no such layer, or one is packed already.
    """
    chosen = [trace.layer(name) for name in dict.fromkeys(names)] or trace.layers
    return RealTrace(
        layers=tuple(map(real_layer, chosen)),
        model=trace.model,
        source_sha256=trace.source_sha256,
        phase=trace.phase,
        text=trace.text,
        token_ids=trace.token_ids,
    )


@singledispatch
def real_layer(layer: Any) -> RealLayer:
    """Return a layer with the weights that its integer codes stand for.

    Raises:
        ValueError: If its weights are packed already.
    """
    raise TypeError(f"No trace holds a {type(layer).__name__}")


@real_layer.register
def _(layer: Layer) -> RealLayer:
    return RealLayer(
        name=layer.name,
        x_operand=layer.x_operand,
        k=layer.k,
        n=layer.n,
        read_weights=partial(real_weights, layer),
        bias=layer.bias,
    )


@real_layer.register
def _(layer: PackedLayer) -> RealLayer:
    raise ValueError(
        f"{layer.name}.w must hold integer codes to be encoded, not {layer.format.name}: "
        "it is packed already, so take the file that it was made from"
    )

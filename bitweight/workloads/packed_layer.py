"""One layer whose weights are packed in a number format: what the packed engines run.

It has no golden accumulators: what an engine sums depends on the format, and nothing else here
reads the format that could make them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gemm import Gemm, check_sizes
from bitweight.workloads.layer import Layer
from bitweight.workloads.layer_operand import Granularity, Operand
from bitweight.workloads.packed_tensors import PackedTensors
from bitweight.workloads.packed_weights import PackedWeights, WeightFormat
from bitweight.workloads.tensors import Tensor

_ALL = slice(None)


def check_token_scales(layer: str, x: Operand) -> None:
    """Raise ``ValueError`` unless x is scaled per tensor or token, as packed weights want it."""
    m = x.codes.shape[0]
    for part, tensor in (("scale", x.scale), ("zp", x.zero_point), ("min", x.minimum)):
        if tensor is not None and tensor.shape not in ((), (m,)):
            raise ValueError(
                f"{layer}.x_{part} must have shape () or {(m,)} for packed weights, "
                f"not {tensor.shape}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedLayer:
    """A matrix product of real activations with packed weights.

    Attributes:
        name: Unique in its trace, for example ``blk.3.attn_q``.
        x_operand: Activations, codes of shape (m, k), scaled per tensor or token: a scale per group
            along k would cut sums where the weights' format does not.
        w_tensors: The weights, unread.
        bias: Float bias, shape (n,), or None.
    """

    name: str
    x_operand: Operand
    w_tensors: PackedTensors
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse tensors whose shapes do not make one layer."""
        if self.w_tensors.k != self.k:
            raise ValueError(
                f"{self.name}: w must have as many rows as x columns ({self.k}), "
                f"not {self.w_tensors.k}"
            )
        check_sizes(m=self.m, n=self.n, k=self.k)
        check_token_scales(self.name, self.x_operand)
        if self.bias is not None and (self.bias.shape != (self.n,) or self.bias.dtype.kind != "f"):
            raise ValueError(
                f"{self.name}.bias must be floats of shape {(self.n,)}, "
                f"not {self.bias.dtype} of shape {self.bias.shape}"
            )

    @classmethod
    def from_arrays(cls, name: str, x: Operand, weights: PackedWeights) -> "PackedLayer":
        """Make a layer of weights in memory."""
        return cls(name=name, x_operand=x, w_tensors=PackedTensors.of(f"{name}.w", weights))

    @property
    def m(self) -> int:
        """Tokens: rows of x."""
        return self.x_operand.codes.shape[0]

    @property
    def n(self) -> int:
        """Outputs: columns of w."""
        return self.w_tensors.n

    @property
    def k(self) -> int:
        """Inputs: columns of x and rows of w."""
        return self.x_operand.codes.shape[1]

    @property
    def gemm(self) -> Gemm:
        """The sizes alone."""
        return Gemm(name=self.name, m=self.m, n=self.n, k=self.k)

    @property
    def format(self) -> WeightFormat:
        """Format of the weights."""
        return self.w_tensors.format

    @property
    def bits_per_weight(self) -> float:
        """Stored bits per weight."""
        return self.format.bits_per_weight(k=self.k, n=self.n)

    @property
    def weights(self) -> PackedWeights:
        """The packed weights; read and checked each time."""
        return self.w_tensors.read()

    @property
    def x_format(self) -> IntFormat:
        """Format of the activation codes."""
        return self.x_operand.format

    @property
    def x(self) -> NDArray[Any]:
        """Activation codes, shape (m, k), in their storage type; read and checked each time."""
        return self.x_slice()

    def x_slice(self, rows: slice = _ALL, cols: slice = _ALL) -> NDArray[Any]:
        """Return part of x: ``rows`` are tokens, ``cols`` run along k; only it is read."""
        return self.x_operand.read_codes(rows, cols)

    @property
    def x_scale(self) -> NDArray[Any] | None:
        """Scales of x, shape () or (m,), floats."""
        return self.x_operand.read_scale()

    @property
    def x_zero_point(self) -> NDArray[np.int64] | None:
        """Zero points of x, shape () or (m,)."""
        return self.x_operand.read_zero_point()

    @property
    def x_granularity(self) -> Granularity:
        """How many activations share a scale."""
        return self.x_operand.granularity(Granularity.TOKEN)

    def check(self) -> None:
        """Read every operand, scale and zero point once.

        Raises:
            ValueError: If a code leaves its format or a scale is not finite.
        """
        self.x_operand.read_codes(_ALL, _ALL)
        self.x_operand.read_scale()
        self.x_operand.read_zero_point()
        self.x_operand.read_minimum()
        self.w_tensors.read()

    def wrong_golden(self) -> None:
        """Check as ``check`` does; there are no golden accumulators to count."""
        self.check()


AnyLayer = Layer | PackedLayer

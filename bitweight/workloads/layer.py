"""One quantised layer: integer operands, their scales and, where known, golden accumulators.

``C = X W`` with activations ``x`` (m, k) and weights ``w`` (k, n), whatever the file's own
layout. A scale group cuts k: accumulators are then kept per group, since each is scaled by
itself. Values are read when asked for and checked as they are read.

Source: quantised layers as in Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", CVPR 2018, eq. 7-9 (zero points), extended by groups.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bitweight.workloads.exact import exact_product, groups_along, wrap
from bitweight.workloads.formats import INT8, IntFormat
from bitweight.workloads.gemm import Gemm, check_sizes
from bitweight.workloads.layer_operand import Granularity, Operand, Rounding
from bitweight.workloads.tensors import ArrayTensor, Tensor

_ALL = slice(None)
_MAX_ACC_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A matrix product with real operands.

    Attributes:
        name: Unique in its trace, for example ``blk.3.attn_q``.
        x_operand: Activations, codes of shape (m, k).
        w_operand: Weights, codes of shape (k, n).
        group: Length of a scale group along k, or None; the last group may be shorter.
        acc_bits: Accumulator width, 2 to 64; golden values wrap to it.
        golden_tensor: Golden accumulators, shape (m, n), or (m, n, groups) with a group.
        bias: Float bias, shape (n,), or None.
        y: Float output, shape (m, n), or None.
    """

    name: str
    x_operand: Operand
    w_operand: Operand
    group: int | None = None
    acc_bits: int = 32
    golden_tensor: Tensor | None = None
    bias: Tensor | None = None
    y: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse tensors whose shapes do not make one layer."""
        k = self.w_operand.codes.shape[0]
        if k != self.k:
            raise ValueError(
                f"{self.name}: w must have as many rows as x columns ({self.k}), not {k}"
            )
        check_sizes(m=self.m, n=self.n, k=self.k)
        if self.group is not None and not 1 <= self.group <= self.k:
            raise ValueError(f"{self.name}: group must be 1 to k ({self.k}), not {self.group!r}")
        if not 2 <= self.acc_bits <= _MAX_ACC_BITS:
            raise ValueError(
                f"{self.name}: accumulator must be 2 to {_MAX_ACC_BITS} bits, not {self.acc_bits!r}"
            )
        self._check_scale_shapes()
        self._check_outputs()

    def _check_scale_shapes(self) -> None:
        shapes = {
            "x": ((), (self.m,), (self.m, self.groups)),
            "w": ((), (self.n,), (self.groups, self.n)),
        }
        for side, operand in (("x", self.x_operand), ("w", self.w_operand)):
            # Without a group there is nothing for a second axis to run along.
            allowed = shapes[side] if self.group is not None else shapes[side][:2]
            parts = {"scale": operand.scale, "zp": operand.zero_point, "min": operand.minimum}
            for part, tensor in parts.items():
                if tensor is not None and tensor.shape not in allowed:
                    raise ValueError(
                        f"{self.name}.{side}_{part} must have shape "
                        f"{' or '.join(map(str, allowed))}, not {tensor.shape}"
                    )

    def _check_outputs(self) -> None:
        whole = (self.m, self.n)
        per_group = whole if self.group is None else (*whole, self.groups)
        outputs = (
            ("acc", self.golden_tensor, per_group, "iu"),
            ("bias", self.bias, (self.n,), "f"),
            ("y", self.y, whole, "f"),
        )
        for part, tensor, shape, kinds in outputs:
            if tensor is None:
                continue
            if tensor.shape != shape:
                raise ValueError(f"{self.name}.{part} must have shape {shape}, not {tensor.shape}")
            if tensor.dtype.kind not in kinds:
                wanted = "floats" if kinds == "f" else "integers"
                raise ValueError(f"{self.name}.{part} must be {wanted}, not {tensor.dtype}")

    @classmethod
    def from_arrays(
        cls,
        name: str,
        x: ArrayLike,
        w: ArrayLike,
        *,
        x_format: IntFormat = INT8,
        w_format: IntFormat = INT8,
        x_scale: ArrayLike | None = None,
        w_scale: ArrayLike | None = None,
        x_zero_point: ArrayLike | None = None,
        w_zero_point: ArrayLike | None = None,
        group: int | None = None,
        golden: ArrayLike | None = None,
        acc_bits: int = 32,
        rounding: Rounding = Rounding.UNKNOWN,
    ) -> "Layer":
        """Make a layer of arrays in memory.

        Args:
            name: Its name.
            x: Activation codes, shape (m, k), any integer type.
            w: Weight codes, shape (k, n), any integer type.
            x_format: Format that every code of x must be in.
            w_format: Format that every code of w must be in.
            x_scale: Shape (), (m,) or (m, groups): per tensor, token or group.
            w_scale: Shape (), (n,) or (groups, n): per tensor, channel or group.
            x_zero_point: Integers in one of the shapes of ``x_scale``.
            w_zero_point: Integers in one of the shapes of ``w_scale``.
            group: Scale group length along k.
            golden: Accumulators, shape (m, n) or (m, n, groups), integers.
            acc_bits: Accumulator width.
            rounding: How the codes were made.

        Raises:
            ValueError: If a code is out of range or shapes disagree.
        """
        return cls(
            name=name,
            x_operand=Operand.from_arrays(
                f"{name}.x", x, x_format, scale=x_scale, zero_point=x_zero_point, rounding=rounding
            ),
            w_operand=Operand.from_arrays(
                f"{name}.w", w, w_format, scale=w_scale, zero_point=w_zero_point, rounding=rounding
            ),
            group=group,
            acc_bits=acc_bits,
            golden_tensor=None if golden is None else _golden_tensor(name, golden, acc_bits),
        )

    @property
    def m(self) -> int:
        """Tokens: rows of x."""
        return self.x_operand.codes.shape[0]

    @property
    def n(self) -> int:
        """Outputs: columns of w."""
        return self.w_operand.codes.shape[1]

    @property
    def k(self) -> int:
        """Inputs: columns of x and rows of w."""
        return self.x_operand.codes.shape[1]

    @property
    def gemm(self) -> Gemm:
        """The sizes alone."""
        return Gemm(name=self.name, m=self.m, n=self.n, k=self.k)

    @property
    def groups(self) -> int:
        """Scale groups along k, the last perhaps shorter; 1 without a group."""
        return groups_along(self.k, self.group)

    @property
    def x_format(self) -> IntFormat:
        """Format of the activation codes."""
        return self.x_operand.format

    @property
    def w_format(self) -> IntFormat:
        """Format of the weight codes."""
        return self.w_operand.format

    @property
    def x(self) -> NDArray[Any]:
        """Activation codes, shape (m, k), in their storage type; read and checked each time."""
        return self.x_slice()

    @property
    def w(self) -> NDArray[Any]:
        """Weight codes, shape (k, n), in their storage type; read and checked each time."""
        return self.w_slice()

    def x_slice(self, rows: slice = _ALL, cols: slice = _ALL) -> NDArray[Any]:
        """Return part of x: ``rows`` are tokens, ``cols`` run along k; only it is read."""
        return self.x_operand.read_codes(rows, cols)

    def w_slice(self, rows: slice = _ALL, cols: slice = _ALL) -> NDArray[Any]:
        """Return part of w: ``rows`` run along k, ``cols`` are outputs; only it is read."""
        return self.w_operand.read_codes(rows, cols)

    @property
    def x_scale(self) -> NDArray[Any] | None:
        """Scales of x, shape (), (m,) or (m, groups), floats."""
        return self.x_operand.read_scale()

    @property
    def w_scale(self) -> NDArray[Any] | None:
        """Scales of w, shape (), (n,) or (groups, n), floats."""
        return self.w_operand.read_scale()

    @property
    def x_zero_point(self) -> NDArray[np.int64] | None:
        """Zero points of x, shape (), (m,) or (m, groups)."""
        return self.x_operand.read_zero_point()

    @property
    def w_zero_point(self) -> NDArray[np.int64] | None:
        """Zero points of w, shape (), (n,) or (groups, n)."""
        return self.w_operand.read_zero_point()

    @property
    def w_minimum(self) -> NDArray[Any] | None:
        """Minima of w, shape (), (n,) or (groups, n), floats: added to every real weight."""
        return self.w_operand.read_minimum()

    @property
    def x_granularity(self) -> Granularity:
        """How many activations share a scale."""
        return self.x_operand.granularity(Granularity.TOKEN)

    @property
    def w_granularity(self) -> Granularity:
        """How many weights share a scale."""
        return self.w_operand.granularity(Granularity.CHANNEL)

    @property
    def golden(self) -> NDArray[np.int64] | None:
        """Accumulators that a correct engine delivers, zero points taken off; None if unknown.

        Shape (m, n), or (m, n, groups) with a group: the sum over k (of the group) of
        ``(x - x_zero_point) * (w - w_zero_point)``, wrapped to ``acc_bits``.
        """
        tensor = self.golden_tensor
        return None if tensor is None else tensor.read().astype(np.int64)

    def exact(self) -> NDArray[np.int64]:
        """Compute with numpy alone what ``golden`` should be, in the same shape."""
        return exact_product(
            self.x,
            self.w,
            group=self.group,
            x_zero_point=self.x_zero_point,
            w_zero_point=self.w_zero_point,
            acc_bits=self.acc_bits,
        )

    def wrong_golden(self) -> int | None:
        """Count golden accumulators that differ from ``exact``; None if there are none at all.

        Raises:
            ValueError: As ``check`` does.
        """
        self.check()
        golden = self.golden
        return None if golden is None else int(np.count_nonzero(golden != self.exact()))

    def check(self) -> None:
        """Read every operand, scale and zero point once.

        Raises:
            ValueError: If a code leaves its format or a scale is not finite.
        """
        for operand in (self.x_operand, self.w_operand):
            operand.read_codes(_ALL, _ALL)
            operand.read_scale()
            operand.read_zero_point()
            operand.read_minimum()


def _golden_tensor(name: str, golden: ArrayLike, acc_bits: int) -> ArrayTensor:
    array = np.asarray(golden)
    if array.dtype.kind not in "iu" or (wrap(array.astype(np.int64), acc_bits) != array).any():
        raise ValueError(f"{name}.acc must be integers of {acc_bits} bits")
    return ArrayTensor(array.astype(np.int32 if acc_bits <= 32 else np.int64))

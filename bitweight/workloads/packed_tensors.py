"""Packed weights that stay in their file until they are read.

Shapes and types are held against the format before any memory is taken; codes and scales are
checked when they are read, by ``PackedWeights``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bitweight.workloads.gemm import check_sizes
from bitweight.workloads.packed_weights import ArrayLayout, PackedWeights, WeightFormat
from bitweight.workloads.tensors import ArrayTensor, Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedTensors:
    """The arrays of packed weights, as tensors.

    Attributes:
        name: What messages call them, for example ``blk.3.attn_q.w``.
        format: What the arrays mean.
        k: Inputs: rows of w.
        n: Outputs: columns of w.
        words: Packed codes, as ``format.layout`` says.
        side: Integer arrays that the datapath reads.
        scales: Float arrays that scale its sums.
    """

    name: str
    format: WeightFormat
    k: int
    n: int
    words: Tensor
    side: Mapping[str, Tensor] = field(default_factory=dict)
    scales: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse arrays that the format does not have, or in another shape or type."""
        check_sizes(m=1, n=self.n, k=self.k)
        for part, tensor, wanted in self._held_against_layout():
            if tensor.shape != wanted.shape:
                raise ValueError(
                    f"{self.name}: {self.format.name} {part} must have shape {wanted.shape}, "
                    f"not {tensor.shape}"
                )
            if tensor.dtype != wanted.dtype:
                raise ValueError(
                    f"{self.name}: {self.format.name} {part} must be {wanted.dtype.__name__}, "
                    f"not {tensor.dtype}"
                )

    def _held_against_layout(self) -> Iterator[tuple[str, Tensor, ArrayLayout]]:
        layout = self.format.layout(k=self.k, n=self.n)
        yield "words", self.words, layout.words
        for tensors, wanted in ((self.side, layout.side), (self.scales, layout.scales)):
            if tensors.keys() != wanted.keys():
                raise ValueError(
                    f"{self.name}: {self.format.name} must have {', '.join(wanted) or 'nothing'} "
                    f"beside its words, not {', '.join(tensors) or 'nothing'}"
                )
            for part, tensor in tensors.items():
                yield part, tensor, wanted[part]

    @classmethod
    def of(cls, name: str, packed: PackedWeights) -> "PackedTensors":
        """Return weights in memory as tensors."""
        return cls(
            name=name,
            format=packed.format,
            k=packed.k,
            n=packed.n,
            words=ArrayTensor(packed.words),
            side={part: ArrayTensor(array) for part, array in packed.side.items()},
            scales={part: ArrayTensor(array) for part, array in packed.scales.items()},
        )

    def read(self) -> PackedWeights:
        """Return the weights.

        Raises:
            ValueError: If a code is none that the format has, or a scale is not finite.
        """
        try:
            return PackedWeights(
                format=self.format,
                k=self.k,
                n=self.n,
                words=self.words.read(),
                side={part: tensor.read() for part, tensor in self.side.items()},
                scales={part: tensor.read() for part, tensor in self.scales.items()},
            )
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error

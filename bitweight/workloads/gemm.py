"""GEMM shapes: ``C[m, n] = sum over k of A[m, k] * B[k, n]``."""

import re
from dataclasses import dataclass

# The engines' command port carries each size in 32 bits (DESIGN: ports).
MAX_SIZE = 2**32 - 1


def check_sizes(**sizes: int) -> None:
    """Raise ``ValueError`` unless every named size is 1 to ``MAX_SIZE``."""
    for name, size in sizes.items():
        if not 1 <= size <= MAX_SIZE:
            raise ValueError(f"GEMM size {name} must be 1 to {MAX_SIZE}, not {size!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """Sizes of one matrix product.

    Attributes:
        name: What it computes, for example ``attn_q``.
        m: Rows of A and C.
        n: Columns of B and C.
        k: Columns of A and rows of B.
        calls: How often it runs, for example once per block of a model.
        weighted: Whether B holds weights; attention multiplies activations with one another.
    """

    name: str
    m: int
    n: int
    k: int
    calls: int = 1
    weighted: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes below one."""
        check_sizes(m=self.m, n=self.n, k=self.k, calls=self.calls)

    @classmethod
    def parse(cls, text: str) -> "Gemm":
        """Read ``MxKxN``, for example ``2048x4096x11008``.

        Raises:
            ValueError: If ``text`` is not three positive integers joined by ``x``.
        """
        match = re.fullmatch(r"(\d{1,10})x(\d{1,10})x(\d{1,10})", text)
        if match is None:
            raise ValueError(f"GEMM must be MxKxN, for example 16x576x192, not {text!r}")
        m, k, n = (int(size) for size in match.groups())
        return cls(name=text, m=m, n=n, k=k)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call."""
        return self.m * self.n * self.k

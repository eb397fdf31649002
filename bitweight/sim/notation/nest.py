"""The bit-weight notation: a GEMM engine as a loop nest over m, n, k and the digits' weights.

Recoding writes ``A[m, k]`` as digits, so that a product is itself a small sum and ``bw`` a fourth
loop of the GEMM: ``C[m,n] = sum_k sum_bw digit[m,k,bw] * radix**bw * B[k,n]``. A nest is an order
of loops, each temporal or spatial, and a list of primitives. It prints itself, runs on integers and
counts its temporal trips; ``rewrites`` turns one engine's nest into another's.

Source: Wu et al., "Exploring the Performance Improvement of Tensor Processing Engines through
Transformation in the Bit-weight Dimension of MACs", HPCA 2025, arXiv 2503.06342. Spelling, loop
orders and legality rules are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.sim.notation.interpreter import Execution, Interpreter
from bitweight.sim.notation.listing import listing
from bitweight.sim.notation.loops import Dim, Loop, check_split
from bitweight.sim.notation.lowering import Program, lower
from bitweight.sim.notation.primitives import Encode, Sparse, Statement
from bitweight.sim.notation.trips import dense_trips, sparse_trips
from bitweight.sim.recoding import Recoding
from bitweight.workloads.formats import IntFormat
from bitweight.workloads.gemm import check_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Nest:
    """A loop nest with its primitives.

    Attributes:
        loops: Loops, outermost first; each dimension is visited exactly once.
        statements: Primitives in the order of data flow; the last word is ``C[m, n]``.
    """

    loops: tuple[Loop, ...]
    statements: tuple[Statement, ...]

    def __post_init__(self) -> None:
        """Refuse nests that no order of execution satisfies; wrong arithmetic is not looked for."""
        names = [loop.name for loop in self.loops]
        if len(set(names)) < len(names):
            raise ValueError(f"Loops must have different names, not {', '.join(names)}")
        for dim in Dim:
            check_split(self.loops, dim)
        self._check_group()
        program = self.program
        kept = [loop for loop in self.loops if loop.name in program.indices[program.output]]
        if kept != [loop for loop in self.loops if loop.dim in (Dim.M, Dim.N)]:
            given = ", ".join(loop.name for loop in kept)
            raise ValueError(
                f"C must depend on all loops over m and n, and on no other, not {given}"
            )

    def _check_group(self) -> None:
        """Refuse to encode or to walk anything but a run of neighbours along k."""
        groups = {s.group for s in self.statements if isinstance(s, Encode)} - {None}
        walked = {s.loop for s in self.statements if isinstance(s, Sparse)}
        neighbours = {
            loop.name
            for loop in self.loops
            if loop.dim is Dim.K and loop.stride == 1 and loop.extent and not loop.spatial
        }
        if walked != groups or not groups <= neighbours:
            raise ValueError(
                "A list of non-zero digits must cover the encoded group, a temporal loop over k "
                f"with stride 1 and a fixed extent, not {sorted(map(str, groups | walked))}"
            )

    @property
    def program(self) -> Program:
        """The nest with every primitive in its place."""
        return lower(self.loops, self.statements)

    @property
    def is_sparse(self) -> bool:
        """Whether trips depend on the operands."""
        return any(isinstance(statement, Sparse) for statement in self.statements)

    def run(
        self,
        a: NDArray[np.integer],
        b: NDArray[np.integer],
        *,
        recoding: Recoding,
        a_format: IntFormat,
    ) -> Execution:
        """Execute the nest, primitive by primitive.

        Args:
            a: The recoded operand, shape (m, k), integers of ``a_format``.
            b: The other operand, shape (k, n), integers.
            recoding: How ``encode`` writes an element of ``a``.
            a_format: The format whose digits ``encode`` makes.

        Returns:
            ``(c, trips)``: c of shape (m, n), int64, unwrapped; the temporal trips.
        """
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
            raise ValueError(f"Shapes must be (m, k) and (k, n), not {a.shape} and {b.shape}")
        check_sizes(m=a.shape[0], n=b.shape[1], k=b.shape[0])
        return Interpreter(self.program, a.tolist(), b.tolist(), recoding, a_format).run()

    def trips(self, *, m: int, n: int, k: int, digits: int | None = None) -> int:
        """Return the temporal trips of a dense nest, in closed form.

        Args:
            m: Rows of a.
            n: Columns of b.
            k: Length of a dot product.
            digits: Digits of an element of a; needed where bw is temporal.

        Raises:
            ValueError: If the nest is sparse, or needs ``digits`` and has none.
        """
        check_sizes(m=m, n=n, k=k)
        if self.is_sparse:
            raise ValueError("trips of a sparse nest depend on the operands: use trips_for")
        if digits is None:
            if any(loop.dim is Dim.BW and not loop.spatial for loop in self.loops):
                raise ValueError("trips must be given the number of digits: bw is temporal")
            digits = 1
        return dense_trips(self.loops, {Dim.M: m, Dim.N: n, Dim.K: k, Dim.BW: digits})

    def trips_for(
        self, a: NDArray[np.integer], *, n: int, recoding: Recoding, a_format: IntFormat
    ) -> int:
        """Return the temporal trips for one recoded operand; any nest, without running it.

        Args:
            a: The recoded operand, shape (m, k), integers of ``a_format``.
            n: Columns of b.
            recoding: How ``encode`` writes an element of ``a``.
            a_format: The format whose digits ``encode`` makes.

        Raises:
            ValueError: If ``a`` is no matrix or holds a value outside ``a_format``.
        """
        if a.ndim != 2 or not a_format.admits(a):
            raise ValueError(f"a must be a matrix of {a_format} values, not of shape {a.shape}")
        m, k = a.shape
        check_sizes(m=m, n=n, k=k)
        program = self.program
        if program.sparse is None:
            return self.trips(m=m, n=n, k=k, digits=recoding.digit_count(a_format))
        nonzero = recoding.digit_table(a_format)[a.astype(np.int64) & a_format.mask] != 0
        return sparse_trips(program, program.sparse, nonzero, n)

    def __str__(self) -> str:
        """Return the nest in the paper's manner."""
        return listing(self.program)

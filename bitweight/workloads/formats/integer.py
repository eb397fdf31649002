"""Plain integer formats: a width and whether it is signed.

Operands of every engine are two's complement or unsigned integers of 2 to 16 bits. A format is a
value, written the way C and ONNX write it: ``int8``, ``uint4``. Symmetric quantisers never use the
least code of a signed format; ``int8_symmetric`` says that it does not occur.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIN_WIDTH = 2
_MAX_WIDTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class IntFormat:
    """An integer operand format.

    Attributes:
        width: Width in bits, 2 to 16.
        signed: Two's complement if true, unsigned otherwise.
        symmetric: Whether the least code, which has no opposite, is left out.
    """

    width: int
    signed: bool = True
    symmetric: bool = False

    def __post_init__(self) -> None:
        """Refuse widths that no engine takes, and an unsigned symmetric format."""
        if not _MIN_WIDTH <= self.width <= _MAX_WIDTH:
            raise ValueError(
                f"Integer width must be {_MIN_WIDTH} to {_MAX_WIDTH} bits, not {self.width!r}"
            )
        if self.symmetric and not self.signed:
            raise ValueError(f"A symmetric format must be signed, not uint{self.width}")

    @classmethod
    def parse(cls, text: str) -> "IntFormat":
        """Read ``int8``, ``uint4`` or ``int8_symmetric``.

        Raises:
            ValueError: If ``text`` does not name an integer format.
        """
        match = re.fullmatch(r"(u?)int(\d{1,3})(_symmetric)?", text)
        if match is None:
            raise ValueError(f"Integer format must look like int8 or uint4, not {text!r}")
        return cls(width=int(match[2]), signed=not match[1], symmetric=bool(match[3]))

    @property
    def min(self) -> int:
        """Least code."""
        return self.symmetric - (1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Greatest code."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def max_magnitude(self) -> int:
        """Greatest absolute value of a code."""
        return max(-self.min, self.max)

    @property
    def mask(self) -> int:
        """All bits of a code set: ``code & mask`` is its bit pattern."""
        return (1 << self.width) - 1

    def admits(self, codes: NDArray[np.integer]) -> bool:
        """Tell whether every code lies in ``[min, max]``; an empty array does."""
        return codes.size == 0 or (int(codes.min()) >= self.min and int(codes.max()) <= self.max)

    def __str__(self) -> str:
        """Return the name that ``parse`` reads."""
        sign, suffix = "" if self.signed else "u", "_symmetric" if self.symmetric else ""
        return f"{sign}int{self.width}{suffix}"


INT4 = IntFormat(width=4)
INT8 = IntFormat(width=8)
SYMMETRIC_INT8 = IntFormat(width=8, symmetric=True)
INT16 = IntFormat(width=16)
UINT4 = IntFormat(width=4, signed=False)
UINT8 = IntFormat(width=8, signed=False)

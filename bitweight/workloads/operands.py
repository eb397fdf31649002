"""Drawn operands: for when a shape is known and its values are not.

``uniform`` takes every code of a format alike. ``normal:STD`` rounds a normal variable to the
nearest integer, half to even, and draws again whatever falls outside the format; clipping instead
would pile values up at the ends and change the digit counts of every recoding. Reports name the
distribution and the seed beside each figure that depends on them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workloads.formats import IntFormat

# Drawn a piece at a time, so that a large array costs no second one in float64.
_CHUNK = 1 << 16
# A wider normal is nearly uniform over the format, and most draws would be thrown away.
_MAX_STD_PER_MAGNITUDE = 8


@dataclass(frozen=True, slots=True)
class Distribution:
    """How operands are drawn.

    Attributes:
        std: Standard deviation, in codes, of a normal distribution around 0; ``None`` is uniform.
    """

    std: float | None = None

    def __post_init__(self) -> None:
        """Refuse a deviation that is not a positive number."""
        if self.std is not None and not 0 < self.std < math.inf:
            raise ValueError(f"Standard deviation must be a positive number, not {self.std!r}")

    @classmethod
    def parse(cls, text: str) -> "Distribution":
        """Read ``uniform`` or ``normal:STD``, for example ``normal:20``.

        Raises:
            ValueError: If ``text`` names no distribution.
        """
        if text == "uniform":
            return cls()
        kind, _, std = text.partition(":")
        try:
            return cls({"normal": float(std)}[kind])
        except (KeyError, ValueError):
            raise ValueError(
                f"Operands must be uniform or normal:STD, for example normal:20, not {text!r}"
            ) from None

    def draw(
        self,
        format: IntFormat,  # noqa: A002 - as in specs: it is the format
        shape: tuple[int, ...],
        rng: np.random.Generator,
    ) -> NDArray[np.integer]:
        """Draw codes of ``format``.

        Args:
            format: Format whose codes are drawn.
            shape: Shape of the result.
            rng: Source of randomness; the same state gives the same codes.

        Returns:
            Codes in the smallest of int8, uint8, int16 and uint16 that holds them.

        Raises:
            ValueError: If the deviation is so wide for ``format`` that draws are mostly redrawn.
        """
        dtype = _dtype(format)
        if self.std is None:
            return rng.integers(format.min, format.max, shape, dtype, endpoint=True)
        widest = _MAX_STD_PER_MAGNITUDE * format.max_magnitude
        if self.std > widest:
            raise ValueError(
                f"Standard deviation must be at most {widest} for {format}, not {self.std:g}; "
                "draw uniform operands instead"
            )
        codes = np.empty(shape, dtype)
        flat = codes.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            _fill_normal(flat[start : start + _CHUNK], self.std, format, rng)
        return codes

    def __str__(self) -> str:
        """Return the text that ``parse`` reads."""
        return "uniform" if self.std is None else f"normal:{str(self.std).removesuffix('.0')}"


def _dtype(fmt: IntFormat) -> np.dtype[np.signedinteger | np.unsignedinteger]:
    storage_bits = 8 if fmt.width <= 8 else 16
    return np.dtype(f"{'int' if fmt.signed else 'uint'}{storage_bits}")


def _fill_normal(
    codes: NDArray[np.integer], std: float, fmt: IntFormat, rng: np.random.Generator
) -> None:
    """Fill ``codes`` in order with the drawn values that lie in the format."""
    filled = 0
    while filled < codes.size:
        values = np.rint(rng.standard_normal(codes.size - filled) * std)
        kept = values[(values >= fmt.min) & (values <= fmt.max)]
        codes[filled : filled + kept.size] = kept
        filled += kept.size

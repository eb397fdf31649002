"""The two phases of running a language model on a prompt."""

from enum import StrEnum


class Phase(StrEnum):
    """Which tokens a step computes.

    Attributes:
        PREFILL: All tokens of a prompt at once: matrix times matrix.
        DECODE: One new token of each sequence in the batch.
    """

    PREFILL = "prefill"
    DECODE = "decode"

    @classmethod
    def parse(cls, text: str) -> "Phase":
        """Read ``prefill`` or ``decode``.

        Raises:
            ValueError: If ``text`` is neither.
        """
        if text not in tuple(cls):
            raise ValueError(f"Phase must be prefill or decode, not {text!r}")
        return cls(text)

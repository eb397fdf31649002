"""Boolean functions as Liberty writes them, evaluated on many states at once.

``!`` before and ``'`` behind an operand invert; ``*``, ``&`` and a mere blank are AND, ``+`` and
``|`` OR, ``^`` XOR. AND binds tighter than XOR, XOR tighter than OR.

Source: Liberty User Guide, vol. 1, "function" attribute.
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

States = Mapping[str, NDArray[np.bool_]]
"""Value of each pin in every state, all of one length."""

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*(?:\[\d+\])?|[01]|[!'*&+|^()])")
_OPERAND_STARTS = re.compile(r"[A-Za-z_01!(]")


def evaluate(expression: str, states: States) -> NDArray[np.bool_]:
    """Return the value of an expression in every state.

    Raises:
        ValueError: If it is no Boolean function of these pins.
    """
    parser = _Parser(expression, states)
    value = parser.disjunction()
    if parser.tokens:
        raise parser.refusal()
    return value


class _Parser:
    """Recursive descent; every method takes what it can and returns its value."""

    def __init__(self, expression: str, states: States) -> None:
        self.expression = expression
        self.states = states
        self.tokens = _tokens(expression)
        self.length = len(next(iter(states.values()))) if states else 1

    def refusal(self) -> ValueError:
        return ValueError(
            f"Liberty function must be Boolean in {', '.join(self.states)}, not {self.expression!r}"
        )

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def disjunction(self) -> NDArray[np.bool_]:
        value = self.exclusive()
        while self.peek() in {"+", "|"}:
            self.tokens.pop(0)
            value = value | self.exclusive()
        return value

    def exclusive(self) -> NDArray[np.bool_]:
        value = self.conjunction()
        while self.peek() == "^":
            self.tokens.pop(0)
            value = value ^ self.conjunction()
        return value

    def conjunction(self) -> NDArray[np.bool_]:
        value = self.operand()
        while self.peek() in {"*", "&"} or _OPERAND_STARTS.match(self.peek()):
            if self.peek() in {"*", "&"}:
                self.tokens.pop(0)
            value = value & self.operand()
        return value

    def operand(self) -> NDArray[np.bool_]:
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "!":
            return ~self.operand()
        if token == "(":
            value = self.disjunction()
            if not self.tokens or self.tokens.pop(0) != ")":
                raise self.refusal()
        elif token in {"0", "1"}:
            value = np.full(self.length, token == "1")
        elif token in self.states:
            value = self.states[token]
        else:
            raise self.refusal()
        while self.peek() == "'":
            self.tokens.pop(0)
            value = ~value
        return value


def _tokens(expression: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = expression.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"Liberty function must be Boolean, not {expression!r}")
        found.append(match[1])
        at = match.end()
    return found

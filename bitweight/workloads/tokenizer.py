r"""Byte-level BPE from a GGUF file's metadata.

Text is cut into words by a pre-tokeniser, each word's UTF-8 bytes are written as printable
characters, and neighbours are merged in the order of the file's merge list.

The pre-tokenisers are regular expressions over Unicode classes, which Python's ``re`` lacks. Each
character is therefore replaced by a letter of its class (``_shadow``) and the expression is
matched on that; only the English contractions look at the text itself.

Source: Radford et al., GPT-2, 2019, section 2.2 (byte-level BPE, and the expression
``'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+``). "smollm"
first cuts every digit off by itself.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from bitweight.workloads.gguf_reader import GgufFile

_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_WORD = re.compile(r" ?L+| ?N+| ?O+|[ W]+(?![LNO])|[ W]+")
_DIGITS_APART = re.compile(r"N|[^N]+")
_PRETOKENISERS = ("gpt-2", "smollm")


def _byte_characters() -> dict[int, str]:
    """Return GPT-2's printable character for each byte value."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + index) for index, byte in enumerate(others)
    }


_CHARACTERS = _byte_characters()
_BYTES = {character: byte for byte, character in _CHARACTERS.items()}


def _shadow(text: str) -> str:
    """Replace each character by its class: letter L, number N, space, white W, other O."""

    def character_class(character: str) -> str:
        if character == " ":
            return character
        category = unicodedata.category(character)
        # Unicode white space; str.isspace also takes the separators 1C-1F, which are not.
        if category.startswith("Z") or character in "\t\n\v\f\r\x85":
            return "W"
        return category[0] if category[0] in "LN" else "O"

    return "".join(map(character_class, text))


def split_words(text: str, *, digits_apart: bool) -> Iterator[str]:
    """Cut ``text`` as GPT-2 does; with ``digits_apart`` each digit is cut off first."""
    shadow = _shadow(text)
    for piece in (_DIGITS_APART if digits_apart else re.compile(".+")).finditer(shadow):
        at = piece.start()
        while at < piece.end():
            end = _word_end(text[at : piece.end()], shadow[at : piece.end()]) + at
            yield text[at:end]
            at = end


def _word_end(text: str, shadow: str) -> int:
    for contraction in _CONTRACTIONS:
        if text.startswith(contraction):
            return len(contraction)
    match = _WORD.match(shadow)
    assert match is not None, "the expression takes every class"
    return match.end()


@dataclass(frozen=True, slots=True, eq=False)
class Tokenizer:
    """A byte-level BPE vocabulary.

    Attributes:
        tokens: Text of each token, in printable byte characters.
        merges: Pairs in the order in which they are merged, each "left right".
        digits_apart: Whether every digit is a word of its own.
        first: Token put before every text, or None.
    """

    tokens: tuple[str, ...]
    merges: tuple[str, ...]
    digits_apart: bool
    first: int | None = None

    @classmethod
    def from_gguf(cls, file: GgufFile) -> "Tokenizer":
        """Read the tokenizer of a GGUF file.

        Raises:
            ValueError: If it is not byte-level BPE, or its pre-tokeniser is not known here.
        """
        kind = file.metadata("tokenizer.ggml.model", str)
        if kind != "gpt2":
            raise ValueError(f"{file.path}: tokenizer must be gpt2 (byte-level BPE), not {kind!r}")
        words = file.metadata("tokenizer.ggml.pre", str)
        if words not in _PRETOKENISERS:
            known = " or ".join(_PRETOKENISERS)
            raise ValueError(f"{file.path}: pre-tokeniser must be {known}, not {words!r}")
        adds_first = file.metadata("tokenizer.ggml.add_bos_token", bool, default=False)
        return cls(
            tokens=tuple(file.metadata("tokenizer.ggml.tokens", list)),
            merges=tuple(file.metadata("tokenizer.ggml.merges", list)),
            digits_apart=words == "smollm",
            first=file.metadata("tokenizer.ggml.bos_token_id", int) if adds_first else None,
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of ``text``; control tokens in it are ordinary text.

        Raises:
            ValueError: If a byte of the text is not in the vocabulary.
        """
        ids = {token: index for index, token in enumerate(self.tokens)}
        ranks = {merge: rank for rank, merge in enumerate(self.merges)}
        parts = [
            part
            for word in split_words(text, digits_apart=self.digits_apart)
            for part in _merge([_CHARACTERS[byte] for byte in word.encode()], ranks)
        ]
        missing = next((part for part in parts if part not in ids), None)
        if missing is not None:
            raise ValueError(f"Text must be made of the model's tokens, but {missing!r} is none")
        start = () if self.first is None else (self.first,)
        return (*start, *(ids[part] for part in parts))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ``ids``; bytes that are not UTF-8 become U+FFFD."""
        characters = "".join(self.tokens[index] for index in ids)
        data = b"".join(bytes([_BYTES[c]]) if c in _BYTES else c.encode() for c in characters)
        return data.decode(errors="replace")


def _merge(parts: list[str], ranks: dict[str, int]) -> list[str]:
    """Merge the neighbours of lowest rank, leftmost first, until no pair has a rank."""
    while len(parts) > 1:
        pairs = [ranks.get(f"{left} {right}", len(ranks)) for left, right in pairwise(parts)]
        best = min(pairs)
        if best == len(ranks):
            break
        at = pairs.index(best)
        parts[at : at + 2] = ["".join(parts[at : at + 2])]
    return parts

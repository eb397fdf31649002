import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_gguf import byte_characters, write_llama

from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.tokenizer import Tokenizer, split_words

# GPT-2's own expression with its Unicode classes spelled out for ASCII text.
GPT2_ASCII = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII
)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_gguf(GgufFile(write_llama(tmp_path / "a.gguf")))


# re.ASCII's \s is [ \t\n\r\f\v], as Unicode white space is below 128.
@given(text=st.text(st.sampled_from(" \t\n\r'.,ab12tsrevmld\x1c_"), max_size=20))
def test_words_are_cut_as_gpt_2s_expression_does(text: str) -> None:
    assert list(split_words(text, digits_apart=False)) == GPT2_ASCII.findall(text)


@given(text=st.text(max_size=20), digits_apart=st.booleans())
def test_words_join_to_the_text(text: str, digits_apart: bool) -> None:
    words = list(split_words(text, digits_apart=digits_apart))
    assert "".join(words) == text
    assert "" not in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("In 2023, we're", ["In", " ", "2", "0", "2", "3", ",", " we", "'re"]),
        ("a  b\n\nc", ["a", " ", " b", "\n", "\n", "c"]),
        ("x1y", ["x", "1", "y"]),
        ("été ½東京 —ß", ["été", " ", "½", "東京", " —", "ß"]),
        ("DON'T don't", ["DON", "'", "T", " don", "'t"]),
        ("end  ", ["end", "  "]),
    ],
)
def test_smollm_cuts_every_digit_off(text: str, words: list[str]) -> None:
    assert list(split_words(text, digits_apart=True)) == words


def test_neighbours_merge_in_the_order_of_the_list(tokenizer: Tokenizer) -> None:
    tokens = [tokenizer.tokens[index] for index in tokenizer.encode("hello world")]
    assert tokens == ["hell", "o", "Ġw", "o", "r", "l", "d"]


def test_of_equal_pairs_the_leftmost_merges_first(tokenizer: Tokenizer) -> None:
    assert [tokenizer.tokens[index] for index in tokenizer.encode("lll")] == ["ll", "l"]


@given(text=st.text(max_size=20))
def test_encoding_is_undone_by_decoding(text: str) -> None:
    tokenizer = Tokenizer(tokens=(*byte_characters(), "he"), merges=("h e",), digits_apart=True)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_first_token_comes_before_the_text() -> None:
    tokenizer = Tokenizer(tokens=tuple(byte_characters()), merges=(), digits_apart=True, first=7)
    assert tokenizer.encode("A") == (7, 65)


def test_bytes_outside_the_vocabulary_are_refused() -> None:
    with pytest.raises(ValueError, match="made of the model's tokens, but 'b' is none"):
        Tokenizer(tokens=("a",), merges=(), digits_apart=True).encode("ab")


def test_other_pretokenisers_are_refused_by_name(tmp_path: Path) -> None:
    file = GgufFile(write_llama(tmp_path / "a.gguf", pre="llama-bpe"))
    with pytest.raises(ValueError, match="pre-tokeniser must be gpt-2 or smollm, not 'llama-bpe'"):
        Tokenizer.from_gguf(file)

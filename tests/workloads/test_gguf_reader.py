import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from tiny_gguf import TYPES, write_llama, write_matrices

from bitweight.workloads.gguf_blocks import BLOCK_FORMATS
from bitweight.workloads.gguf_reader import GgufFile


def test_matrices_are_n_by_k_and_rows_are_read_alone(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 1, (6, 64)).astype(np.float32)
    packed = gguf.quants.quantize(values, TYPES.Q5_1)
    file = GgufFile(write_matrices(tmp_path / "a.gguf", {"w": (packed, "Q5_1")}))
    expected = gguf.quants.dequantize(packed, TYPES.Q5_1)
    assert file.shape("w") == (6, 64)
    assert file.type_name("w") == "Q5_1"
    np.testing.assert_array_equal(file.dequantise("w"), expected)
    np.testing.assert_array_equal(file.dequantise("w", slice(2, 4)), expected[2:4])
    np.testing.assert_array_equal(file.codes("w", slice(5, 6)).dequantise(), expected[5:])


@pytest.mark.parametrize("type_name", ["F32", "F16", "BF16"])
def test_float_types_have_values_but_no_codes(tmp_path: Path, type_name: str) -> None:
    values = np.array([[1.0, -2.5, 0.25], [8.0, 0.0, 3.0]], np.float32)
    packed = gguf.quants.quantize(values, TYPES[type_name])
    file = GgufFile(write_matrices(tmp_path / "a.gguf", {"w": (packed, type_name)}))
    np.testing.assert_array_equal(file.dequantise("w"), values)
    with pytest.raises(ValueError, match=f"to have codes; {type_name} is floats"):
        file.codes("w")


def test_unknown_types_are_refused_by_name(tmp_path: Path) -> None:
    packed = gguf.quants.quantize(np.zeros((2, 256), np.float32), TYPES.TQ1_0)
    file = GgufFile(write_matrices(tmp_path / "a.gguf", {"w": (packed, "TQ1_0")}))
    with pytest.raises(ValueError, match=r"w must be one of F32, .*, not TQ1_0"):
        file.dequantise("w")
    with pytest.raises(ValueError, match="TQ1_0 is not supported"):
        file.codes("w")


def test_the_issues_list_of_types_is_read() -> None:
    expected = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q6_K"}
    assert set(BLOCK_FORMATS) == expected


def test_metadata_is_typed_and_may_have_a_default(tmp_path: Path) -> None:
    file = GgufFile(write_llama(tmp_path / "a.gguf"))
    assert file.metadata("llama.block_count", int) == 2
    assert file.metadata("no.such.key", int, default=7) == 7
    with pytest.raises(ValueError, match=r"metadata no.such.key must be int, not nothing"):
        file.metadata("no.such.key", int)
    with pytest.raises(ValueError, match=r"general.name must be int, not str"):
        file.metadata("general.name", int)
    with pytest.raises(ValueError, match=r"must have a tensor nope\.weight, which is missing"):
        file.dequantise("nope.weight")


@pytest.mark.parametrize("size", [0, 3, 4, 20, 200, 3000, 20000])
def test_a_truncated_file_is_one_clear_error(tmp_path: Path, size: int) -> None:
    whole = write_llama(tmp_path / "a.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[:size])
    with pytest.raises(ValueError, match=r"cut\.gguf: must be a .*GGUF file") as caught:
        GgufFile(cut)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GgufFile(tmp_path / "none.gguf")


def test_a_missing_package_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_llama(tmp_path / "a.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ValueError, match=r"pip install 'bitweight\[gguf\]'"):
        GgufFile(path)


def test_a_header_that_claims_too_much_is_refused_at_once(tmp_path: Path) -> None:
    data = bytearray(write_llama(tmp_path / "a.gguf").read_bytes())
    data[22] = 255
    (tmp_path / "b.gguf").write_bytes(data)
    with pytest.raises(ValueError, match="too short for its header"):
        GgufFile(tmp_path / "b.gguf")

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from tiny_gguf import write_llama
from typer.testing import CliRunner, Result

from bitweight.cli.trace import app
from bitweight.workloads import FORMATS, Layer, Operand, PackedLayer, Trace
from bitweight.workloads.capture import Capture
from bitweight.workloads.formats import INT8
from bitweight.workloads.quantize import encode

X, W = np.ones((2, 3), int), np.ones((3, 4), int)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def save(path: Path, golden: NDArray[np.int64] | None) -> Path:
    Trace(layers=(Layer.from_arrays("a", X, W, golden=golden),), text="\x1b[31m").save(path)
    return path


def test_check_and_info_take_the_shipped_example_by_default() -> None:
    checked = run("check", "--json")
    assert checked.exit_code == 0
    assert [layer["golden"] for layer in json.loads(checked.stdout)["layers"]] == ["equal"] * 4
    described = json.loads(run("info", "--json").stdout)
    assert described["tokens"] == 27
    assert described["layers"][2] == {
        "layer": "blk.17.attn_k",
        "m": 27,
        "n": 192,
        "k": 576,
        "x": "int8",
        "x_scale": "token",
        "w": "int8",
        "w_scale": "channel",
        "group": None,
        "golden": "present",
    }


@pytest.mark.parametrize(
    ("golden", "code", "word"),
    [(X @ W, 0, "equal"), (X @ W + 1, 1, "differs"), (None, 0, "absent")],
)
def test_check_exits_1_if_golden_accumulators_differ(
    tmp_path: Path, golden: NDArray[np.int64] | None, code: int, word: str
) -> None:
    path = save(tmp_path / "t.safetensors", golden)
    done = run("check", str(path))
    assert done.exit_code == code
    assert word in done.stdout


def test_packed_layers_are_described_and_checked(tmp_path: Path) -> None:
    x = Operand.from_arrays("a.x", X, INT8)
    layer = PackedLayer.from_arrays("a", x, encode(FORMATS["trit_nine"], W.astype(float)))
    path = tmp_path / "t.safetensors"
    Trace(layers=(layer,)).save(path)
    described = json.loads(run("info", str(path), "--json").stdout)["layers"]
    assert described == [
        {
            **{"layer": "a", "m": 2, "n": 4, "k": 3, "x": "int8", "x_scale": "tensor"},
            **{"w": "trit_nine", "w_scale": "packed", "group": 128, "golden": "absent"},
        }
    ]
    done = run("check", str(path), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["layers"] == [
        {"layer": "a", "codes": "in range", "golden": "absent", "wrong": 0}
    ]
    path.write_bytes(path.read_bytes().replace(layer.weights.words.tobytes(), b"\x88" * 8))
    assert isinstance(run("check", str(path)).exception, ValueError)


def test_a_bad_file_is_a_value_error_for_the_main_program(tmp_path: Path) -> None:
    path = save(tmp_path / "t.safetensors", None)
    path.write_bytes(path.read_bytes()[:-1])
    assert isinstance(run("check", str(path)).exception, ValueError)
    assert isinstance(run("info", str(path)).exception, ValueError)


def test_a_files_text_does_not_steer_the_terminal(tmp_path: Path) -> None:
    done = run("info", str(save(tmp_path / "t.safetensors", None)))
    assert "\x1b[31m" not in done.stdout
    assert r"\x1b[31m" in done.stdout


def test_capture_writes_a_trace_that_check_accepts(tmp_path: Path) -> None:
    model, out = write_llama(tmp_path / "tiny.gguf"), tmp_path / "t.safetensors"
    arguments = ("--gguf", str(model), "-o", str(out), "--text", "hello", "--json")
    done = run("capture", *arguments, "--block", "1", "--kind", "attn_q", "--kind", "ffn_down")
    assert done.exit_code == 0
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    assert json.loads(done.stdout) == {
        "file": str(out),
        "bytes": out.stat().st_size,
        "sha256": sha256,
    }
    assert [layer.name for layer in Trace.load(out).layers] == ["blk.1.attn_q", "blk.1.ffn_down"]
    assert run("check", str(out)).exit_code == 0


def test_capture_of_a_model_too_small_for_the_example_leaves_no_file(tmp_path: Path) -> None:
    model, out = write_llama(tmp_path / "tiny.gguf"), tmp_path / "t.safetensors"
    done = run("capture", "--gguf", str(model), "-o", str(out), "--example")
    assert isinstance(done.exception, ValueError)
    assert not out.exists()


def test_a_failed_capture_leaves_no_file(tmp_path: Path) -> None:
    model, out = write_llama(tmp_path / "tiny.gguf"), tmp_path / "t.safetensors"
    done = run("capture", "--gguf", str(model), "-o", str(out), "--text", "hi", "--block", "9")
    assert isinstance(done.exception, ValueError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.gguf"]


def test_every_verb_has_help() -> None:
    for command in typer.main.get_command(app).commands.values():
        assert command.help


def test_an_example_with_other_bytes_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = write_llama(tmp_path / "tiny.gguf"), tmp_path / "t.safetensors"
    monkeypatch.setattr("bitweight.cli.trace.EXAMPLE", Capture(text="hello"))
    assert run("capture", "--gguf", str(model), "-o", str(out), "--example").exit_code == 1

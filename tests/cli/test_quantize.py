"""``bitweight quantize``: from traces and GGUF files to packed traces that engines run."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tiny_gguf import TYPES, write_llama, write_matrices

from bitweight.cli.app import run
from bitweight.workloads import Layer, PackedLayer, Trace
from bitweight.workloads.example import PACKED_EXAMPLE_SHA256
from bitweight.workloads.formats import UINT4
from bitweight.workloads.formats.trit_planes import TritPlanes
from bitweight.workloads.gguf_layers import gguf_trace
from bitweight.workloads.gguf_reader import GgufFile
from bitweight.workloads.operands import Distribution
from bitweight.workloads.quantize import encode
from bitweight.workloads.quantize.pack_layers import PackRequest
from bitweight.workloads.real_layer import real_trace
from bitweight.workloads.trace import packed_example_path
from bitweight.workloads.weight_formats import FORMATS

RNG = np.random.default_rng(9)
M, K, N = 3, 40, 8
X, W = RNG.integers(-128, 128, (M, K)), RNG.integers(0, 16, (K, N))
SCALE, ZERO = RNG.uniform(0.01, 0.02, (3, N)).astype(np.float32), RNG.integers(6, 10, (3, N))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Save a trace of two layers, the second with groups of 16, scales and zero points."""
    grouped = Layer.from_arrays(
        "second", X, W, w_format=UINT4, w_scale=SCALE, w_zero_point=ZERO, group=16
    )
    path = tmp_path / "in.safetensors"
    Trace(layers=(Layer.from_arrays("first", X, W), grouped), text="hi", token_ids=(1, 2, 3)).save(
        path
    )
    return path


def real_second() -> Any:
    """Return the second layer's real weights, group by group and by hand."""
    groups = [
        (W[at : at + 16] - ZERO[at // 16]) * SCALE[at // 16].astype(np.float64)
        for at in range(0, K, 16)
    ]
    return np.concatenate(groups)


def test_a_layers_real_weights_are_encoded(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    arguments = ("--to", "trit_planes", "--set", "group=16", "--layer", "second", "-o", out)
    assert run(["quantize", str(source), *map(str, arguments), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    trace = Trace.load(out)
    assert (trace.text, trace.token_ids) == ("hi", (1, 2, 3))
    assert trace.producer == "bitweight quantize --to trit_planes --set group=16"
    [layer] = trace.layers
    assert isinstance(layer, PackedLayer)
    expected = encode(TritPlanes(group=16), real_second())
    assert layer.format == expected.format
    np.testing.assert_array_equal(layer.weights.words, expected.words)
    np.testing.assert_array_equal(layer.x, X)
    decoded = expected.dequantise()
    error = np.sqrt(((decoded - real_second()) ** 2).sum() / (real_second() ** 2).sum())
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    assert {key: shown[key] for key in ("file", "bytes", "sha256")} == {
        "file": str(out),
        "bytes": out.stat().st_size,
        "sha256": sha256,
    }
    assert shown["layers"] == [
        {
            **{"name": "second", "m": M, "n": N, "k": K, "format": "trit_planes"},
            # Three groups of two scales, the last of 8 weights.
            "bits_per_weight": 4 + 3 * 32 / K,
            "relative_error": pytest.approx(error, rel=1e-12),
            "weight_bytes": N * (K // 2 + 3 * 4),
            "short_groups": N,
        }
    ]


def test_what_is_packed_runs_on_its_engine(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.safetensors")
    assert run(["quantize", str(source), "--to", "trit_nine", "-o", out]) == 0
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines()[2:4]] == ["first", "second"]
    assert run(["simulate", "addsub/trit_nine", "--trace", out, "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    facts = [(one["name"], one["format"], one["bits_per_weight"]) for one in layers]
    assert facts == [("first", "trit_nine", 4 + 16 / K), ("second", "trit_nine", 4 + 16 / K)]


def test_the_same_input_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("a", "b")]
    for out in outs:
        assert run(["quantize", str(source), "--to", "dual_grained", "-o", str(out)]) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize("type_name", ["Q4_1", "F16"])
def test_a_gguf_files_dequantised_weights_are_encoded(tmp_path: Path, type_name: str) -> None:
    values = RNG.normal(0, 0.1, (24, 64)).astype(np.float32)
    packed = gguf.quants.quantize(values, TYPES[type_name])
    model = write_matrices(tmp_path / "a.gguf", {"blk.0.ffn_up.weight": (packed, type_name)})
    out = tmp_path / "out.safetensors"
    drawn = ("--operands", "normal:9", "--seed", "4", "--tokens", "5")
    assert run(["quantize", str(model), "--to", "nf4", "-o", str(out), *drawn]) == 0
    trace = Trace.load(out)
    [layer] = trace.layers
    assert isinstance(layer, PackedLayer)
    assert (layer.name, layer.m, layer.n, layer.k) == ("blk.0.ffn_up", 5, 24, 64)
    real = GgufFile(model).dequantise("blk.0.ffn_up.weight").T.astype(np.float64)
    np.testing.assert_array_equal(layer.weights.words, encode(FORMATS["nf4"], real).words)
    assert trace.producer == "bitweight quantize --to nf4, activations normal:9, seed 4"
    assert trace.source_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()


def test_drawn_activations_are_those_that_simulate_draws(tmp_path: Path) -> None:
    model, out = write_llama(tmp_path / "tiny.gguf"), tmp_path / "out.safetensors"
    chosen = ("--layer", "blk.1.ffn_up", "--tokens", "3", "-o", str(out))
    assert run(["quantize", str(model), "--to", "int8", *chosen]) == 0
    drawn = gguf_trace(model, tokens=3, operands=Distribution.parse("normal:20"), seed=0)
    np.testing.assert_array_equal(
        Trace.load(out).layer("blk.1.ffn_up").x, drawn.layer("blk.1.ffn_up").x
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--to FORMAT must be given, or --example"),
        (("IN",), "--to FORMAT must be given, or --example"),
        (("IN", "--to", "nf5"), "Format must be one of seedlm4, .* not 'nf5'; did you mean 'nf"),
        (("IN", "--to", "MXFP4"), "Format must be .* not 'MXFP4': floating-point codes are not su"),
        (("IN", "--to", "nf4", "--set", "grp=3"), "ValueTable has no field 'grp' .it has table, "),
        (("IN", "--to", "nf4", "--set", "group=0"), "Group must be at least 1 weight, not 0"),
        (("IN", "--to", "nf4", "--set", "table=1,2"), "Table must have 4, 8 or 16 values, not 2"),
        (("IN", "--to", "nf4", "--set", "table=a"), "Field 'table' must be numbers and commas, no"),
        (("IN", "--to", "i2_s", "--set", "group=3"), "I2S has no field 'group' .it has none"),
        (("IN", "--to", "nf4", "--layer", "third"), "Layer must be one of the trace's, not 'third"),
        (("IN", "--to", "nf4", "--tokens", "3"), "--tokens must come with a GGUF file, not with a"),
        (("IN", "--to", "nf4", "--seed", "0"), "--seed must come with a GGUF file, not with a tr"),
        (("--to", "nf4", "--example"), "--example must come alone with --out, not with --to"),
        (("--set", "group=3", "--example"), "--example must come alone with --out, not with --set"),
        (("absent.gguf", "--to", "nf4"), "absent.gguf: No such file or directory"),
        ((".", "--to", "nf4"), ".: Is a directory"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(source.parent)
    given = [source.name if argument == "IN" else argument for argument in arguments]
    assert_refused(["quantize", *given, "-o", "out"], message, capsys)
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def assert_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert re.match(f"error: {message}", captured.err), captured.err


def test_without_a_file_the_shipped_example_is_encoded(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["quantize", "--to", "int4", "--layer", "blk.17.attn_k", "-o", str(out)]) == 0
    assert [layer.name for layer in Trace.load(out).layers] == ["blk.17.attn_k"]


def test_an_example_with_other_bytes_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, out = Trace(layers=(Layer.from_arrays("a", X, W),)), tmp_path / "out"
    request = PackRequest(source=real_trace(trace), forms=(FORMATS["nf4"],), producer="test")
    monkeypatch.setattr("bitweight.cli.quantize.packed_example", lambda: request)
    assert run(["quantize", "--example", "-o", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"failed: {out}: SHA-256 must be the shipped")


def test_the_shipped_packed_example_is_small_and_has_its_bytes() -> None:
    data = packed_example_path().read_bytes()
    assert hashlib.sha256(data).hexdigest() == PACKED_EXAMPLE_SHA256
    assert len(data) < 1_500_000
    layers = Trace.packed_example().layers
    assert [layer.name for layer in layers] == [f"blk.17.attn_k.{name}" for name in FORMATS]
    for layer in layers:
        layer.check()


@pytest.mark.slow
def test_the_shipped_packed_example_is_made_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["quantize", "--example", "-o", str(out)]) == 0
    assert out.read_bytes() == packed_example_path().read_bytes()


def test_packed_input_is_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.safetensors")
    assert run(["quantize", str(source), "--to", "nf4", "-o", out]) == 0
    capsys.readouterr()
    assert_refused(
        ["quantize", out, "--to", "nf3", "-o", out],
        "first.w must hold integer codes to be encoded, not nf4: it is packed already, so take",
        capsys,
    )
    assert Trace.load(out).layers


def test_what_a_format_cannot_hold_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "in", tmp_path / "out"
    odd = Layer.from_arrays("odd", X, W[:, :5])
    Trace(layers=(Layer.from_arrays("even", X, W), odd)).save(path)
    assert_refused(
        ["quantize", str(path), "--to", "shift_add3", "-o", str(out)],
        "odd.w: Shift-add weights must have a multiple of 8 outputs, not 5",
        capsys,
    )
    Trace(layers=(Layer.from_arrays("a", X, W, x_scale=np.ones((M, 3)), group=16),)).save(path)
    assert_refused(
        ["quantize", str(path), "--to", "nf4", "-o", str(out)],
        r"a.x_scale must have shape \(\) or \(3,\) for packed weights, not \(3, 3\)",
        capsys,
    )
    assert not out.exists()


def test_a_group_beyond_all_memory_is_one_line(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    far = ("--to", "trit_planes", "--set", f"group={2**40}", "-o", out)
    assert_refused(["quantize", str(source), *far], "Unable to allocate ", capsys)

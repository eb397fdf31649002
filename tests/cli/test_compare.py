"""``bitweight compare``: weight formats on a layer of a trace."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitweight.cli.app import run
from bitweight.workloads import FORMATS, Layer, Operand, PackedLayer, Trace
from bitweight.workloads.formats import INT8
from bitweight.workloads.quantize import encode

RNG = np.random.default_rng(4)
X, W = RNG.integers(-127, 128, (3, 64)), RNG.integers(-128, 128, (64, 16))


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Save a trace of two layers."""
    path = tmp_path / "t.safetensors"
    layers = (Layer.from_arrays("first", X, W), Layer.from_arrays("second", X, W[:, :8]))
    Trace(layers=layers).save(path)
    return str(path)


def show(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(["compare", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_formats_stand_next_to_plain_integers(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = show(capsys, "--trace", source, "--formats", "nf4,trit_nine")
    assert (shown["layer"], shown["m"], shown["n"], shown["k"]) == ("first", 3, 16, 64)
    rows = shown["formats"]
    assert [row["format"] for row in rows] == ["nf4", "trit_nine", *["int8"] * 2, *["int4"] * 2]
    assert rows[0]["engine"] == {"design": "decoder/nf4", "rows": 1, "columns": 16, "lanes": 8}
    assert rows[0]["bits_per_weight"] == 4 + 16 / 64
    assert rows[0]["decode"]["weight_bytes"] == 16 * (32 + 2)
    assert rows[0]["prefill"]["weight_bytes"] == 3 * 16 * (32 + 2)
    assert 0.05 < rows[0]["weight_error"] < 0.15
    assert rows[0]["per_output"] == {"lookups": 64, "adds": 64, "multiplies": 64}


def test_formats_are_repeated_or_joined_and_each_comes_once(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--trace", source, "--layer", "second")
    joined = show(capsys, *arguments, "--formats", "int8,nf3,int8")
    repeated = show(capsys, *arguments, "--formats", "int8", "--formats", "nf3")
    assert joined == repeated
    assert (joined["layer"], joined["n"]) == ("second", 8)
    names = [row["format"] for row in joined["formats"]]
    assert names == ["int8", "int8", "nf3", "int4", "int4"]


def test_the_table_has_a_line_for_every_row(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", "--trace", source, "--formats", "nf4"]) == 0
    title, heading, _, *rows = capsys.readouterr().out.splitlines()
    assert title == "first: 3 tokens, 64 inputs, 16 outputs"
    assert heading.split("  ")[0] == "format"
    assert [row.split()[:2] for row in rows[:2]] == [["nf4", "4.250"], ["int8", "8.250"]]


def test_every_format_runs_on_the_layer_that_is_shipped_encoded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = show(capsys, "--layer", "blk.17.attn_k")
    names = [row["format"] for row in shown["formats"]]
    assert list(dict.fromkeys(names)) == list(FORMATS)
    by_name = {row["format"]: row for row in shown["formats"]}
    # Published errors of SeedLM on normal weights are 0.123 and 0.225; these are a model's.
    assert by_name["seedlm4"]["weight_error"] == pytest.approx(0.124, abs=0.004)
    assert by_name["seedlm3"]["weight_error"] == pytest.approx(0.227, abs=0.004)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--formats", "nf5"), "Format must be one of seedlm4, "),
        (("--formats", "nf4,"), "Format must be one of seedlm4, "),
        (("--formats", "fp8"), "Format must be one of seedlm4, "),
        (("--layer", "third"), "Layer must be one of the trace's, not 'third'"),
        (("--trace", "absent"), "absent: No such file or directory"),
        (("--trace", "PACKED"), "a.w must hold integer codes to be encoded, not nf4: it is packed"),
        (("--trace", "NARROW", "--formats", "tl2"), "lookup/tl2 must have k a multiple of 32, not"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    packed = encode(FORMATS["nf4"], W.astype(float))
    layers = {
        "PACKED": PackedLayer.from_arrays("a", Operand.from_arrays("a.x", X, INT8), packed),
        "NARROW": Layer.from_arrays("a", X[:, :40], W[:40]),
    }
    for name, layer in layers.items():
        Trace(layers=(layer,)).save(tmp_path / name)
    files = {name: str(tmp_path / name) for name in layers}
    assert run(["compare", *(files.get(argument, argument) for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1

"""``bitweight simulate`` of engines of packed weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_gguf import write_llama

from bitweight.cli.app import run
from bitweight.sim import DATAPATHS, simulate
from bitweight.workloads import FORMATS, Layer, Operand, PackedLayer, Trace
from bitweight.workloads.formats import INT8
from bitweight.workloads.quantize import encode

RNG = np.random.default_rng(2)
X, W = RNG.integers(-127, 128, (3, 40)), RNG.normal(0, 0.02, (40, 8))


def packed_layer(name: str, form: str) -> PackedLayer:
    x = Operand.from_arrays(f"{name}.x", X, INT8)
    return PackedLayer.from_arrays(name, x, encode(FORMATS[form], W))


def save(path: Path, *layers: Layer | PackedLayer) -> str:
    Trace(layers=layers).save(path)
    return str(path)


def show(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(["simulate", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", DATAPATHS)
def test_every_packed_engine_runs_its_layer_of_the_shipped_example(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    form = DATAPATHS[name].pe.format
    shown = show(capsys, name)
    [layer] = shown["layers"]
    assert layer["name"] == f"blk.17.attn_k.{form.name}"
    assert (layer["m"], layer["n"], layer["k"], layer["golden"]) == (27, 192, 576, "absent")
    assert layer["format"] == form.name
    assert layer["bits_per_weight"] == form.bits_per_weight(k=576, n=192)
    assert shown["total_cycles"] == layer["cycles"]


def test_integer_engines_behind_a_decoder_run_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    behind, alone = (
        show(capsys, "adder_tree/mac/int8xdual_grained")["layers"][0],
        show(capsys, "adder_tree/mac", "--layer", "blk.17.attn_k")["layers"][0],
    )
    assert behind["name"] == "blk.17.attn_k.dual_grained"
    assert behind["cycles"] == alone["cycles"]


def test_integer_engines_say_nothing_of_packed_formats(capsys: pytest.CaptureFixture[str]) -> None:
    [layer] = show(capsys, "systolic_os/mac", "--gemm", "1x2x3")["layers"]
    assert {"format", "bits_per_weight"} & layer.keys() == set()


def test_the_sums_of_planes_and_groups_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = packed_layer("a", "trit_planes")
    trace, out = save(tmp_path / "t", layer), tmp_path / "out"
    show(capsys, "addsub/trit_planes", "--trace", trace, "-o", str(out))
    tensors = load_file(out)
    assert list(tensors) == ["a.partials"]
    expected = simulate(DATAPATHS["addsub/trit_planes"], X, layer.weights).partials
    np.testing.assert_array_equal(tensors["a.partials"], expected)


def test_the_table_shows_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = save(tmp_path / "t", packed_layer("a", "nf4"))
    assert run(["simulate", "decoder/nf4", "--trace", trace]) == 0
    heading, _, row, _ = capsys.readouterr().out.splitlines()
    assert heading.split()[:6] == ["layer", "m", "n", "k", "format", "bits/weight"]
    assert row.split()[:6] == ["a", "3", "8", "40", "nf4", "4.4"]


def test_a_layer_of_a_mixed_file_is_picked_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = [packed_layer(name, name) for name in ("nf4", "int8", "trit_nine")]
    trace = save(tmp_path / "t", *layers)
    for design, name in (("decoder/nf4", "nf4"), ("systolic_os/mac", "int8")):
        [layer] = show(capsys, design, "--trace", trace, "--layer", name)["layers"]
        assert (layer["name"], layer["format"]) == (name, name)


def test_sizes_alone_and_drawn_operands_take_the_same_cycles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone, drawn = (
        show(capsys, "decoder/nf4", "--gemm", "3x40x20", "--operands", kind)["layers"][0]
        for kind in ("none", "uniform")
    )
    assert alone["cycles"] == drawn["cycles"]
    assert (alone["activity"], drawn["activity"]["macs"]) == (None, 3 * 40 * 20)


def test_products_without_weights_are_left_out_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("simulate", "decoder/nf4", "--model", "smollm2-135m", "--phase", "decode")
    assert run([*arguments, "--json"]) == 0
    shown = capsys.readouterr()
    names = [layer["name"] for layer in json.loads(shown.out)["layers"]]
    assert "attn_q" in names
    assert not [name for name in names if name.startswith(("attn_scores", "attn_values"))]
    assert shown.err.startswith("left out: attn_scores_qk, attn_values_pv, which multiply")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("addsub/trit_nine", "--trace", "INTEGER"),
            "a.w must be packed in trit_nine for addsub/trit_nine, not integer codes; "
            "`bitweight quantize --to trit_nine FILE -o OUT` packs real or integer weights so",
        ),
        (("addsub/trit_nine", "--gguf", "GGUF"), "blk.0.attn_q.w must be packed in trit_nine for "),
        (("addsub/trit_nine", "--trace", "NF4"), "a.w must be packed in trit_nine for addsub/trit"),
        (
            ("decoder/nf4", "--set", "pe.format.group=64", "--trace", "NF4"),
            "a.w must be packed in ValueTable(",
        ),
        (
            ("systolic_os/mac", "--trace", "NF4"),
            "a.w must hold integer codes for an engine of integer operands, not nf4: `bitweight "
            "quantize --to int8` makes such weights, and engines of packed ones take these",
        ),
        (
            ("addsub/trit_planes", "--set", "pe.format.group=64"),
            "Workload must be named for TritPlanes(group=64), which the shipped example does not "
            "hold; `bitweight quantize --to trit_planes --set group=64 FILE -o OUT` makes a file "
            "for --trace",
        ),
        (("decoder/nf4", "--binding", "w"), "Binding must be x for packed weights, not 'w'"),
        (("decoder/nf4", "--gemm", "1x8x8", "--binding", "auto"), "Binding must be x for packed"),
        (("decoder/nf4", "--set", "pe.a=int4", "--trace", "NF4"), "a.x must fit pe.a, -8 to 7"),
        (("adder_tree/mac/int4xnf4", "--trace", "NF4"), "a.x must fit engine.pe.a, -8 to 7"),
        (("adder_tree/mac/int8xnf4", "--trace", "INTEGER"), "a.w must be packed in nf4 for adder_"),
    ],
)
def test_what_an_engine_cannot_run_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    files = {
        "INTEGER": save(tmp_path / "integer", Layer.from_arrays("a", X, np.ones((40, 8), int))),
        "NF4": save(tmp_path / "nf4", packed_layer("a", "nf4")),
        "GGUF": str(write_llama(tmp_path / "tiny.gguf")),
    }
    assert run(["simulate", *(files.get(argument, argument) for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1

"""``bitweight simulate``: sources, outputs, and one line for whatever is wrong."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_gguf import write_llama

from bitweight.cli.app import run
from bitweight.workloads import Layer, Trace, example_path
from bitweight.workloads.capture import Capture, Selection, capture
from bitweight.workloads.llama import LINEAR_KINDS
from bitweight.workloads.trace import VERSION

SMOLLM2 = os.environ.get("BITWEIGHT_SMOLLM2_GGUF", "")
DESIGN = "systolic_os/carry_save"
RNG = np.random.default_rng(5)
X, W = RNG.integers(-128, 128, (5, 40)), RNG.integers(-128, 128, (40, 19))


@dataclass(frozen=True)
class Done:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def simulate(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> Done:
        code = run(["simulate", *map(str, arguments)])
        return Done(code, *capsys.readouterr())

    return call


def save(path: Path, *, wrong: int = 0) -> Path:
    """Save a trace of two layers; ``wrong`` golden accumulators of the second one are off."""
    golden = X @ W
    golden.flat[:wrong] += 1
    layers = (
        Layer.from_arrays("first", X, W, golden=X @ W),
        Layer.from_arrays("second", X, W, golden=golden),
    )
    Trace(layers=layers).save(path)
    return path


def test_the_example_is_equal_and_totals_add_up(simulate: Any) -> None:
    done = simulate(DESIGN, "--json")
    result = json.loads(done.out)
    assert (done.code, done.err, result["design"]) == (0, "", DESIGN)
    assert [layer["golden"] for layer in result["layers"]] == ["equal"] * 4
    assert result["total_cycles"] == sum(layer["cycles"] for layer in result["layers"])
    for layer in result["layers"]:
        macs = layer["m"] * layer["n"] * layer["k"]
        assert layer["utilisation"] == macs / (layer["cycles"] * 256)


def test_chosen_layers_run_in_the_order_asked(simulate: Any, tmp_path: Path) -> None:
    trace = save(tmp_path / "t.safetensors")
    done = simulate(DESIGN, "--trace", trace, "--layer", "second", "--layer", "first", "--json")
    assert [layer["name"] for layer in json.loads(done.out)["layers"]] == ["second", "first"]


@pytest.mark.parametrize("binding", ["x", "w"])
def test_accumulators_are_written(simulate: Any, tmp_path: Path, binding: str) -> None:
    trace, out = save(tmp_path / "t.safetensors"), tmp_path / "acc.safetensors"
    assert simulate(DESIGN, "--trace", trace, "--binding", binding, "-o", out).code == 0
    tensors = load_file(out)
    assert {name: acc.dtype for name, acc in tensors.items()} == {
        "first.acc": np.int64,
        "second.acc": np.int64,
    }
    np.testing.assert_array_equal(tensors["second.acc"], X @ W)


def test_wrong_golden_values_are_told_and_exit_1(simulate: Any, tmp_path: Path) -> None:
    trace, out = save(tmp_path / "t.safetensors", wrong=3), tmp_path / "acc.safetensors"
    done = simulate(DESIGN, "--trace", trace, "--json", "-o", out)
    assert done.code == 1
    layers = json.loads(done.out)["layers"]
    assert [(layer["golden"], layer["wrong"]) for layer in layers] == [("equal", 0), ("differs", 3)]
    acc = (X @ W)[0, 0]
    assert done.err == (
        "failed: second: 3 of 95 accumulators differ from the golden ones, "
        f"first at (0, 0): {acc}, golden {acc + 1}\n"
    )
    np.testing.assert_array_equal(load_file(out)["second.acc"], X @ W)


def test_shapes_alone_give_cycles_and_leave_the_rest_open(simulate: Any) -> None:
    arguments = ("--model", "smollm2-135m", "--phase", "decode", "--context", "64")
    sizes = json.loads(simulate(DESIGN, *arguments, "--json").out)
    assert {(layer["overflow"], layer["activity"]) for layer in sizes["layers"]} == {(None, None)}
    assert {layer["m"] for layer in sizes["layers"]} == {1}
    small = ("--gemm", "3x40x20", "--json", "--operands")
    alone, drawn = (
        json.loads(simulate(DESIGN, *small, kind).out)["layers"][0] for kind in ("none", "uniform")
    )
    assert alone["cycles"] == drawn["cycles"]
    assert drawn["activity"]["macs"] == 3 * 40 * 20


def test_a_gguf_files_layers_run_group_by_group(simulate: Any, tmp_path: Path) -> None:
    model, out = write_llama(tmp_path / "tiny.gguf"), tmp_path / "acc.safetensors"
    done = simulate(DESIGN, "--gguf", model, "--tokens", "3", "--batch", "2", "--json")
    layers = json.loads(done.out)["layers"]
    assert (done.code, len(layers)) == (0, 14)
    assert {(layer["m"], layer["golden"]) for layer in layers} == {(6, "absent")}
    chosen = ("--layer", "blk.1.ffn_up", "--layer", "blk.0.attn_q.weight", "-o", out)
    assert simulate(DESIGN, "--gguf", model, "--phase", "decode", *chosen).code == 0
    shapes = {name: acc.shape for name, acc in load_file(out).items()}
    assert shapes == {"blk.0.attn_q.acc": (1, 64, 2), "blk.1.ffn_up.acc": (1, 96, 2)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gemm", "-1x2x3"], "GEMM must be MxKxN, for example 16x576x192, not '-1x2x3'"),
        (["--gemm", "1x0x3"], "GEMM size k must be 1 to 4294967295, not 0"),
        (["--model", "smollm2-135m", "--tokens", "0"], "Invalid value for '--tokens'"),
        (["--model", "smollm-135m"], "Model must be one of "),
        (["--set", "row=4"], "SystolicOsSpec has no field 'row' (it has pe, rows, cols"),
        (["--set", "rows=0"], "Systolic array rows must be 1 to 256, not 0"),
        (["--set", "rows=four"], "Field 'rows' must be an integer, not 'four'"),
        (["--set", "pe.a=fp8"], "Integer format must look like int8 or uint4, not 'fp8'"),
        (["--set", "rows"], "Setting must be FIELD=VALUE, not 'rows'"),
        (["--trace", "absent.safetensors"], "absent.safetensors: No such file or directory"),
        (["--gguf", "absent.gguf"], "absent.gguf: No such file or directory"),
        (["--layer", "blk.17.attn_q"], "Layer must be one of the trace's, not 'blk.17.attn_q'"),
        (["--tokens", "4"], "--tokens must come with --gguf or --model, not with the shipped"),
        (["--gemm", "1x1x1", "--layer", "a"], "--layer must come with --trace or --gguf, not with"),
        (["--gemm", "1x1x1", "--operands", "gauss"], "Operands must be uniform or normal:STD"),
        (
            ["--gemm", "1x1x1", "--model", "gpt-2"],
            "Workload must be one of --trace, --gguf, --model and --gemm, not --model and --gemm",
        ),
        (["--model", "gpt-2", "-o", "acc"], "--out must come with operands"),
        (["--gemm", "1x1x1", "-o", "absent/acc"], "absent/acc: No such file or directory"),
        (["--gemm", "1x1x1", "-o", "."], ".: Is a directory"),
        (["--set", "pe.b=int4"], "blk.5.attn_q.first_320.w must fit pe.b, -8 to 7, but holds"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    simulate: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(simulate(DESIGN, *arguments), message)
    assert list(tmp_path.iterdir()) == []


def assert_refused(done: Done, message: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")
    assert done.err.count("\n") == 1


def test_a_typo_suggests_the_nearest_design(simulate: Any) -> None:
    assert_refused(
        simulate("systolic_os/cary_save"),
        "Design must be in the catalog, not 'systolic_os/cary_save'; did you mean "
        "'systolic_os/carry_save'?",
    )


def test_a_truncated_trace_is_refused(simulate: Any, tmp_path: Path) -> None:
    for size in (0, 5, 1000, example_path().stat().st_size - 1):
        path = tmp_path / "t.safetensors"
        path.write_bytes(example_path().read_bytes()[:size])
        assert_refused(simulate(DESIGN, "--trace", path), f"{path}: must be a whole safetensors")


def rewrite(
    path: Path, change: Callable[[Any], object], tensors: dict[str, Any] | None = None
) -> Path:
    """Save a trace again with its document changed and tensors exchanged."""
    raw = save(path).read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    document = json.loads(header["__metadata__"]["trace"])
    change(document)
    save_file(load_file(path) | (tensors or {}), path, {"trace": json.dumps(document)})
    return path


def test_an_unknown_version_is_refused(simulate: Any, tmp_path: Path) -> None:
    path = rewrite(tmp_path / "t.safetensors", lambda doc: doc.update(version=VERSION + 1))
    assert_refused(simulate(DESIGN, "--trace", path), f"{path}: version must be {VERSION}, not 2")


def test_shapes_that_disagree_are_refused(simulate: Any, tmp_path: Path) -> None:
    shorter = {"first.w": np.ones((19, 39), np.int8)}
    path = rewrite(tmp_path / "t.safetensors", lambda doc: None, shorter)
    assert_refused(simulate(DESIGN, "--trace", path), f"{path}: ")


def test_codes_out_of_range_are_refused_before_anything_is_written(
    simulate: Any, tmp_path: Path
) -> None:
    out = tmp_path / "acc.safetensors"
    path = rewrite(tmp_path / "t.safetensors", lambda doc: doc["layers"][1]["w"].update(bits=5))
    done = simulate(DESIGN, "--trace", path, "-o", out)
    assert_refused(done, "second.w must be int5 codes, -16 to 15, not")
    assert not out.exists()


def test_codes_that_fit_run_on_a_narrower_design(simulate: Any, tmp_path: Path) -> None:
    Trace(layers=(Layer.from_arrays("a", X % 8, W % 8),)).save(tmp_path / "t.safetensors")
    assert simulate(f"{DESIGN}/int4xint4", "--trace", tmp_path / "t.safetensors").code == 0


def test_no_extra_no_gguf(simulate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = write_llama(tmp_path / "tiny.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert_refused(
        simulate(DESIGN, "--gguf", model),
        "Reading GGUF files needs gguf: pip install 'bitweight[gguf]'",
    )


@pytest.mark.bench
@pytest.mark.skipif(not SMOLLM2, reason="BITWEIGHT_SMOLLM2_GGUF does not name SmolLM2's GGUF file")
def test_all_linear_layers_of_a_real_block_take_under_10_seconds(
    simulate: Any, tmp_path: Path
) -> None:
    path = tmp_path / "block.safetensors"
    block = Selection(blocks=(0,))
    capture(Path(SMOLLM2), Capture(text="The capital of France is", layers=block)).save(path)
    start = time.perf_counter()
    done = simulate(DESIGN, "--trace", path, "--json")
    seconds = time.perf_counter() - start
    layers = json.loads(done.out)["layers"]
    assert [layer["name"] for layer in layers] == [f"blk.0.{kind}" for kind in LINEAR_KINDS]
    assert {layer["golden"] for layer in layers} == {"equal"}
    assert seconds < 10

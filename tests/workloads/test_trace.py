import json
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bitweight.workloads import Layer, Phase, Trace
from bitweight.workloads.formats import IntFormat

Tensors = dict[str, NDArray[Any]]
Edit = Callable[[Tensors, Any], object]
RNG = np.random.default_rng(1)
X = RNG.integers(-128, 128, (3, 7)).astype(np.int8)
W = RNG.integers(-128, 128, (7, 5)).astype(np.int8)


def small_trace() -> Trace:
    shared = {"x_scale": np.array([1.0, 0.5, 2.0], np.float32), "w_scale": np.ones(5, np.float32)}
    q = Layer.from_arrays("blk.0.attn_q", X, W, golden=X.astype(int) @ W.astype(int), **shared)
    k = Layer.from_arrays("blk.0.attn_k", X, W[:, :2], x_scale=shared["x_scale"])
    return Trace(layers=(q, k), model="tiny", producer="test", text="hi", token_ids=(3, 1, 2))


def rewrite(path: Path, edit: Edit) -> Path:
    """Save a trace, then change its tensors and document as ``edit(tensors, document)`` does."""
    small_trace().save(path)
    header_size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    header = json.loads(path.read_bytes()[8 : 8 + header_size])
    document = json.loads(header["__metadata__"]["trace"])
    tensors = dict(load_file(path))
    edit(tensors, document)
    save_file(tensors, path, {"trace": json.dumps(document)})
    return path


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    m, n, k = (draw(st.integers(1, 6)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    formats = [
        IntFormat(width=draw(st.integers(2, 16)), signed=draw(st.booleans())) for _ in range(2)
    ]
    group = draw(st.none() | st.integers(1, k))
    groups = 1 if group is None else -(-k // group)
    x_shapes = ((), (m,), (m, groups))[: 2 if group is None else 3]
    w_shapes = ((), (n,), (groups, n))[: 2 if group is None else 3]
    x_shape, w_shape = draw(st.sampled_from(x_shapes)), draw(st.sampled_from(w_shapes))
    x, w = (
        rng.integers(fmt.min, fmt.max + 1, shape)
        for fmt, shape in zip(formats, ((m, k), (k, n)), strict=True)
    )
    layer = Layer.from_arrays(
        "layer",
        x,
        w,
        x_format=formats[0],
        w_format=formats[1],
        x_scale=rng.normal(size=x_shape),
        w_scale=rng.normal(size=w_shape).astype(np.float32),
        x_zero_point=draw(st.none() | st.just(np.full(x_shape, formats[0].max))),
        group=group,
        acc_bits=64,
    )
    return Layer.from_arrays(
        "layer",
        x,
        w,
        x_format=formats[0],
        w_format=formats[1],
        x_scale=layer.x_scale,
        w_scale=layer.w_scale,
        x_zero_point=layer.x_zero_point,
        group=group,
        golden=layer.exact(),
        acc_bits=64,
    )


@given(layer=layers())
def test_a_saved_trace_comes_back_whole_and_saves_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, layer: Layer
) -> None:
    path = tmp_path_factory.mktemp("trace") / "t.safetensors"
    trace = Trace(layers=(layer,), phase=Phase.DECODE)
    trace.save(path)
    back = Trace.load(path)
    loaded = back.layers[0]
    for side in ("x", "w", "x_scale", "w_scale", "x_zero_point", "w_zero_point", "golden"):
        np.testing.assert_array_equal(getattr(loaded, side), getattr(layer, side))
    for fact in ("x_format", "w_format", "group", "acc_bits", "x_granularity", "w_granularity"):
        assert getattr(loaded, fact) == getattr(layer, fact)
    assert back.phase is Phase.DECODE
    assert loaded.wrong_golden() == 0
    assert back.to_bytes() == trace.to_bytes() == path.read_bytes()


def test_shared_activations_are_stored_once(tmp_path: Path) -> None:
    small_trace().save(tmp_path / "t.safetensors")
    names = set(load_file(tmp_path / "t.safetensors"))
    assert "blk.0.attn_q.x" in names
    assert "blk.0.attn_k.x" not in names
    trace = Trace.load(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(trace.layer("blk.0.attn_k").x, X)
    assert (trace.model, trace.text, trace.token_ids) == ("tiny", "hi", (3, 1, 2))


def test_files_may_hold_either_layout(tmp_path: Path) -> None:
    def turn(tensors: Tensors, document: dict[str, Any]) -> None:
        for name in ("blk.0.attn_q.w", "blk.0.attn_q.x"):
            tensors[name] = np.ascontiguousarray(tensors[name].T)
        document["layers"][0]["w"]["layout"] = "NK"
        for layer in document["layers"]:
            layer["x"]["layout"] = "KM"

    layer = Trace.load(rewrite(tmp_path / "t.safetensors", turn)).layers[0]
    np.testing.assert_array_equal(layer.x, X)
    np.testing.assert_array_equal(layer.w, W)
    np.testing.assert_array_equal(layer.w_slice(slice(1, 4), slice(2, 5)), W[1:4, 2:5])
    np.testing.assert_array_equal(layer.x_slice(slice(0, 2), slice(3, 7)), X[:2, 3:])
    assert layer.wrong_golden() == 0


def test_slices_take_no_more_memory_than_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    Trace(
        layers=(Layer.from_arrays("a", np.zeros((1, 4096), int), np.zeros((4096, 4096), np.int8)),)
    ).save(path)
    layer = Trace.load(path).layers[0]
    layer.w_slice(slice(0, 1), slice(0, 1))
    tracemalloc.start()
    layer = Trace.load(path).layers[0]
    assert layer.w_slice(slice(5, 69), slice(0, 64)).shape == (64, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_loading_reads_a_description_only(tmp_path: Path) -> None:
    path = rewrite(tmp_path / "t.safetensors", lambda t, _: t["blk.0.attn_q.x_scale"].fill(np.nan))
    trace = Trace.load(path)
    with pytest.raises(ValueError, match=r"blk\.0\.attn_q\.x_scale must be finite, not nan"):
        trace.layers[0].check()


def test_codes_outside_their_format_are_refused_when_read(tmp_path: Path) -> None:
    def narrow(_tensors: Tensors, document: dict[str, Any]) -> None:
        for layer in document["layers"]:
            layer["x"]["bits"] = 7

    layer = Trace.load(rewrite(tmp_path / "t.safetensors", narrow)).layers[0]
    with pytest.raises(ValueError, match=r"blk\.0\.attn_q\.x must be int7 codes, -64 to 63, not"):
        _ = layer.x


def in_layer(key: str, value: object) -> Edit:
    return lambda _t, document: document["layers"][0].update({key: value})


def in_part(part: str, key: str, value: object) -> Edit:
    return lambda _t, document: document["layers"][0][part].update({key: value})


def in_file(key: str, value: object) -> Edit:
    return lambda _t, document: document.update({key: value})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (in_file("version", 2), "version must be 1, not 2"),
        (in_file("format", "other"), "format must be 'bitweight-trace', not 'other'"),
        (in_file("extra", 1), "trace must have only known keys, not 'extra'"),
        (in_file("phase", "train"), "Phase must be prefill or decode, not 'train'"),
        (in_file("layers", []), "at least one layer"),
        (in_file("layers", {}), r"trace\.layers must be list"),
        (in_file("layers", [3]), r"layers\[0\] must be a JSON object, not 3"),
        (in_file("token_ids", [-1]), "token_ids must be integers from 0"),
        (lambda _t, d: d.pop("model"), "must have a key 'model', which is missing"),
        (
            lambda _t, d: d["layers"][1].update(name="blk.0.attn_q"),
            "must differ, but 'blk.0.attn_q'",
        ),
        (in_layer("name", "a\x1b[31m"), r"Layer name must be .*, not 'a\\x1b\[31m'"),
        (in_layer("m", 4), r"layer blk.0.attn_q.x must have shape \(4, 7\) by .*, not \(3, 7\)"),
        (in_layer("n", -5), r"w must have shape \(7, -5\) by the layer's m, n, k"),
        (in_layer("k", True), r"layer blk.0.attn_q.k must be int, not True"),
        (in_layer("op", "conv2d"), "op must be linear or matmul, not 'conv2d'"),
        (in_layer("surplus", None), "must have only known keys, not 'surplus'"),
        (in_layer("group", 0), r"group must be 1 to k \(7\), not 0"),
        (in_layer("group", 4), r"acc must have shape \(3, 5, 2\), not \(3, 5\)"),
        (in_part("x", "tensor", "none"), "x must name a tensor of the file, not 'none'"),
        (in_part("x", "scale", "none"), "x.scale must name a tensor of the file, not 'none'"),
        (in_part("x", "layout", "NK"), "x.layout must be MK or KM, not 'NK'"),
        (in_part("x", "bits", 17), "width must be 2 to 16 bits, not 17"),
        (in_part("x", "bits", 12), "must store int12 codes as int16, not int8"),
        (in_part("x", "encoding", "fp8"), "x.encoding must be twos_complement, not 'fp8'"),
        (in_part("x", "rounding", "up"), "rounding must be half_even or half_away or unknown"),
        (in_part("w", "granularity", "group:4"), "w.granularity must be channel, as"),
        (in_part("w", "surplus", 1), "w must have only known keys, not 'surplus'"),
        (in_part("acc", "overflow", "saturate"), "overflow must be wrap, not 'saturate'"),
        (in_part("acc", "surplus", 1), "acc must have only known keys, not 'surplus'"),
        (in_part("w", "minimum", "blk.0.attn_q.x_scale"), r"w_min must have shape .*not \(3,\)"),
        (in_part("acc", "bits", 1), "accumulator must be 2 to 64 bits, not 1"),
        (lambda t, _d: t.update(stray=np.zeros(1)), "belong to a layer, but 'stray' does not"),
        (
            lambda t, _d: t.update({"blk.0.attn_q.acc": np.zeros((5, 3), np.int32)}),
            r"acc must have shape \(3, 5\), not \(5, 3\)",
        ),
        (
            lambda t, _d: t.update({"blk.0.attn_q.x": X.astype(np.float32)}),
            "must store int8 codes as int8, not float32",
        ),
        (
            lambda t, _d: t.update({"blk.0.attn_q.x_scale": np.ones(3, np.int32)}),
            "x_scale must be floats, not int32",
        ),
        (
            lambda t, _d: t.update({"blk.0.attn_q.x": np.ones((3, 7), bool)}),
            "must be one of I8, .*, not BOOL",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_one_clear_error(
    tmp_path: Path, edit: Edit, message: str
) -> None:
    path = rewrite(tmp_path / "bad.safetensors", edit)
    with pytest.raises(ValueError, match=message) as caught:
        Trace.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_no_truncation_of_a_trace_loads(tmp_path: Path) -> None:
    whole = small_trace().to_bytes()
    path = tmp_path / "cut.safetensors"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="must be a whole safetensors file"):
            Trace.load(path)


@pytest.mark.parametrize("document", ["", "{", "[" * 100_000, "[]", '{"format": NaN}'])
def test_documents_that_are_no_json_object_are_refused(tmp_path: Path, document: str) -> None:
    path = tmp_path / "bad.safetensors"
    save_file({"a": np.zeros(1)}, path, {"trace": document})
    with pytest.raises(ValueError, match=r"bad\.safetensors: .*must be"):
        Trace.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("no tensors here, whatever the name says")
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        Trace.load(text)
    plain = tmp_path / "plain.safetensors"
    save_file({"a": np.zeros(1)}, plain)
    with pytest.raises(ValueError, match="metadata must have a key 'trace', which is missing"):
        Trace.load(plain)
    with pytest.raises(OSError, match="directory"):
        Trace.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "none")


def test_a_huge_claim_takes_neither_time_nor_memory(tmp_path: Path) -> None:
    header = {"a": {"dtype": "I8", "shape": [2**40], "data_offsets": [0, 2**40]}}
    text = json.dumps(header).encode()
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    start = time.monotonic()
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        Trace.load(path)
    assert time.monotonic() - start < 1


def test_an_unknown_layer_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"not 'attn_k'; the nearest is 'blk\.0\.attn_k'"):
        small_trace().layer("attn_k")


def test_a_failed_save_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(b"old")

    def fail(_self: Path, _target: Path) -> Never:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        small_trace().save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

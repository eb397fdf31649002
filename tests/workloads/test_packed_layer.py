"""Layers of packed weights: in a trace file and back, for every format, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bitweight.workloads import Layer, Operand, PackedLayer, PackedWeights, Trace
from bitweight.workloads.formats import INT4, INT8
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.seedlm import ExponentRule, Seedlm
from bitweight.workloads.formats.shift_add import ShiftAdd
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.trit_planes import TritPlanes
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.packed_tensors import PackedTensors
from bitweight.workloads.quantize import encode
from bitweight.workloads.tensors import ArrayTensor
from bitweight.workloads.weight_formats import FORMATS

Tensors = dict[str, NDArray[Any]]
RNG = np.random.default_rng(7)
# k is no multiple of a group, a block or a word of most formats.
M, K, N = 3, 150, 8
X = RNG.integers(-127, 128, (M, K))
W = RNG.normal(0, 0.02, (K, N))
VARIED = [
    TritPlanes(group=48),
    Bcq(bits=2, offset=False),
    ShiftAdd(bits=2, terms=1),
    ScaledInteger(code=INT4, group=None),
    ValueTable(table=(-1.0, -0.25, 0.5, 1.0), group=64, entry=INT4),
    Seedlm(block=4, latent=2, lfsr_length=5, row_aligned=True, exponent_rule=ExponentRule.LITERAL),
]


def operand(name: str = "a.x") -> Operand:
    return Operand.from_arrays(name, X, INT8, scale=np.array([1.0, 0.5, 2.0], np.float32))


def packed_layer(form: Any) -> PackedLayer:
    return PackedLayer.from_arrays("a", operand(), encode(form, W))


def assert_same_arrays(came: PackedWeights, wanted: PackedWeights) -> None:
    assert (came.format, came.k, came.n) == (wanted.format, wanted.k, wanted.n)
    pairs = [(came.words, wanted.words)]
    for found, known in ((came.side, wanted.side), (came.scales, wanted.scales)):
        assert list(found) == list(known)
        pairs += [(found[part], known[part]) for part in known]
    for one, other in pairs:
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("form", [*FORMATS.values(), *VARIED], ids=repr)
def test_a_saved_layer_comes_back_whole_and_saves_to_the_same_bytes(
    tmp_path: Path, form: Any
) -> None:
    layer, path = packed_layer(form), tmp_path / "t.safetensors"
    trace = Trace(layers=(layer,))
    trace.save(path)
    back = Trace.load(path)
    loaded = back.layers[0]
    assert isinstance(loaded, PackedLayer)
    assert_same_arrays(loaded.weights, layer.weights)
    assert (loaded.m, loaded.n, loaded.k) == (M, N, K)
    assert loaded.bits_per_weight == form.bits_per_weight(k=K, n=N)
    np.testing.assert_array_equal(loaded.x, X)
    np.testing.assert_array_equal(loaded.x_scale, layer.x_scale)
    loaded.check()
    assert back.to_bytes() == trace.to_bytes() == path.read_bytes()


def test_a_tile_order_of_the_converter_comes_back(tmp_path: Path) -> None:
    form = Tl1(tile_rows=32, tile_columns=64)
    weights = encode(form, RNG.normal(0, 0.02, (128, 64)))
    x = Operand.from_arrays("a.x", X[:, :128], INT8)
    Trace(layers=(PackedLayer.from_arrays("a", x, weights),)).save(tmp_path / "t.safetensors")
    assert_same_arrays(Trace.load(tmp_path / "t.safetensors").layer("a").weights, weights)


def test_layers_of_both_kinds_share_a_file_and_its_tensors(tmp_path: Path) -> None:
    scale = np.array([1.0, 0.5, 2.0], np.float32)
    integer = Layer.from_arrays("first", X, np.ones((K, N), int), x_scale=scale)
    packed = [
        replace(packed_layer(FORMATS[name]), name=f"a.{name}") for name in ("trit_nine", "nf4")
    ]
    Trace(layers=(integer, *packed)).save(tmp_path / "t.safetensors")
    trace = Trace.load(tmp_path / "t.safetensors")
    assert [layer.name for layer in trace.layers] == ["first", "a.trit_nine", "a.nf4"]
    assert [layer.name for layer in trace.integer_layers] == ["first"]
    stored = [
        name
        for name, array in load_file(tmp_path / "t.safetensors").items()
        if array.shape == X.shape
    ]
    assert stored == ["first.x"]


Edit = Callable[[Tensors, Any], object]


def rewrite(path: Path, edit: Edit) -> Path:
    """Save a layer in nf4, then change its tensors and document as ``edit`` does."""
    Trace(layers=(packed_layer(FORMATS["nf4"]),)).save(path)
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    document = json.loads(header["__metadata__"]["trace"])
    tensors = dict(load_file(path))
    edit(tensors, document)
    save_file(tensors, path, {"trace": json.dumps(document)})
    return path


def in_packed(key: str, value: Any) -> Edit:
    return lambda _t, d: d["layers"][0]["w"]["packed"].update({key: value})


def in_format(key: str, value: Any) -> Edit:
    return lambda _t, d: d["layers"][0]["w"]["packed"]["format"].update({key: value})


def in_fields(key: str, value: Any) -> Edit:
    return lambda _t, d: d["layers"][0]["w"]["packed"]["format"]["fields"].update({key: value})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _t, d: d["layers"][0].update(group=4), "must have only known keys, not 'group'"),
        (lambda _t, d: d["layers"][0].update(n=16), r"nf4 words must have shape \(16, 38\), not"),
        (lambda _t, d: d["layers"][0].update(n=-8), "GEMM size n must be 1 to .*, not -8"),
        (lambda _t, d: d["layers"][0].update(k=151), r"a.x must have shape \(3, 151\)"),
        (lambda _t, d: d["layers"][0]["w"].update(bits=4), "w must have only known keys, not 'bi"),
        (in_packed("surplus", 1), "w.packed must have only known keys, not 'surplus'"),
        (in_packed("words", "none"), "packed.words must name a tensor of the file, not 'none'"),
        (in_packed("words", 3), "packed.words must be str, not 3"),
        (in_packed("side", []), r"packed.side must be dict, not \[\]"),
        (in_packed("side", {"z": "a.x"}), "packed.side must have only known keys, not 'z'"),
        (in_packed("scales", {}), "packed.scales must have a key 'scale', which is missing"),
        (in_packed("scales", {"scale": "a.w"}), r"nf4 scale must have shape \(8, 2\), not"),
        (in_format("name", "nf3"), "format.name must be nf4, as its fields show, not 'nf3'"),
        (in_format("kind", "Int4"), "format.kind must be .* or Bcq or .*, not 'Int4'"),
        (in_format("surplus", 0), "format must have only known keys, not 'surplus'"),
        (in_fields("surplus", 0), "format.fields must have only known keys, not 'surplus'"),
        (in_fields("group", "64"), "fields.group must be int, not '64'"),
        (in_fields("group", True), "fields.group must be int, not True"),
        (in_fields("group", 0), "Group must be at least 1 weight, not 0"),
        (in_fields("group", 10**40), "fields.group must be 0 to 4294967295, not 1000"),
        (in_fields("entry", "fp8"), "Integer format must look like int8 or uint4, not 'fp8'"),
        (in_fields("table", [1.0, 2.0]), "Table must have 4, 8 or 16 values, not 2"),
        (in_fields("table", ["0"] * 4), "fields.table must be floats, such as 1.0"),
        (
            lambda t, _d: t.update({"a.w": t["a.w"].astype(np.uint32)}),
            "nf4 words must be uint16, not uint32",
        ),
        (lambda t, _d: t.update(stray=np.zeros(1)), "belong to a layer, but 'stray' does not"),
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


def test_an_unknown_exponent_rule_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    Trace(layers=(packed_layer(VARIED[-1]),)).save(path)
    path.write_bytes(path.read_bytes().replace(b"literal", b"literel"))
    with pytest.raises(ValueError, match="exponent_rule must be full_range or literal, not 'lite"):
        Trace.load(path)


def test_values_are_checked_when_they_are_read(tmp_path: Path) -> None:
    path = rewrite(tmp_path / "t.safetensors", lambda t, _d: t["a.w_scale"].fill(np.nan))
    layer = Trace.load(path).layers[0]
    with pytest.raises(ValueError, match=r"^a\.w: nf4 scale must be finite, not nan$"):
        layer.check()


GROUPED = [form for form in FORMATS.values() if getattr(form, "group", None)]


@pytest.mark.parametrize("form", GROUPED, ids=lambda form: form.name)
def test_a_group_beyond_all_memory_takes_none(form: Any) -> None:
    # One group holds all of k either way, so the arrays fit both.
    near, far = (encode(replace(form, group=K), W), replace(form, group=2**32 - 1))
    packed = replace(near, format=far)
    np.testing.assert_array_equal(packed.dequantise(), near.dequantise())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_operand": Operand.from_arrays("a.x", X[:, 1:], INT8)}, r"rows as x columns \(149\)"),
        (
            {"x_operand": Operand.from_arrays("a.x", X, INT8, scale=np.ones((M, 2)))},
            r"a.x_scale must have shape \(\) or \(3,\) for packed weights, not \(3, 2\)",
        ),
        ({"bias": ArrayTensor(np.zeros(N + 1))}, r"bias must be floats of shape \(8,\), not float"),
    ],
)
def test_parts_that_make_no_layer_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(packed_layer(FORMATS["nf4"]), **change)


def test_arrays_that_a_format_does_not_have_are_refused() -> None:
    tensors = PackedTensors.of("a.w", encode(FORMATS["trit_nine"], W))
    with pytest.raises(ValueError, match=r"a\.w: trit_nine must have scale beside its words"):
        replace(tensors, scales={})

"""The layer loop of packed weights: sums against the unpacked weights, cycles, and refusals."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bitweight.sim import DATAPATHS, DESIGNS, cycles, layers
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.sim.layers import Binding, Golden
from bitweight.sim.packed_layers import engine_of
from bitweight.workloads import FORMATS, Gemm, Layer, Operand, PackedLayer
from bitweight.workloads.formats import INT4, INT8
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.trit_planes import TritPlanes
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.operands import Distribution
from bitweight.workloads.packed_weights import apply_scales
from bitweight.workloads.quantize import encode

RNG = np.random.default_rng(11)
M, K, N = 3, 192, 64
X = RNG.integers(-127, 128, (M, K))
W = RNG.normal(0, 0.02, (K, N))
# k is whole blocks of every datapath, but not whole groups.
ENGINES_OF_FORMATS = [pytest.param(spec, id=name) for name, spec in DATAPATHS.items()]


def packed_layer(form: Any) -> PackedLayer:
    return PackedLayer.from_arrays("a", Operand.from_arrays("a.x", X, INT8), encode(form, W))


@pytest.mark.parametrize("spec", ENGINES_OF_FORMATS)
def test_scaled_sums_are_the_product_with_the_unpacked_weights(spec: BlockDotSpec) -> None:
    layer = packed_layer(spec.pe.format)
    result = layers.run(spec, layer)
    assert result.partials is not None
    real = X @ layer.weights.dequantise()
    error = apply_scales(result.partials, layer.weights) - real
    # Exact but for float64; the datapath holds the entries of a table in eight bits.
    tolerance = 0.01 if isinstance(spec.pe.format, ValueTable) else 1e-12
    assert np.linalg.norm(error) < tolerance * np.linalg.norm(real)
    assert result.cycles == cycles(spec, m=M, n=N, k=K)
    assert result.utilisation == pytest.approx(M * N * K / (result.cycles * spec.peak_macs))
    assert (result.format, result.golden, result.overflow) == (spec.pe.format, Golden.ABSENT, 0)
    assert result.bits_per_weight == layer.weights.bytes * 8 / (K * N)


@pytest.mark.parametrize("spec", ENGINES_OF_FORMATS)
def test_a_gemm_takes_the_same_cycles_drawn_or_not(spec: BlockDotSpec) -> None:
    gemm = Gemm(name="g", m=M, n=N, k=K, calls=2)
    sizes = layers.run_gemm(spec, gemm)
    assert (sizes.partials, sizes.calls) == (None, 2)
    assert sizes.cycles == cycles(spec, m=M, n=N, k=K)
    assert sizes.bits_per_weight == spec.pe.format.bits_per_weight(k=K, n=N)
    first, again, other = (
        layers.run_gemm(spec, gemm, operands=Distribution(std=20), seed=seed) for seed in (1, 1, 2)
    )
    assert first.cycles == sizes.cycles
    assert first.activity.beats
    assert first.partials is not None
    assert again.partials is not None
    np.testing.assert_array_equal(first.partials, again.partials)
    assert (first.partials != other.partials).any()


@pytest.mark.parametrize("name", ["systolic_os/mac", "adder_tree/mac"])
@pytest.mark.parametrize("form", [FORMATS["int8"], FORMATS["int4"], ScaledInteger(code=INT4)])
def test_plain_packed_codes_run_on_engines_of_integers(name: str, form: ScaledInteger) -> None:
    layer = packed_layer(form)
    result = layers.run(DESIGNS[name], layer)
    codes = form.unpack(layer.weights)
    group = form.group or K
    sums = [X[:, at : at + group] @ codes[at : at + group] for at in range(0, K, group)]
    assert result.acc is not None
    np.testing.assert_array_equal(result.acc, sums[0] if len(sums) == 1 else np.stack(sums, axis=2))
    assert result.format == form


def test_a_formats_engine_has_its_parameters() -> None:
    assert [engine_of(spec.pe.format) for spec in DATAPATHS.values()] == [*DATAPATHS.values()]
    form = TritPlanes(group=64)
    assert engine_of(form).pe.format == form
    assert layers.run(engine_of(form), packed_layer(form)).format == form
    with pytest.raises(ValueError, match=r"that an engine takes \(.*trit_nine.*\), not int8$"):
        engine_of(FORMATS["int8"])


NINE, NF4 = DESIGNS["addsub/trit_nine"], FORMATS["nf4"]


@pytest.mark.parametrize(
    ("spec", "layer", "message"),
    [
        (
            NINE,
            Layer.from_arrays("a", X, np.ones((K, N), int)),
            "^a.w must be packed in trit_nine for addsub/trit_nine, not integer codes; "
            "`bitweight quantize --to trit_nine FILE -o OUT` packs real or integer weights so$",
        ),
        (NINE, packed_layer(NF4), "trit_nine for addsub/trit_nine, not nf4; `bitweight quantize"),
        (
            engine_of(TritPlanes(group=64)),
            packed_layer(TritPlanes()),
            r"in TritPlanes\(group=64\) for addsub/trit_planes, not TritPlanes\(group=128\); "
            "`bitweight quantize --to trit_planes --set group=64 FILE",
        ),
        (
            DESIGNS["systolic_os/mac"],
            packed_layer(NF4),
            "^a.w must hold integer codes for an engine of integer operands, not nf4: "
            "`bitweight quantize --to int8` makes such weights",
        ),
    ],
)
def test_weights_of_another_format_are_refused(spec: Any, layer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.run(spec, layer)


@pytest.mark.parametrize("binding", [Binding.W, Binding.AUTO, "y"])
def test_packed_weights_do_not_stream(binding: str) -> None:
    message = f"^Binding must be x for packed weights, not '{binding}': they cannot stream as a$"
    with pytest.raises(ValueError, match=message):
        layers.run(NINE, packed_layer(FORMATS["trit_nine"]), binding)
    with pytest.raises(ValueError, match=message):
        layers.run_gemm(NINE, Gemm(name="g", m=1, n=1, k=8), binding)


def test_activations_that_do_not_fit_are_refused() -> None:
    spec = replace(NINE, pe=replace(NINE.pe, a=INT4))
    with pytest.raises(ValueError, match=r"^Operand a must hold int4 codes"):
        layers.run(spec, packed_layer(FORMATS["trit_nine"]))

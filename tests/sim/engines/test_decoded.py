from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bitweight.sim import ENGINES, beats, cycles, design, layers, run, simulate
from bitweight.sim.engine import carried
from bitweight.sim.engines.decoded import DecodedSpec
from bitweight.sim.packed_layers import engine_of
from bitweight.sim.pe import MacSpec
from bitweight.workloads import Gemm, Trace
from bitweight.workloads.formats import INT4
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.operands import Distribution
from bitweight.workloads.quantize import encode
from bitweight.workloads.weight_formats import FORMATS

# Formats without side integers.
NAMES = ["nf2", "nf3", "nf4", "i2_s", "trit_nine"]
SIZES = [(1, 1, 1), (3, 5, 20), (2, 4, 140)]


def operands(spec: DecodedSpec, m: int, n: int, k: int) -> tuple[np.ndarray, Any]:
    rng = np.random.default_rng(m + n + k)
    return rng.integers(-128, 128, (m, k)), encode(spec.decoder, rng.normal(size=(k, n)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["nf4", "dual_grained"])
def test_sums_and_cycles_are_the_engines_on_decoded_weights(engine: str, name: str) -> None:
    spec = DecodedSpec(decoder=FORMATS[name], engine=ENGINES[engine]).small
    for sizes in SIZES:
        a, packed = operands(spec, *sizes)
        weights = spec.lane.integers(packed)
        result = simulate(spec, a, packed)
        group = spec.lane.gemm_group or packed.k
        for number, start in enumerate(range(0, packed.k, group)):
            part = slice(start, start + group)
            exact = a[:, part] @ weights[part]
            np.testing.assert_array_equal(result.partials[:, :, 0, number], exact)
        acc, edges = run(spec, a, packed)
        np.testing.assert_array_equal(acc, result.partials)
        assert edges == result.cycles
        if not spec.data_dependent:
            m, n, k = sizes
            assert cycles(spec, m=m, n=n, k=k) == result.cycles


@pytest.mark.parametrize("name", NAMES)
def test_each_lane_carries_the_code_of_the_weight_it_carried(name: str) -> None:
    spec = DecodedSpec(decoder=FORMATS[name], engine=ENGINES["cube/mac"]).small
    a, packed = operands(spec, 3, 6, 25)
    ports = beats(spec, m=3, n=6, k=25)
    results = simulate(spec, a, packed).results
    values = carried(spec, a, packed, results)
    own = beats(spec.engine, m=3, n=6, k=25)["b"]
    weights = own.gather(spec.lane.integers(packed), 0, own.count)
    codes = ports["b"].gather(values["b"].values, 0, ports["b"].count)
    assert values["b"].width == spec.lane.bits
    decoded = [[spec.lane.decode(code, ()) for code in beat] for beat in codes.tolist()]
    assert decoded == weights.tolist()


@pytest.mark.parametrize("engine", ["systolic_os", "systolic_ws", "adder_tree", "cube"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 9, 100), (2, 3, 48), (7, 5, 97)])
def test_a_side_beat_serves_the_beats_that_it_says(
    engine: str, sizes: tuple[int, int, int]
) -> None:
    engine_spec = ENGINES[f"{engine}/mac"]
    spec = DecodedSpec(decoder=FORMATS["dual_grained"], engine=engine_spec).small
    m, n, k = sizes
    a, packed = operands(spec, m, n, k)
    ports = beats(spec, m=m, n=n, k=k)
    values = carried(spec, a, packed, simulate(spec, a, packed).results)
    side = ports["s"].gather(values["s"].values, 0, ports["s"].count).tolist()
    codes = ports["b"].gather(values["b"].values, 0, ports["b"].count).tolist()
    rows, columns = ports["b"].locate(np.arange(ports["b"].count))
    weights = spec.lane.integers(packed)
    beat = 0
    for *integers, low, high in side:
        for _ in range(1 + low + 256 * high):
            for lane, at in enumerate(spec.lane_sets.tolist()):
                i, j = int(rows[beat, lane]), int(columns[beat, lane])
                found = spec.lane.decode(codes[beat][lane], integers[2 * at : 2 * at + 2])
                if j >= n:
                    assert found == 0
                elif i < k:
                    assert found == weights[i, j]
            beat += 1
    assert beat == len(codes)


def test_runs_longer_than_a_count_are_split() -> None:
    spec = DecodedSpec(decoder=DualGrained(group=1 << 18), engine=ENGINES["systolic_os/mac"])
    k = 1 << 18
    a, packed = np.zeros((1, k), np.int64), encode(spec.decoder, np.ones((k, 1)))
    count = beats(spec, m=1, n=1, k=k)["b"].count
    served = carried(spec, a, packed, simulate(spec, a, packed).results)["s"].values[:, -2:]
    assert (served[:, 0] + 256 * served[:, 1] + 1).sum() == count == k
    assert served.tolist() == [[255, 255]] * 4


def test_scale_groups_are_gemms_of_their_own() -> None:
    spec = design("systolic_os/mac/int8xnf4")
    assert cycles(spec, m=4, n=5, k=300) == sum(
        cycles(spec.engine, m=4, n=5, k=part) for part in (128, 128, 44)
    )
    with pytest.raises(ValueError, match="must have one GEMM per scale group of 128 k, not 300"):
        beats(spec, m=4, n=5, k=300)
    a, packed = operands(spec, 4, 5, 300)
    result = simulate(spec, a, packed)
    assert result.acc is None
    assert result.partials.shape == (4, 5, 1, 3)


@pytest.mark.parametrize("name", ["nf4", "dual_grained", "i2_s"])
def test_the_layer_loop_runs_packed_layers(name: str) -> None:
    form = FORMATS[name]
    layer = next(
        layer for layer in Trace.packed_example().layers if layers.packed_format(layer) == form
    )
    spec = design(f"adder_tree/mac/int8x{name}")
    decoded, block = layers.run(spec, layer), layers.run(engine_of(form), layer)
    np.testing.assert_array_equal(decoded.partials, block.partials)
    gemm = Gemm(name="drawn", m=2, n=3, k=200)
    drawn = layers.run_gemm(spec, gemm, operands=Distribution.parse("uniform"))
    assert drawn.cycles == layers.run_gemm(spec, gemm).cycles


def test_a_name_may_carry_a_packed_format() -> None:
    spec = design("adder_tree/mac/int4xi2_s", ("engine.lanes=4",))
    assert isinstance(spec, DecodedSpec)
    assert spec.name == "adder_tree/mac/int4xi2_s"
    assert (spec.engine.pe.a, spec.engine.pe.b.width, spec.engine.lanes) == (INT4, 2, 4)
    assert design("systolic_os/mac/int8xint4").pe.b == INT4


def test_decoders_count_their_work_once_per_lane() -> None:
    spec = design("systolic_os/mac/int8xnf4", ("engine.rows=2", "engine.cols=2"))
    a, packed = operands(spec, 2, 2, 8)
    activity = simulate(spec, a, packed).activity
    assert (activity.lookups, activity.adds, activity.multiplies) == (16, 32, 32)
    dual = replace(spec, decoder=FORMATS["dual_grained"])
    a, packed = operands(dual, 2, 2, 8)
    activity = simulate(dual, a, packed).activity
    assert (activity.lookups, activity.adds, activity.multiplies) == (0, 48, 48)
    assert activity.beats["s"] == 1


def test_pairs_that_cannot_be_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="code per weight, not seedlm4: it runs on an engine"):
        design("systolic_os/mac/int8xseedlm4")
    narrow = replace(ENGINES["systolic_os/mac"], pe=MacSpec(b=INT4))
    text = "systolic_os/mac must take int8_symmetric as b to run nf4, not int4"
    with pytest.raises(ValueError, match=text):
        DecodedSpec(decoder=FORMATS["nf4"], engine=narrow)
    text = "adder_tree/mac must have beats that lie within one group of 128 k to run dual_grained"
    with pytest.raises(ValueError, match=text):
        design("adder_tree/mac/int8xdual_grained", ("engine.lanes=3",))


def test_wrong_operands_are_refused() -> None:
    spec = design("systolic_os/mac/int8xnf4")
    a, packed = operands(spec, 2, 2, 8)
    with pytest.raises(TypeError, match="must be PackedWeights, not ndarray"):
        simulate(spec, a, np.zeros((8, 2), np.int8))
    with pytest.raises(TypeError, match="must be ValueTable"):
        simulate(spec, a, encode(FORMATS["nf3"], np.ones((8, 2))))
    with pytest.raises(ValueError, match=r"Operands must share k: a is \(2, 7\), b is \(8, 2\)"):
        simulate(spec, a[:, :7], packed)
    with pytest.raises(ValueError, match="Operand a must hold int8 codes"):
        simulate(spec, a * 100, packed)

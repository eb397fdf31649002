"""Oracle: one fp16 scalar at a time, in the order that the module states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim import simulate
from bitweight.sim.datapath import draw
from bitweight.sim.datapaths.bcq import BcqSpec
from bitweight.sim.datapaths.bcq_fp16 import Fp16BcqSpec, fp16_bcq_outputs
from bitweight.sim.datapaths.fp16_tables import fp16_tables
from bitweight.sim.engines.block_dot import BlockDotSpec
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.packed_weights import PackedWeights
from bitweight.workloads.quantize import encode
from bitweight.workloads.trace import Trace

half = np.float16


def one_output(
    spec: Fp16BcqSpec, x: np.ndarray, packed: PackedWeights, row: int, column: int
) -> np.float16:
    tables = fp16_tables(x, spec.tile)[row]
    signs = np.pad(spec.format.unpack(packed), ((0, 0), (0, -packed.k % spec.tile), (0, 0)))
    keys = (signs[:, :, column].reshape(spec.format.bits, -1, 8) > 0) @ (1 << np.arange(8))
    out = half(0)
    for first in range(0, len(tables), spec.tile // 8):
        tile = range(first, first + spec.tile // 8)
        group = first * 8 // spec.format.group
        total = half(0)
        if spec.format.offset:
            plain = half(0)
            for key in tile:
                plain = half(plain + tables[key, 255])
            total = half(total + half(packed.scales["offset"][group, column] * plain))
        for plane in range(spec.format.bits):
            signed = half(0)
            for key in tile:
                signed = half(signed + tables[key, keys[plane, key]])
            total = half(total + half(packed.scales["alpha"][group, plane, column] * signed))
        out = half(out + total)
    return out


@given(
    bits=st.integers(1, 4),
    offset=st.booleans(),
    tile=st.sampled_from([32, 64]),
    k=st.integers(1, 150),
    seed=st.integers(0, 99),
)
def test_outputs_are_rounded_in_the_stated_order(
    bits: int, offset: bool, tile: int, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spec = Fp16BcqSpec(format=Bcq(bits=bits, group=64, offset=offset), tile=tile)
    packed = draw(BcqSpec(format=spec.format), rng, k=k, n=2)
    x = (rng.normal(0, 1, (2, k)) * 2.0 ** rng.integers(-8, 8, (2, k))).astype(half)
    outputs = fp16_bcq_outputs(spec, x, packed)
    assert outputs.dtype == half
    for row in (0, 1):
        for column in (0, 1):
            wanted = one_output(spec, x, packed, row, column)
            assert outputs[row, column].tobytes() == wanted.tobytes()


def test_the_order_of_tiles_is_part_of_the_result() -> None:
    layer = Trace.example().layers[0]
    packed = encode(Bcq(), layer.w.astype(float))
    x = layer.x.astype(half)
    outputs = [fp16_bcq_outputs(Fp16BcqSpec(tile=tile), x, packed) for tile in (32, 64)]
    assert not np.array_equal(*outputs)


def test_a_real_layer_is_near_the_integer_form() -> None:
    layer = Trace.example().layers[0]
    packed = encode(Bcq(), layer.w.astype(float))
    sums = simulate(BlockDotSpec(pe=BcqSpec()), layer.x.astype(np.int64), packed).results
    exact = packed.format.apply_scales(sums, packed)
    outputs = fp16_bcq_outputs(Fp16BcqSpec(), layer.x.astype(half), packed).astype(float)
    error = np.linalg.norm(outputs - exact) / np.linalg.norm(exact)
    assert 1e-5 < error < 2e-3


def test_wrong_input_gives_one_clear_line() -> None:
    with pytest.raises(ValueError, match="Group must be a multiple of the tile of 64, not 96"):
        Fp16BcqSpec(format=Bcq(group=96), tile=64)
    packed = draw(BcqSpec(), np.random.default_rng(0), k=32, n=1)
    with pytest.raises(TypeError, match="Activations must be float16, not float64"):
        fp16_bcq_outputs(Fp16BcqSpec(), np.zeros((1, 32)), packed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Activations must have shape \(m, 32\), not \(1, 31\)"):
        fp16_bcq_outputs(Fp16BcqSpec(), np.zeros((1, 31), half), packed)
    with pytest.raises(TypeError, match=r"Weights must be Bcq\(bits=2.*, not Bcq\(bits=3"):
        fp16_bcq_outputs(Fp16BcqSpec(format=Bcq(bits=2)), np.zeros((1, 32), half), packed)

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bitweight.cost_models.cost import Provenance
from bitweight.cost_models.layer_counts import layer_counts
from bitweight.sim import DATAPATHS, ENGINES, design, layers, simulate
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.code_counts import code_counts
from bitweight.workloads.gemm import Gemm
from bitweight.workloads.operands import Distribution

_COUNTS = ("macs", "digits", "idle_slots")


def _of(activity: Activity) -> dict[str, Any]:
    return {name: getattr(activity, name) for name in _COUNTS}


@pytest.mark.parametrize(
    "name", [name for name, spec in ENGINES.items() if not spec.data_dependent]
)
def test_counts_from_sizes_are_those_of_a_run(name: str) -> None:
    spec = ENGINES[name]
    for m, n, k in ((1, 40, 70), (37, 20, 130)):
        found = layer_counts(spec, Gemm(name="attn_q", m=m, n=n, k=k))
        run = simulate(spec, np.ones((m, k), np.int8), np.ones((k, n), np.int8))
        assert (found.cycles, _of(found.activity)) == (run.cycles, _of(run.activity))
        assert found.provenance is Provenance.MEASURED
        assert 0 < found.overhead_cycles <= found.cycles


@pytest.mark.parametrize("name", DATAPATHS)
def test_counts_of_packed_weights_are_those_of_a_run(name: str) -> None:
    spec = DATAPATHS[name]
    gemm = Gemm(name="attn_q", m=3, n=192, k=384)
    found = layer_counts(spec, gemm)
    run = layers.run_gemm(spec, gemm, operands=Distribution(), seed=0)
    assert (found.cycles, _of(found.activity)) == (run.cycles, _of(run.activity))


@pytest.mark.parametrize("form", ["int4", "nf4", "dual_grained"])
def test_counts_behind_a_decoder_are_those_of_the_layer_loop(form: str) -> None:
    spec = design(f"matrix_2d/same_weight/int8x{form}")
    gemm = Gemm(name="attn_q", m=3, n=48, k=320)
    found = layer_counts(spec, gemm)
    if form != "int4":  # integers have no group in a shape: the trace's layer tells it
        assert found.cycles == layers.run_gemm(spec, gemm).cycles
    lengths = [320] if form == "dual_grained" else [128, 128, 64]
    inner = design("matrix_2d/same_weight")
    parts = [layer_counts(inner, replace(gemm, k=k, weighted=False)) for k in lengths]
    assert found.cycles == sum(part.cycles for part in parts)
    assert found.overhead_cycles == sum(part.overhead_cycles for part in parts)
    assert found.activity.idle_slots == sum(part.activity.idle_slots for part in parts)


@pytest.mark.parametrize("name", ["column/sparse_digit", "column/shared_encoder", "column/grouped"])
@pytest.mark.parametrize("sizes", [(1, 16, 576), (1, 250, 1536), (9, 121, 1100), (70, 96, 320)])
def test_few_tiles_of_outputs_tell_all_of_a_digit_engine(
    name: str, sizes: tuple[int, int, int]
) -> None:
    _check_drawn(design(name), *sizes)


@pytest.mark.parametrize("sizes", [(1, 96, 576), (5, 250, 1536)])
def test_few_tiles_of_outputs_tell_all_of_dealt_digits(sizes: tuple[int, int, int]) -> None:
    _check_drawn(design("column/dealt"), *sizes)


def _check_drawn(spec: DesignSpec, m: int, n: int, k: int) -> None:
    found = layer_counts(spec, Gemm(name="ffn_down", m=m, n=n, k=k), seed=3)
    a = code_counts("ffn_down").draw((m, k), np.random.default_rng(3))
    run = simulate(spec, a, np.zeros((k, n), np.int8))
    assert (found.cycles, _of(found.activity)) == (run.cycles, _of(run.activity))
    assert found.provenance is Provenance.ASSUMED
    assert "Smollm2" in found.source


@pytest.mark.parametrize("name", ["systolic_ws/mac", "column/shared_encoder"])
def test_runs_along_n_add_up(name: str) -> None:
    spec, gemm = design(name), Gemm(name="ffn_up", m=5, n=80, k=96)
    whole, part, last = (layer_counts(spec, replace(gemm, n=n)) for n in (80, 32, 16))
    cut = layer_counts(spec, gemm, runs=[(32, 2), (16, 1)])
    assert cut.cycles == 2 * part.cycles + last.cycles
    assert cut.activity.macs == whole.activity.macs
    assert cut.activity.digits == whole.activity.digits
    assert cut.slots * whole.cycles == whole.slots * cut.cycles


def test_another_seed_draws_other_activations() -> None:
    gemm = Gemm(name="ffn_up", m=2, n=16, k=576)
    spec = design("column/shared_encoder")
    assert layer_counts(spec, gemm) == layer_counts(spec, gemm, seed=0)
    assert layer_counts(spec, gemm) != layer_counts(spec, gemm, seed=1)


def test_engines_that_nothing_is_drawn_for_are_refused() -> None:
    gemm = Gemm(name="ffn_up", m=2, n=16, k=64)
    with pytest.raises(
        ValueError, match=r"digits of a alone, not bit_slice/laconic; `bitweight si"
    ):
        layer_counts(design("bit_slice/laconic"), gemm)
    with pytest.raises(ValueError, match=r"Activations must be int8 to be drawn for .*, not int4"):
        layer_counts(design("column/shared_encoder/int4xint8"), gemm)
    with pytest.raises(ValueError, match="Layer must be of a kind with code counts"):
        layer_counts(design("column/shared_encoder"), replace(gemm, name="router"))

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bitweight.cost_models.cost import Figure, Provenance
from bitweight.cost_models.layer_time import Limit
from bitweight.cost_models.model_cost import (
    ModelCost,
    ModelRun,
    attention_engine,
    compare_models,
    compared_designs,
    engine_with,
    limiting,
    mac_structures,
    model_cost,
    name_with_format,
)
from bitweight.cost_models.system import DRAMS, System
from bitweight.sim import design
from bitweight.sim.engine import Activity
from bitweight.sim.spec import DesignSpec
from bitweight.workloads.phase import Phase

_SMALL = ModelRun(model="smollm2-135m", phase=Phase.PREFILL, tokens=8)
_DECODE = ModelRun(model="smollm2-135m", phase=Phase.DECODE)


def _energy(_spec: DesignSpec, activity: Activity) -> Figure:
    return Figure(
        parts={"array": 1.0 * (activity.digits + activity.idle_slots)},
        provenance=Provenance.MEASURED,
        source="test",
    )


def _cost(
    name: str, run: ModelRun, *, clock_mhz: float = 200, system: System | None = None
) -> ModelCost:
    return model_cost(
        design(name),
        run,
        technology="sg13g2",
        clock_mhz=clock_mhz,
        system=system,
        array_energy=_energy,
    )


def test_every_compared_design_runs_a_whole_model_in_both_phases() -> None:
    found = compare_models(
        [_SMALL, _DECODE], technology="sg13g2", clock_mhz=200, array_energy=_energy
    )
    assert len(found) == 2 * (4 * 4 + 2)
    assert [cost.design for cost in found[:4]] == [
        f"systolic_os/mac/int8x{form}" for form in ("int8", "int4", "dual_grained", "nf4")
    ]
    assert [cost.format for cost in found[-2:]] == ["seedlm4", "tl2"]
    for cost in found:
        assert 0 < cost.linear_time_us <= cost.time_us < math.inf
        assert 0 < cost.linear_energy_pj.total <= cost.energy_pj.total < math.inf
        assert (cost.attention == ()) == bool(cost.left_out)


def test_layers_add_up_over_their_calls() -> None:
    cost = _cost("systolic_os/mac", _DECODE)
    # Weights of SmolLM2-135M: 30 blocks of 106,168,320 in all, and its head of 49152 x 576.
    macs = sum(layer.calls * layer.macs for layer in cost.linear)
    assert macs == 106_168_320 + 49_152 * 576
    assert cost.time_us == pytest.approx(sum(one.calls * one.time_us for one in cost.layers))
    assert cost.energy_pj.total == pytest.approx(
        sum(one.calls * one.energy_pj.total for one in cost.layers)
    )
    assert cost.energy_pj.parts["array"] == pytest.approx(
        sum(one.calls * one.counts.cycles * 256 for one in cost.layers)
    )


def test_a_fast_array_decodes_at_the_pace_of_dram() -> None:
    bytes_per_weight = {"int8": 8.0, "nf4": 4.125}
    times = {}
    for form, bits in bytes_per_weight.items():
        run = ModelRun(model="llama-3-8b", phase=Phase.DECODE)
        cost = _cost(f"systolic_os/mac/int8x{form}", run, clock_mhz=5000)
        assert cost.limit is Limit.DRAM
        # 7,504,658,432 weights of linear layers at 25.6 GB/s.
        expected_us = 7_504_658_432 * bits / 8 / 25_600
        assert cost.linear_time_us == pytest.approx(expected_us, rel=0.005)
        times[form] = cost.linear_time_us
    assert times["int8"] / times["nf4"] == pytest.approx(8 / 4.125, rel=0.01)


def test_a_slow_array_decodes_at_its_own_pace_whatever_the_dram() -> None:
    slow, fast = (
        _cost("systolic_os/mac", _DECODE, system=System(dram=DRAMS[name]))
        for name in ("lpddr4", "hbm2")
    )
    assert slow.limit is fast.limit is Limit.ARRAY
    assert slow.time_us == fast.time_us
    assert slow.energy_pj.parts["dram"] > fast.energy_pj.parts["dram"]


def test_more_tokens_and_longer_contexts_never_take_less() -> None:
    runs: Sequence[ModelRun] = (
        _SMALL,
        replace(_SMALL, tokens=24),
        replace(_SMALL, tokens=24, batch=2),
        replace(_SMALL, tokens=24, batch=2, context=64),
    )
    costs = [_cost("column/shared_encoder", run) for run in runs]
    times = [cost.time_us for cost in costs]
    assert times == sorted(set(times))


def test_attention_runs_where_keys_are_int8_and_is_named_where_not() -> None:
    kinds = ("attn_scores_qk", "attn_values_pv")
    for name in ("systolic_os/mac", "systolic_os/mac/int8xnf4"):
        cost = _cost(name, _SMALL)
        assert tuple(layer.name for layer in cost.attention) == kinds
        assert cost.left_out == ()
    for name in ("systolic_os/mac/int8xint4", "decoder/seedlm4", "lookup/tl2"):
        cost = _cost(name, _SMALL)
        assert cost.left_out == kinds
        assert cost.time_us == cost.linear_time_us
    decoded = engine_with("column/shared_encoder", "nf4")
    assert attention_engine(decoded) == design("column/shared_encoder")


def test_a_model_of_shapes_alone_is_drawn_with_another_models_codes_and_says_so() -> None:
    run = ModelRun(model="llama-3-8b", phase=Phase.DECODE, context=16)
    cost = _cost("column/shared_encoder", run)
    for layer in cost.layers:
        assert layer.counts.provenance is Provenance.ASSUMED
        assert "codes of Smollm2 135M" in layer.counts.source
    assert cost.energy_pj.provenance is Provenance.ASSUMED
    assert _cost("systolic_os/mac", run).energy_pj.provenance is Provenance.PUBLISHED


def test_the_limit_is_that_of_most_of_the_time() -> None:
    cost = _cost("systolic_os/mac", _DECODE)
    quick, slow = cost.linear[1], cost.linear[-1]
    waiting = replace(slow, dram_us=2 * slow.array_us)
    assert limiting([quick, waiting]) is Limit.DRAM
    assert limiting([replace(waiting, calls=1), replace(quick, calls=10**6)]) is Limit.ARRAY


def test_names_tell_formats() -> None:
    names = [name_with_format(spec) for spec in compared_designs()]
    assert len(set(names)) == len(names)
    assert names[-2:] == ["decoder/seedlm4", "lookup/tl2"]
    assert "matrix_2d/same_weight/int8xdual_grained" in names
    assert name_with_format(design("cube/mac", ["rows=4", "pe.b=int4"])) == (
        "cube/mac/int8xint4 rows=4"
    )


def test_a_baseline_has_its_macs_in_each_structure() -> None:
    assert [name_with_format(spec) for spec in mac_structures(design("systolic_os/mac"))] == [
        "systolic_os/mac/int8xint8",
        "systolic_os/mac/int8xint8 pe.structure=fused",
    ]
    decoded = mac_structures(engine_with("systolic_os/mac", "nf4"))
    assert [name_with_format(spec) for spec in decoded] == [
        "systolic_os/mac/int8xnf4",
        "systolic_os/mac/int8xnf4 engine.pe.structure=fused",
    ]
    for name in ("systolic_os/carry_save", "lookup/tl2"):
        assert mac_structures(design(name)) == (design(name),)


def test_what_an_engine_refuses_is_refused_by_name() -> None:
    run = ModelRun(model="llama-3-8b", phase=Phase.DECODE)
    with pytest.raises(ValueError, match="decoder/seedlm3 must have k a multiple of 12, not 4096"):
        _cost("decoder/seedlm3", run)
    with pytest.raises(ValueError, match="not bit_slice/laconic"):
        _cost("bit_slice/laconic", run)
    with pytest.raises(ValueError, match="Model must be one of"):
        _cost("systolic_os/mac", replace(run, model="llama-9"))

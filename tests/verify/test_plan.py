"""What is checked of a design: nothing that the plan promises is missing."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from bitweight.sim import ENGINES, design, simulate
from bitweight.sim.spec import EngineSpec
from bitweight.verify.plan import Check, plan_checks
from bitweight.workloads import Trace

EVERY = [pytest.param(spec, id=name) for name, spec in ENGINES.items()]

FORMAT_PAIRS = {
    ("int8", "int8"),
    ("int8", "int4"),
    ("int4", "int4"),
    ("uint8", "int8"),
    ("int16", "int8"),
}


def small_checks(spec: EngineSpec) -> list[Check]:
    return plan_checks(spec)[1:]


@pytest.mark.parametrize("spec", EVERY)
def test_the_first_check_is_the_design_itself(spec: EngineSpec) -> None:
    first, *others = plan_checks(spec)
    assert first.spec == spec
    assert first.label == "as given"
    assert all(check.spec.peak_macs <= 4 * 4 * 16 for check in others)


@pytest.mark.parametrize("spec", EVERY)
def test_small_variants_cover_every_format_pair(spec: EngineSpec) -> None:
    pairs = {(str(check.spec.pe.a), str(check.spec.pe.b)) for check in small_checks(spec)}
    assert pairs >= FORMAT_PAIRS


@pytest.mark.parametrize("spec", EVERY)
def test_small_variants_turn_every_switch(spec: Any) -> None:
    flags = [field.name for field in dataclasses.fields(spec) if field.type in {"bool", bool}]
    for flag in flags:
        assert {getattr(check.spec, flag) for check in small_checks(spec)} == {False, True}


@pytest.mark.parametrize("spec", EVERY)
def test_corners_of_both_formats_are_played(spec: EngineSpec) -> None:
    works = plan_checks(spec)[0].works
    corners = {
        (int(work.a[0, 0]), int(work.b[0, 0]))
        for work in works
        if np.ptp(work.a) == 0 == np.ptp(work.b) and work.a.size > 1
    }
    assert {(-128, -128), (127, 127)} <= corners
    assert corners & {(-128, 127), (127, -128)}


@pytest.mark.parametrize("spec", EVERY)
def test_sizes_are_the_smallest_ragged_and_of_one_k(spec: EngineSpec) -> None:
    for check in plan_checks(spec):
        shapes = [(*work.a.shape, work.b.shape[1]) for work in check.works]
        assert any(k == 1 for _, k, _ in shapes)
        assert len(set(shapes)) >= 3
    shapes = [(*work.a.shape, work.b.shape[1]) for work in plan_checks(spec)[0].works]
    assert (1, 1, 1) in shapes


@pytest.mark.parametrize("name", [name for name in ENGINES if name.startswith("systolic_os/")])
def test_systolic_sizes_are_ragged_against_the_array(name: str) -> None:
    for check in plan_checks(ENGINES[name]):
        spec: Any = check.spec
        shapes = [(work.a.shape[0], work.b.shape[1]) for work in check.works]
        assert any(m > spec.rows and m % spec.rows for m, _ in shapes)
        assert any(n > spec.cols and n % spec.cols for _, n in shapes)


@pytest.mark.parametrize("spec", EVERY)
def test_a_tile_of_a_real_layer_is_played(spec: EngineSpec) -> None:
    layer = Trace.example().layers[0]
    (real,) = [work for work in plan_checks(spec)[0].works if layer.name in work.name]
    assert real.a.shape[1] == layer.k
    np.testing.assert_array_equal(real.a, layer.x[: real.a.shape[0]])
    np.testing.assert_array_equal(real.b, layer.w[:, : real.b.shape[1]])


def test_a_real_layer_that_does_not_fit_is_left_out() -> None:
    works = plan_checks(design("systolic_os/mac/int4xint4"))[0].works
    assert not [work for work in works if "tile of" in work.name]


@pytest.mark.parametrize("spec", EVERY)
def test_every_work_fits_the_engine_that_plays_it(spec: EngineSpec) -> None:
    for check in plan_checks(spec, seed=5):
        for work in check.works:
            simulate(check.spec, work.a, work.b)


def test_the_same_seed_plans_the_same_and_another_another() -> None:
    spec = ENGINES["systolic_os/mac"]

    def drawn(seed: int) -> list[bytes]:
        return [work.a.tobytes() for check in plan_checks(spec, seed=seed) for work in check.works]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)

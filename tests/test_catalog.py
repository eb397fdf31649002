"""The catalog: every entry has all its parts, and names and settings are read as written."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockstep import check_lockstep
from numpy.typing import NDArray
from oracle import product, wrapped_product
from strategies import engine_runs

from bitweight.rtl import component
from bitweight.sim import DATAPATHS, DESIGNS, ENGINES, PES, beats, cycles, design, run, simulate
from bitweight.sim.catalog import address
from bitweight.sim.engines.systolic_os import SystolicOsSpec
from bitweight.sim.pe import CarrySaveMacSpec, MacSpec
from bitweight.sim.spec import EngineSpec
from bitweight.workloads.formats import INT4, INT8, INT16, UINT8

DESIGNS_PAGE = Path(__file__).parents[1] / "docs" / "designs.md"


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=max(10, settings.default.max_examples // 10))
@given(data=st.data())
def test_every_engine_has_a_model_whose_parts_agree(name: str, data: st.DataObject) -> None:
    spec, a, b = data.draw(engine_runs(name))
    (m, k), n = a.shape, b.shape[1]
    result = simulate(spec, a, b)
    acc, edges = run(spec, a, b)
    exact = product(a, b)
    wrapped = wrapped_product(a, b, spec.pe.acc_width)
    np.testing.assert_array_equal(result.acc, wrapped)
    np.testing.assert_array_equal(acc, wrapped)
    assert result.overflow == np.count_nonzero(wrapped != np.array(exact))
    assert result.cycles == edges
    if not spec.data_dependent:
        assert cycles(spec, m=m, n=n, k=k) == edges
    assert result.activity.macs == m * n * k
    ports = beats(spec, m=m, n=n, k=k)
    assert result.activity.beats == {port: carried.count for port, carried in ports.items()}
    check_beats(ports, a, b)


def check_beats(ports: Any, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
    """Assert that every operand element is carried, and every result exactly once."""
    (m, k), n = a.shape, b.shape[1]
    for port, rows, columns in (("a", m, k), ("b", k, n), ("c", m, n)):
        at = ports[port].locate(np.arange(ports[port].count))
        is_inside = (at[0] < rows) & (at[1] < columns)
        times = np.zeros((rows, columns), int)
        np.add.at(times, (at[0][is_inside], at[1][is_inside]), 1)
        assert times.min() >= 1
        if port == "c":
            assert times.max() == 1


@pytest.mark.parametrize("spec", [*DESIGNS.values(), *PES.values()], ids=lambda spec: spec.name)
def test_every_entry_has_rtl(spec: Any) -> None:
    # Emitting, linting and simulating it is up to tests/rtl and tests/verify.
    assert component.dispatch(type(spec)) is not component.dispatch(object)


@pytest.mark.parametrize("name", DESIGNS)
def test_every_engine_has_a_row_and_a_section_in_the_docs(name: str) -> None:
    page = DESIGNS_PAGE.read_text()
    engine, _, _ = name.partition("/")
    assert re.search(rf"^\| `{name}` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    assert re.search(rf"^## .*\b{engine}\b", page, re.MULTILINE)


@pytest.mark.parametrize("name", PES)
def test_every_pe_runs_in_lockstep_with_its_rtl(name: str) -> None:
    spec = PES[name]
    steps = [(a, b, a == 127) for a in (-128, -1, 0, 1, 127) for b in (-128, -1, 0, 1, 127)]
    assert check_lockstep(spec, component(spec), steps) == 25


def test_entries_are_named_after_their_specs_at_int8() -> None:
    assert [spec.name for spec in DESIGNS.values()] == list(DESIGNS)
    assert [spec.name for spec in PES.values()] == list(PES)
    for pe in [*PES.values(), *(spec.pe for spec in ENGINES.values())]:
        assert (pe.a, pe.b, pe.acc_width) == (INT8, INT8, 32)
    assert {*ENGINES, *DATAPATHS} == {*DESIGNS}


def test_the_catalog_cannot_be_written() -> None:
    designs: Any = DESIGNS
    with pytest.raises(TypeError):
        designs["systolic_os/mac"] = None


@pytest.mark.parametrize("name", DESIGNS)
def test_small_keeps_everything_but_the_size(name: str) -> None:
    spec: Any = DESIGNS[name]
    assert spec.small.name == spec.name
    assert spec.small.pe == spec.pe
    assert spec.small.peak_macs < spec.peak_macs


def test_a_name_with_formats_is_the_entry_with_them() -> None:
    plain = design("systolic_os/mac")
    assert plain == DESIGNS["systolic_os/mac"] == SystolicOsSpec(pe=MacSpec())
    mixed = design("systolic_os/mac/int4xuint8")
    assert mixed == SystolicOsSpec(pe=MacSpec(a=INT4, b=UINT8))
    assert mixed.name == "systolic_os/mac"


def test_settings_reach_fields_at_any_depth_and_count_together() -> None:
    varied = design(
        "systolic_os/carry_save",
        ["rows=32", "overlap_drain=true", "pe.a=int16", "pe.b=int16", "pe.acc_width=40"],
    )
    pe = CarrySaveMacSpec(a=INT16, b=INT16, acc_width=40)
    assert varied == SystolicOsSpec(pe=pe, rows=32, overlap_drain=True)
    # One by one, an accumulator of 16 bits would be refused for the formats before it.
    narrow = design("systolic_os/mac/int4xint4", ["pe.acc_width=8"])
    assert narrow.pe == MacSpec(a=INT4, b=INT4, acc_width=8)
    # Formats in the name and settings agree on the last word.
    assert design("systolic_os/mac/int4xint4", ["pe.a=int8"]).pe.a == INT8


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("systolic_os/mca", (), "in the catalog, not 'systolic_os/mca'; did you mean '.*mac'[?]"),
        ("sistolic_os/mac/int4xint4", (), "did you mean 'systolic_os/mac'[?]"),
        ("qqq", (), "Design must be in the catalog, not 'qqq'$"),
        ("", (), "Design must be in the catalog, not ''"),
        ("systolic_os/mac/int4", (), "Operand formats must look like int8xint4, not 'int4'"),
        ("systolic_os/mac/int4xfp8", (), "must look like int8 or uint4, not 'fp8'"),
        ("systolic_os/mac/int1xint8", (), "Integer width must be 2 to 16 bits, not 1"),
        ("systolic_os/mac", ("rows",), "Setting must be FIELD=VALUE, not 'rows'"),
        ("systolic_os/mac", ("row=3",), "has no field 'row' .it has .*; did you mean 'rows'[?]"),
        (
            "systolic_os/mac",
            ("pe.accwidth=3",),
            "MacSpec has no field .*; did you mean 'acc_width'[?]",
        ),
        ("systolic_os/mac", ("rows=many",), "Field 'rows' must be an integer, not 'many'"),
        ("systolic_os/mac", ("rows=0",), "rows must be 1 to 256, not 0"),
        ("systolic_os/mac", ("overlap_drain=yes",), "must be true or false, not 'yes'"),
        ("systolic_os/mac", ("rows.x=1",), "Field 'rows' of SystolicOsSpec has no fields inside"),
        ("systolic_os/mac", ("pe=mac",), "'pe' cannot be set whole; set one of the fields inside"),
        ("systolic_os/mac", ("pe.a=int4", "pe=mac"), "Field 'pe' cannot be set whole"),
        ("systolic_os/mac", ("pe=mac", "pe.a=int4"), "Setting 'pe.a=int4' contradicts one before"),
        ("systolic_os/mac", ("pe.acc_width=8",), r"must be 16 \(one product\) to 63 bits, not 8"),
    ],
)
def test_what_names_no_design_is_refused(
    name: str, settings: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        design(name, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", DESIGNS)
def test_specs_are_frozen_and_hash_by_value(name: str) -> None:
    spec: Any = DESIGNS[name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.pe = None
    assert hash(dataclasses.replace(spec)) == hash(spec)
    equal: EngineSpec = dataclasses.replace(spec)
    assert equal == spec


@pytest.mark.parametrize("name", [*DESIGNS, "systolic_os/mac/int8xnf4"])
def test_an_address_makes_the_spec_again(name: str) -> None:
    spec = design(name)
    assert address(spec) == (name, ())
    name_of_small, settings = address(spec.small)
    assert settings
    assert design(name_of_small, settings) == spec.small


def test_an_address_tells_formats_as_settings() -> None:
    assert address(design("cube/mac/int4xint8", ["pe.acc_width=24"])) == (
        "cube/mac",
        ("pe.a=int4", "pe.acc_width=24"),
    )

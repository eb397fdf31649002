from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.sim.datapath import contribute, decode, draw, partials, prepare, units
from bitweight.sim.datapaths.value_table import Lookup, ValueTableSpec
from bitweight.workloads.formats import INT4, INT8, SYMMETRIC_INT8, UINT8, IntFormat
from bitweight.workloads.formats.value_table import NF2, NF3, NF4, ValueTable


@st.composite
def specs(draw_: st.DrawFn) -> ValueTableSpec:
    table = draw_(st.sampled_from([NF2, NF3, NF4, (-3.0, -0.5, 0.25, 2.0)]))
    form = ValueTable(
        table=table,
        group=32 * draw_(st.integers(1, 3)),
        entry=IntFormat(width=draw_(st.integers(2, 10))),
    )
    return ValueTableSpec(
        a=draw_(st.sampled_from([INT8, INT4, UINT8])),
        format=form,
        lookup=draw_(st.sampled_from(list(Lookup))),
    )


@given(spec=specs(), k=st.integers(1, 110), seed=st.integers(0, 999))
def test_group_sums_are_dot_products_with_the_unpacked_codes(
    spec: ValueTableSpec, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    packed = draw(spec, rng, k=k, n=2)
    x = rng.integers(spec.a.min, spec.a.max + 1, (2, k))
    entries = [round(float(v) / spec.format.unit) for v in spec.format.values]
    codes = spec.format.unpack(packed).tolist()
    found = partials(spec, x, packed)
    for i in range(2):
        for j in range(2):
            for group in range(-(-k // spec.group)):
                part = range(group * spec.group, min(k, (group + 1) * spec.group))
                wanted = sum(int(x[i, at]) * entries[codes[at][j]] for at in part)
                assert found[i, j, 0, group] == wanted == by_parts(spec, x[i], packed, j, part)


def by_parts(spec: Any, x: Any, packed: Any, output: int, part: range) -> int:
    """Add up what the parts make of the beats of one group."""
    words, total = units(spec, packed), 0
    for beat, places in enumerate(spec.walk.lane_k(packed.k)):
        if int(places[0]) not in part:
            continue
        row = prepare(spec, [int(x[at]) if at < packed.k else 0 for at in places])
        column = decode(spec, words[beat, output].tolist(), [])
        total += contribute(spec, row, column)[0]
    return total


@pytest.mark.parametrize("table", [NF2, NF3, NF4])
def test_every_code_of_every_lane_decodes_to_its_entry(table: tuple[float, ...]) -> None:
    spec = ValueTableSpec(format=ValueTable(table=table))
    for shift in range(len(table)):
        codes = (np.arange(spec.lanes) * 3 + shift) % len(table)
        packed = spec.format.pack(codes[:, None], np.ones((1, 1), np.float16))
        decoded = decode(spec, units(spec, packed)[0, 0].tolist(), [])
        assert list(decoded) == [spec.format.entries[code] for code in codes]


@pytest.mark.parametrize("table", [NF2, NF3, NF4])
@pytest.mark.parametrize("a", [INT8, INT4, UINT8, SYMMETRIC_INT8])
@pytest.mark.parametrize("group", [32, 128, 256])
def test_the_accumulator_has_the_bits_of_the_worst_group_and_no_more(
    table: tuple[float, ...], a: IntFormat, group: int
) -> None:
    spec = ValueTableSpec(a=a, format=ValueTable(table=table, group=group))
    extreme = a.min if -a.min > a.max else a.max
    sums = []
    for code in (0, len(table) - 1):
        packed = spec.format.pack(np.full((group, 1), code), np.ones((1, 1), np.float16))
        x = np.full((1, group), extreme, np.int64)
        sums.append(int(partials(spec, x, packed)[0, 0, 0, 0]))
    half = 1 << (spec.acc_width - 1)
    assert all(-half <= total < half for total in sums)
    assert max(map(abs, sums)) >= half // 2


def test_a_paired_look_up_counts_once_for_two_codes() -> None:
    single = ValueTableSpec()
    paired = replace(single, lookup=Lookup.PAIRED)
    assert (single.column_part.operations.lookups, paired.column_part.operations.lookups) == (8, 4)


@pytest.mark.parametrize(
    ("table", "beat"), [(NF2, (8, 1, 16)), (NF3, (32, 3, 32)), (NF4, (8, 2, 16))]
)
def test_a_beat_is_whole_storage_words(
    table: tuple[float, ...], beat: tuple[int, int, int]
) -> None:
    spec = ValueTableSpec(format=ValueTable(table=table))
    assert (spec.lanes, spec.units, spec.unit_bits) == beat


def test_groups_that_end_inside_a_beat_are_refused() -> None:
    with pytest.raises(ValueError, match="Group of nf4 must be a multiple of 8, not 20"):
        ValueTableSpec(format=ValueTable(group=20))
    with pytest.raises(ValueError, match="Group of nf3 must be a multiple of 32, not 48"):
        ValueTableSpec(format=ValueTable(table=NF3, group=48))

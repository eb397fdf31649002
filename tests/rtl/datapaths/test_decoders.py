"""Decoders' parts at their ends: every code there is, and the greatest sums there can be."""

from typing import Any

import numpy as np
import pytest
from parts import layout_bits, packed_bits, play

from bitweight.rtl.datapath import cell, column_part
from bitweight.sim.datapath import units
from bitweight.sim.datapaths.dual_grained import DualGrainedSpec, GroupScale
from bitweight.sim.datapaths.value_table import Lookup, ValueTableSpec
from bitweight.workloads.formats import INT8, UINT8, IntFormat
from bitweight.workloads.formats.value_table import NF2, NF3, NF4, ValueTable

OTHER = (-3.0, -1.0, -0.5, 0.1, 0.25, 1.5, 2.0, 2.5)
ONE = np.ones((1, 1), np.float16)


@pytest.mark.parametrize("lookup", Lookup)
@pytest.mark.parametrize("table", [NF2, NF3, NF4, OTHER])
def test_every_pair_of_codes_is_decoded_in_every_place(
    table: tuple[float, ...], lookup: Lookup
) -> None:
    form = ValueTable(table=table, group=1 << 12, entry=IntFormat(width=7))
    spec = ValueTableSpec(format=form, lookup=lookup)
    pairs, size = spec.lanes // 2, len(table)
    # Beat b has pair index b + 5 p in place p, so each place meets each index.
    index = (np.arange(size * size)[:, None] + 5 * np.arange(pairs)) % (size * size)
    codes = np.stack([index // size, index % size], axis=2).reshape(-1, 1)
    words = units(spec, form.pack(codes, ONE))[:, 0].tolist()
    part = column_part(spec)
    inputs = [{"units": packed_bits(word, spec.unit_bits)} for word in words]
    found = play(part, inputs, "out", spec.column_part.latency)
    entries = np.array(form.entries)[codes].reshape(-1, spec.lanes).tolist()
    assert found == [layout_bits(part.out, beat) for beat in entries]


@pytest.mark.parametrize("group_scale", GroupScale)
def test_every_code_zero_point_and_scale_is_decoded(group_scale: GroupScale) -> None:
    spec = DualGrainedSpec(group_scale=group_scale)
    cases = [
        (code, s2, z)
        for code in range(16)
        for z in range(16)
        for s2 in range(1, 128)
        if abs((code - z) * s2) <= 127
    ]
    part = column_part(spec)
    inputs = [
        {"units": packed_bits([code << 4 | code] * 4, 8), "side": packed_bits([s2, z], 8)}
        for code, s2, z in cases
    ]
    found = play(part, inputs, "out", spec.column_part.latency)
    wanted = [
        [*[code - z] * 8, s2] if spec.is_factored else [(code - z) * s2] * 8
        for code, s2, z in cases
    ]
    assert found == [layout_bits(part.out, values) for values in wanted]


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("a", [INT8, UINT8, IntFormat(width=2)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_greatest_sums_of_a_group_fit(sign: int, a: IntFormat, pipelined: bool) -> None:
    spec = ValueTableSpec(a=a, format=ValueTable(group=256), pipelined=pipelined)
    greatest = [sign * 127] * 8
    check_running_sum(spec, greatest, 256 // 8, sign * 127)


@pytest.mark.parametrize("a", [INT8, UINT8, IntFormat(width=2)])
@pytest.mark.parametrize("group_scale", GroupScale)
@pytest.mark.parametrize(("code", "s2"), [(1, 127), (-1, 127), (15, 8), (-15, 8), (7, 18)])
def test_the_greatest_sums_of_a_gemm_fit(
    code: int, s2: int, group_scale: GroupScale, a: IntFormat
) -> None:
    spec = DualGrainedSpec(a=a, group_scale=group_scale, max_k=256)
    column = [*[code] * 8, s2] if spec.is_factored else [code * s2] * 8
    check_running_sum(spec, column, 256 // 8, code * s2)


def check_running_sum(spec: Any, column: list[int], beats: int, weight: int) -> None:
    """Accumulate one beat over and over, with either extreme activation."""
    for x in (spec.a.min, spec.a.max):
        part = cell(spec)
        inputs = [
            {
                "row": packed_bits([x] * 8, spec.a.width),
                "column": layout_bits(part.column, column),
                "first": int(beat == 0),
            }
            for beat in range(beats)
        ]
        found = play(part, inputs, "acc", spec.cell.latency)
        wanted = [8 * x * weight * (beat + 1) for beat in range(beats)]
        assert all(abs(total) < 1 << (spec.acc_width - 1) for total in wanted)
        assert found == [packed_bits([total], spec.acc_width) for total in wanted]

"""Short groups counted by walking along k."""

import pytest

from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.seedlm import Seedlm
from bitweight.workloads.formats.shift_add import ShiftAdd
from bitweight.workloads.short_groups import short_groups
from bitweight.workloads.weight_formats import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_its_short_groups_and_none_where_groups_are_whole(name: str) -> None:
    assert short_groups(FORMATS[name], k=3 * 128, n=16) == 0


@pytest.mark.parametrize("k", [1, 127, 128, 129, 576])
def test_an_output_has_one_short_group_at_most(k: int) -> None:
    grouped = [form for form in FORMATS.values() if getattr(form, "group", None)]
    assert len(grouped) == 11
    for form in grouped:
        lengths = [len(range(at, min(at + 128, k))) for at in range(0, k, 128)]
        assert short_groups(form, k=k, n=5) == 5 * sum(length < 128 for length in lengths)


def test_what_has_no_groups_has_no_short_ones() -> None:
    for form in (FORMATS["i2_s"], FORMATS["tl1"], FORMATS["tl2"], ScaledInteger()):
        assert short_groups(form, k=7, n=8) == 0


def test_blocks_and_keys_count_as_groups() -> None:
    block = Seedlm(block=8, latent=3)
    # 3 x 5 weights run on in one and a bit of another block; aligned, each output ends in one.
    assert short_groups(block, k=5, n=3) == 1
    assert short_groups(block, k=4, n=6) == 0
    assert short_groups(Seedlm(block=8, latent=3, row_aligned=True), k=5, n=3) == 3
    # Two planes and eight runs of outputs share the last key of four inputs.
    assert short_groups(ShiftAdd(bits=2), k=12, n=16) == 16

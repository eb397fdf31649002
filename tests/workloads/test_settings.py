"""Settings as text: read into a spec, and told as what makes one spec of another."""

from typing import Any

import pytest

from bitweight.sim import DESIGNS
from bitweight.workloads.formats import INT4
from bitweight.workloads.formats.bcq import Bcq
from bitweight.workloads.formats.dual_grained import DualGrained
from bitweight.workloads.formats.scaled_integer import ScaledInteger
from bitweight.workloads.formats.seedlm import ExponentRule, Seedlm
from bitweight.workloads.formats.tl1 import Tl1
from bitweight.workloads.formats.value_table import ValueTable
from bitweight.workloads.settings import settings_between, vary
from bitweight.workloads.weight_formats import FORMATS, quantize_command, weight_format

SEEDLM = Seedlm(block=8, latent=3)


@pytest.mark.parametrize(
    ("default", "spec", "settings"),
    [
        (Bcq(), Bcq(), ()),
        (Bcq(), Bcq(bits=2, offset=False), ("bits=2", "offset=false")),
        (Tl1(), Tl1(tile_rows=64), ("tile_rows=64",)),
        (ScaledInteger(code=INT4, group=8), ScaledInteger(), ("code=int8", "group=none")),
        (SEEDLM, Seedlm(block=8, latent=3, row_aligned=True), ("row_aligned=true",)),
        (
            SEEDLM,
            Seedlm(block=8, latent=3, exponent_rule=ExponentRule.LITERAL),
            ("exponent_rule=literal",),
        ),
        (
            ValueTable(),
            ValueTable(table=(-1.0, 0.0, 0.5, 1.0), entry=INT4),
            ("table=-1.0,0.0,0.5,1.0", "entry=int4"),
        ),
    ],
)
def test_settings_make_one_value_of_another(
    default: Any, spec: Any, settings: tuple[str, ...]
) -> None:
    assert settings_between(default, spec) == settings
    varied = vary(default, settings)
    assert varied == spec
    assert repr(varied) == repr(spec)


def test_a_part_of_another_type_cannot_be_set() -> None:
    with pytest.raises(ValueError, match="pe must be a MacSpec, not CarrySaveMacSpec"):
        settings_between(DESIGNS["cube/mac"], DESIGNS["cube/carry_save"])


@pytest.mark.parametrize("name", FORMATS)
def test_a_formats_command_names_it(name: str) -> None:
    assert quantize_command(FORMATS[name]) == f"bitweight quantize --to {name}"


@pytest.mark.parametrize(
    ("name", "settings"),
    [("bcq2", ("group=64",)), ("dual_grained", ("group=32",)), ("nf2", ("table=1.0,2.0,3.0,4.0",))],
)
def test_a_varied_formats_command_makes_it(name: str, settings: tuple[str, ...]) -> None:
    form = weight_format(name, settings)
    assert quantize_command(form) == f"bitweight quantize --to {name} --set {settings[0]}"


def test_a_format_of_another_name_is_reached_from_its_kind() -> None:
    # bcq3 with two bits is bcq2; blocks of six bits a weight have no name of their own.
    assert weight_format("bcq3", ["bits=2"]) == FORMATS["bcq2"]
    command = quantize_command(Seedlm(block=4, latent=1))
    assert command == "bitweight quantize --to seedlm4 --set block=4 --set latent=1"


def test_settings_together_are_checked_once() -> None:
    assert vary(DualGrained(), ["group=64"]) == DualGrained(group=64)
    with pytest.raises(ValueError, match=r"^Setting must be FIELD=VALUE, not 'group'$"):
        vary(DualGrained(), ["group"])

import pytest

from bitweight.cost_models.published import Evidence, Quantity, published, published_ratios
from bitweight.sim import DESIGNS

_ABSTRACT = {
    # arXiv 2503.06342v1, abstract: area and energy efficiency.
    ("systolic_os/carry_save", "systolic_os/mac"): (1.27, 1.04),
    ("cube/carry_save", "cube/mac"): (1.28, 1.56),
    ("adder_tree/same_weight", "adder_tree/mac"): (1.56, 1.49),
    ("matrix_2d/same_weight", "matrix_2d/mac"): (1.44, 1.20),
    ("column/grouped", "bit_slice/laconic"): (2.85, 12.10),
}


@pytest.mark.parametrize(("pair", "ratios"), _ABSTRACT.items())
def test_the_abstracts_ratios_are_those_that_reports_show(
    pair: tuple[str, str], ratios: tuple[float, float]
) -> None:
    for quantity, ratio in zip(Quantity, ratios, strict=True):
        found = published_ratios(*pair, quantity)
        assert [one.value for one in found if one.evidence is Evidence.ABSTRACT] == [ratio]


def test_what_a_reading_note_says_otherwise_is_kept_apart() -> None:
    differing = {
        (one.design, one.quantity): one.value
        for one in published()
        if one.evidence is Evidence.SECONDARY and "differs from abstract" in one.note
    }
    assert differing == {
        ("adder_tree/same_weight", "area efficiency"): 1.58,
        ("matrix_2d/same_weight", "area efficiency"): 1.34,
        ("matrix_2d/same_weight", "energy efficiency"): 1.11,
    }


def test_every_figure_is_of_designs_we_have_and_has_unit_source_and_technology() -> None:
    names = {*DESIGNS, "pe:mac", "pe:carry_save", "pe:sparse_digit", "pe:shared_encoder"}
    for one in published():
        assert {one.design, one.baseline} <= {*names, "pe:grouped", ""}
        assert one.value > 0
        assert one.unit
        assert one.source
        assert one.technology
        assert (one.unit == "x") >= (one.quantity in list(Quantity))


def test_a_pair_that_nobody_published_has_no_ratios() -> None:
    assert published_ratios("systolic_os/mac", "systolic_os/mac") == ()

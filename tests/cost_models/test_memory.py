from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitweight.cost_models.cost import Figure, Provenance
from bitweight.cost_models.memory import Macro, Ports, macros, memory_access_pj, memory_area_um2
from bitweight.cost_models.technology import TECHNOLOGIES

_TECHNOLOGIES = sorted(TECHNOLOGIES)
_ANY_TECHNOLOGY = st.sampled_from(_TECHNOLOGIES)
_WORDS = st.integers(1, 20_000)
_WIDTH = st.integers(1, 300)

# How far the farthest macro lies from the fit.
_AREA_TOLERANCE = {
    ("sg13g2", "1rw"): 0.10,
    ("sg13g2", "2rw"): 0.02,
    ("sky130hd", "1rw"): 0.13,
    ("sky130hd", "1rw1r"): 0.10,
    ("asap7", "1rw"): 0.025,
}


@given(_ANY_TECHNOLOGY, st.sampled_from(Ports), _WORDS, _WIDTH)
def test_more_words_or_bits_never_take_less(
    technology: str, ports: Ports, words: int, width: int
) -> None:
    area = memory_area_um2(technology, words, width, ports=ports).total
    assert area < memory_area_um2(technology, words + 1, width, ports=ports).total
    assert area < memory_area_um2(technology, words, width + 1, ports=ports).total
    energy = memory_access_pj(technology, words, width).parts
    deeper = memory_access_pj(technology, words + 1, width).parts
    wider = memory_access_pj(technology, words, width + 1).parts
    for part in ("read", "write"):
        assert 0 < energy[part] <= deeper[part]
        assert energy[part] < wider[part]


@given(_ANY_TECHNOLOGY, _WORDS, _WIDTH)
def test_a_second_port_takes_room(technology: str, words: int, width: int) -> None:
    single = memory_area_um2(technology, words, width, ports=Ports.SINGLE).total
    assert memory_area_um2(technology, words, width).total > 1.2 * single


@pytest.mark.parametrize("macro", macros(), ids=lambda macro: macro.macro)
def test_macros_lie_near_the_fit(macro: Macro) -> None:
    ports = Ports.READ_AND_WRITE if macro.is_dual else Ports.SINGLE
    area = memory_area_um2(macro.technology, macro.words, macro.width, ports=ports)
    tolerance = _AREA_TOLERANCE[macro.technology, macro.ports]
    assert area.total == pytest.approx(macro.area_um2, rel=tolerance)
    if macro.read_pj is not None:
        energy = memory_access_pj(macro.technology, macro.words, macro.width).parts
        assert energy["read"] == pytest.approx(macro.read_pj, rel=0.15)
        assert energy["write"] == pytest.approx(macro.write_pj, rel=0.12)


def test_bits_of_predictive_7_nm_take_what_their_cell_does() -> None:
    # 0.02916 um2: six-transistor cell of ASAP7 (Clark et al., Microelectronics Journal 53, 2016).
    small, large = (memory_area_um2("asap7", 512, w, ports=Ports.SINGLE).total for w in (40, 80))
    per_bit = (large - small) / (512 * 40)
    assert 0.02916 < per_bit < 1.3 * 0.02916


def test_a_memory_larger_than_any_macro_is_built_of_several() -> None:
    one = memory_area_um2("sg13g2", 1024, 32).total
    assert memory_area_um2("sg13g2", 3072, 64).total == pytest.approx(6 * one)
    # All macros of a row are read, one row of them at a time.
    assert memory_access_pj("sg13g2", 16384, 128).total == pytest.approx(
        2 * memory_access_pj("sg13g2", 8192, 64).total
    )


def test_energies_of_the_same_node_go_with_voltage_squared() -> None:
    own, donor = (memory_access_pj(name, 300, 20).parts for name in ("sky130hd", "sg13g2"))
    assert own["read"] == pytest.approx(donor["read"] * (1.8 / 1.2) ** 2)


def test_energies_of_another_node_go_through_published_scaling() -> None:
    own, donor = (memory_access_pj(name, 300, 20).parts for name in ("asap7", "sg13g2"))
    at_7_nm = 0.1776 * 0.63**2 - 0.09097 * 0.63 + 0.02447
    at_130_nm = 7.171 * 1.2**2 - 6.709 * 1.2 + 2.904
    assert own["write"] == pytest.approx(donor["write"] * at_7_nm / at_130_nm)


def test_what_is_published_and_what_is_scaled_is_told() -> None:
    assert memory_area_um2("sg13g2", 256, 32).provenance is Provenance.PUBLISHED
    assert memory_access_pj("sg13g2", 256, 32).provenance is Provenance.PUBLISHED
    # Smaller than any macro.
    assert memory_area_um2("sg13g2", 36, 32).provenance is Provenance.SCALED
    assert memory_access_pj("sg13g2", 36, 32).provenance is Provenance.SCALED
    assert memory_area_um2("asap7", 512, 32, ports=Ports.SINGLE).provenance is Provenance.PUBLISHED
    for technology in ("sky130hd", "asap7"):
        assert memory_area_um2(technology, 512, 32).provenance is Provenance.SCALED
        assert memory_access_pj(technology, 512, 32).provenance is Provenance.SCALED


def test_every_technology_has_memories_and_every_macro_a_source() -> None:
    assert {macro.technology for macro in macros()} == set(TECHNOLOGIES)
    for macro in macros():
        assert macro.source.startswith("github.com/")
        assert " @ " in macro.source
        assert macro.area_um2 > 0
        assert (macro.read_pj is None) == (macro.write_pj is None)
        assert macro.read_pj is None or macro.read_pj > 0


@pytest.mark.parametrize("cost", [memory_area_um2, memory_access_pj])
def test_sizes_and_technologies_that_are_none_are_refused(
    cost: Callable[[str, int, int], Figure],
) -> None:
    with pytest.raises(ValueError, match="Memory words must be at least 1, not 0"):
        cost("sg13g2", 0, 8)
    with pytest.raises(ValueError, match="Memory width must be at least 1, not -8"):
        cost("sg13g2", 8, -8)
    with pytest.raises(ValueError, match=r"Technology must have published memory macros .*'sg13g'"):
        cost("sg13g", 8, 8)

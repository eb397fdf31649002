"""Totals of a workload and their front."""

from dataclasses import replace

from bitweight.reports.sweep import Row, fronts, totals

ROW = Row(
    point="",
    design="a",
    settings="",
    format="int8",
    source="t",
    layer="first",
    m=1,
    n=1,
    k=1,
    calls=1,
    technology="sg13g2",
    clock_mhz=100.0,
    cycles=1,
    area_um2=10.0,
    memory_um2=1.0,
    energy_pj=4.0,
    time_us=2.0,
    provenance="measured",
)


def test_a_total_counts_every_call_of_every_layer() -> None:
    rows = [ROW, replace(ROW, layer="second", calls=3, energy_pj=5.0, provenance="composed")]
    (total,) = totals(rows)
    assert (total.area_um2, total.energy_pj, total.time_us) == (11.0, 19.0, 8.0)
    assert total.provenance == "composed"


def test_what_was_refused_on_a_layer_has_no_total() -> None:
    rows = [ROW, replace(ROW, layer="second", refused="no")]
    assert totals(rows) == []


def test_designs_are_held_against_those_of_their_technology() -> None:
    rows = [
        ROW,
        replace(ROW, design="b", energy_pj=5.0),
        replace(ROW, design="c", energy_pj=3.0, time_us=3.0),
        replace(ROW, design="b", technology="asap7"),
    ]
    kept = [(total.design, total.technology) for total in fronts(totals(rows))]
    assert kept == [("a", "sg13g2"), ("c", "sg13g2"), ("b", "asap7")]

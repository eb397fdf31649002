"""Labels that do not overlap, colours with two themes, marks that tell provenance apart."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bitweight.cost_models import Provenance
from bitweight.reports.comparison.style import (
    DARK,
    HUES,
    MARKS,
    PARTS,
    VARIABLES,
    spread,
    to_inline,
)
from bitweight.sim import DESIGNS


@given(st.lists(st.floats(0, 1)), st.floats(0.01, 0.5))
def test_labels_keep_their_order_and_distance(positions: list[float], least: float) -> None:
    moved = spread(positions, least)
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    gaps = [moved[after] - moved[before] for before, after in pairwise(order)]
    assert all(gap >= least - 1e-9 for gap in gaps)


def test_labels_that_have_room_stay_where_they_are() -> None:
    assert spread([0.0, 5.0, 2.0], 1.0) == [0.0, 5.0, 2.0]


def test_labels_that_touch_move_apart_about_their_middle() -> None:
    assert spread([3.0, 3.0], 1.0) == [2.5, 3.5]
    assert spread([0.0, 0.0, 0.0, 9.0], 1.0) == [-1.0, 0.0, 1.0, 9.0]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_labels_can_be_read_in_both_themes() -> None:
    for colour in dict.fromkeys(HUES.values()):
        assert contrast(colour, "#ffffff") > 4.5
        assert contrast(DARK[colour], DARK["#ffffff"]) > 4.5


def test_every_design_has_a_colour_and_every_colour_a_dark_one() -> None:
    assert {name.partition("/")[0] for name in DESIGNS} <= set(HUES)
    assert set(HUES.values()) | set(PARTS) <= set(VARIABLES) == set(DARK)
    assert len(set(VARIABLES.values())) == len(VARIABLES)


def test_provenances_look_different() -> None:
    assert set(MARKS) == set(Provenance)
    assert len(set(MARKS.values())) == len(MARKS)


def test_an_inline_drawing_takes_the_pages_colours_and_ids_of_its_own() -> None:
    svg = (
        b'<?xml version="1.0"?>\n<svg xmlns="x"><defs><style type="text/css">*{a}</style></defs>'
        b'<g id="a" clip-path="url(#c)" style="fill: #1b1e24"><use xlink:href="#m"/></g></svg>'
    )
    text = to_inline(svg, "one", 'A "b" < c')
    assert text.startswith('<svg role="img" aria-label="A &quot;b&quot; &lt; c" xmlns="x">')
    assert re.findall(r'id="(.*?)"|#([\w-]+)', text) == [
        ("one-a", ""),
        ("", "one-c"),
        ("", "one-m"),
    ]
    assert "fill: var(--ink)" in text
    assert "<style" not in text

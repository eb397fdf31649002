"""The page: complete, self-contained, the same bytes each time, written whole."""

import csv
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from comparison_pages import PAGE, STUDY

from bitweight.cost_models.measurements import Measurements
from bitweight.reports.comparison.page import files, write
from bitweight.reports.comparison.picture import Facts, Picture
from bitweight.reports.comparison.study import missing, pictures

PICTURES = pictures(STUDY)
FILES = files(PAGE, PICTURES)
HTML = FILES["index.html"].decode()


class Reader(HTMLParser):
    """Collects ids, links and tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in {"src", "href", "xlink:href"}:
                self.loads.append(value or "")


def test_every_kind_of_picture_is_there() -> None:
    names = [picture.name for picture in PICTURES]
    assert names == ["pes", "engines", "ratios", "layer_energy", "roofline", "front", "formats"]


def test_every_picture_comes_as_csv_and_if_drawn_as_svg_and_png() -> None:
    wanted = {"index.html"}
    for picture in PICTURES:
        wanted |= {f"{picture.name}.{kind}" for kind in ("csv", "svg", "png")}
    assert set(FILES) == wanted - {"formats.svg", "formats.png"}


def test_the_same_study_gives_the_same_bytes() -> None:
    assert files(PAGE, pictures(STUDY)) == FILES


def test_files_tell_no_time_and_no_place() -> None:
    for name, data in FILES.items():
        if not name.endswith(".png"):
            text = data.decode()
            assert not re.search(r"20\d\d-\d\d-\d\d|/home/|/root/|/tmp/|/usr/", text), name


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    reader = Reader()
    reader.feed(HTML)
    assert len(reader.ids) == len(set(reader.ids))
    for link in reader.links:
        assert link.removeprefix("#") in (reader.ids if link.startswith("#") else FILES)


def test_nothing_is_loaded_from_elsewhere() -> None:
    reader = Reader()
    reader.feed(HTML)
    assert {load for load in reader.loads if not load.startswith("#")} == {"data:,"}
    assert "@import" not in HTML
    assert "<script" not in HTML
    assert not re.search(r"url\((?!#)", HTML)


def test_drawings_have_no_colour_of_their_own() -> None:
    drawings = re.findall(r"<svg.*?</svg>", HTML, re.DOTALL)
    assert len(drawings) == 2 * 6
    assert not re.search(r"#[0-9a-f]{6}\b", "".join(drawings))
    assert len(set(re.findall(r"var\(--([a-z0-9_-]+)\)", "".join(drawings)))) > 8


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_every_picture_states_what_it_shows_and_how_to_make_it_again(picture: Picture) -> None:
    part = HTML[HTML.index(f'<section id="{picture.name}">') :]
    part = unescape(part[: part.index("</section>")])
    facts = picture.facts
    stated = [*facts.designs, facts.workload, *facts.technologies, *facts.provenance, facts.command]
    assert [text for text in stated if text not in part] == []
    assert facts.designs
    assert picture.reading in part


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_data_of_a_picture_are_its_csv(picture: Picture) -> None:
    header, *rows = csv.reader(FILES[f"{picture.name}.csv"].decode().splitlines())
    assert header == list(picture.columns)
    assert len(rows) == len(picture.rows)
    assert not {"nan", "inf"} & {cell for row in rows for cell in row}


def test_unknown_energies_are_empty_cells_and_no_zeros() -> None:
    front = next(picture for picture in PICTURES if picture.name == "front")
    place = front.columns.index("energy_pj_per_mac")
    by_design = {row[1]: row[place] for row in front.rows}
    assert by_design["column/grouped"] is None
    assert by_design["systolic_os/mac"]


def test_texts_are_escaped() -> None:
    facts = Facts(
        designs=("<b>",), workload="a & b", technologies=(), provenance=(), command="x < y"
    )
    page = files(replace(PAGE, title='<script>"', facts=facts), [])["index.html"].decode()
    assert "<script" not in page
    assert "<b>" not in page
    assert "a &amp; b" in page


def test_a_design_that_a_technology_lacks_is_told() -> None:
    idle = "No gate-level runs, and so no energy, in {}: column/grouped."
    assert missing(STUDY) == [
        idle.format("IHP SG13G2 130 nm"),
        "No netlists in ASAP7 predictive 7 nm, RVT: bit_slice/laconic.",
        idle.format("ASAP7 predictive 7 nm, RVT"),
    ]


def test_without_any_energy_the_pictures_of_energy_are_left_out() -> None:
    bare = replace(STUDY, data=tuple(replace(one, energies=()) for one in STUDY.data))
    found = pictures(bare)
    names = [picture.name for picture in found]
    assert names == ["pes", "engines", "ratios", "roofline", "formats"]
    assert b"no gate-level run" in files(PAGE, found)["ratios.svg"]


def test_a_technology_without_any_design_is_refused() -> None:
    empty = Measurements(technology="asap7", header={}, netlists=(), energies=())
    with pytest.raises(
        ValueError, match=r"asap7 must hold netlists of systolic_os/mac, .*characterise"
    ):
        missing(replace(STUDY, data=(empty,)))


def test_a_picture_refuses_rows_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="Rows of formats must have 14 cells, not 1"):
        replace(PICTURES[-1], rows=((1,),))


def test_a_folder_is_written_whole_and_replaced(tmp_path: Path) -> None:
    out = tmp_path / "page"
    write(out, {"index.html": b"old", "old.csv": b""})
    write(out, {"index.html": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"index.html": b"new"}


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    out = tmp_path / "page"
    write(out, {"index.html": b"old"})
    with pytest.raises(OSError, match="No such file"):
        write(out, {"index.html": b"new", "absent/a.csv": b""})
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (out / "index.html").read_bytes() == b"old"


@pytest.mark.parametrize("strange", ["thesis.tex", "folder.csv/"])
def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, strange: str) -> None:
    path = tmp_path / strange
    path.mkdir() if strange.endswith("/") else path.write_text("")
    with pytest.raises(ValueError, match="must be a new folder or one that `bitweight compare`"):
        write(tmp_path, {})

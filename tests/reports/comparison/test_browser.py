"""The page in a browser: as it is read, on a screen and on a phone, by day and by night.

Needs ``chromium`` on PATH; ``make browser`` runs it, and so does CI.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from comparison_pages import PAGE, STUDY
from matplotlib.image import imread

from bitweight.reports.comparison.page import files, write
from bitweight.reports.comparison.study import pictures

pytestmark = pytest.mark.browser

PHONE, SCREEN = 390, 1200
# Chromium's number of the colour scheme that a reader prefers.
SCHEMES = {"dark": 0, "light": 1}
_MEASURE = (
    "<script>const seen = [...document.querySelectorAll('figure text, figure svg')]"
    ".filter(e => e.getClientRects().length);"
    "const texts = seen.filter(e => e.tagName == 'text');"
    "parent.postMessage([innerWidth, document.documentElement.scrollWidth, "
    "seen.length - texts.length, "
    "Math.min(...texts.map(e => e.getBoundingClientRect().height))].join(' '), '*')</script>"
)
# A window is 500 pixels wide at least, a frame in it as wide as asked for.
_FRAME = (
    "<title>-</title><script>onmessage = e => document.title = e.data</script>"
    "<iframe src='measured.html' style='border: 0; width: {}px; height: 800px'></iframe>"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "page"
    found = files(PAGE, pictures(STUDY))
    page = found["index.html"].decode()
    measured = page.replace("default-src 'none';", "").replace("</body>", f"{_MEASURE}</body>")
    frames = {f"{width}.html": _FRAME.format(width).encode() for width in (PHONE, SCREEN)}
    write(out, {**found, **frames, "measured.html": measured.encode()})
    return out


def browse(page: Path, profile: Path, *options: str) -> tuple[str, str]:
    """Open a page and return what Chromium prints, and its log."""
    program = shutil.which("chromium")
    assert program, "chromium must be on PATH: `apt-get install chromium`"
    done = subprocess.run(
        [
            program,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=2000"),
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
            "--window-size=1300,1400",
            *options,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("width", [PHONE, SCREEN])
def test_nothing_is_wider_than_the_window(folder: Path, tmp_path: Path, width: int) -> None:
    shown, _ = browse(folder / f"{width}.html", tmp_path, "--dump-dom")
    title = re.search("<title>(.*?)</title>", shown)
    assert title is not None
    inner, scrolled, drawings, least = map(float, title[1].split())
    assert (inner, scrolled) == (width, width)
    assert drawings == 6, "one of the two widths of each picture"
    assert least > 9, "height in pixels of the smallest text of a picture"


def foreign(page: Path, folder: Path) -> tuple[list[str], str]:
    """Return what a page asks of the network, and what it says on the console."""
    log = folder / "net.json"
    _, console = browse(page, folder / "profile", "--dump-dom", f"--log-net-log={log}")
    urls = sorted(set(re.findall(r'"url":"((?:http|ws)[^"]*)"', log.read_text())))
    # Chromium's own services are asked whatever page it shows.
    own = re.compile(r"https?://[^/]*\.google(apis)?\.com/")
    return [url for url in urls if not own.match(url)], console


def test_the_console_is_silent_and_nothing_is_fetched(folder: Path, tmp_path: Path) -> None:
    urls, console = foreign(folder / "index.html", tmp_path)
    assert urls == []
    assert "CONSOLE" not in console


def test_a_page_that_fetches_would_be_noticed(folder: Path, tmp_path: Path) -> None:
    image = "<img src='http://elsewhere.test/a.png'>"
    bare = tmp_path / "bare.html"
    bare.write_text(image)
    urls, _ = foreign(bare, tmp_path)
    assert urls == ["http://elsewhere.test/a.png"]
    forbidden = tmp_path / "forbidden.html"
    page = (folder / "index.html").read_text()
    forbidden.write_text(page.replace("</body>", f"{image}</body>"))
    assert "CONSOLE" in foreign(forbidden, tmp_path)[1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_follows_the_readers_colour_scheme(
    folder: Path, tmp_path: Path, scheme: str
) -> None:
    picture = tmp_path / "page.png"
    browse(
        folder / "index.html",
        tmp_path / "profile",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--screenshot={picture}",
    )
    pixels = imread(picture)[:, :, :3]
    corner = float(pixels[5, 5].mean())
    assert corner < 0.1 if scheme == "dark" else corner > 0.9
    # Text and lines: what is not background, in a colour that stands out from it.
    assert float(abs(pixels.mean(axis=2) - corner).max()) > 0.7

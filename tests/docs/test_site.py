#!/usr/bin/env python3
"""The guide as a site: `make docs` builds it, for narrow screens too."""

import os
import re
import subprocess
import sys
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.serving import ROOT

#: The width of the smallest screens that people read on, in pixels.
NARROW = 360
#: What a browser would load or ask by itself.
_LOADED = re.compile(
    r"<(?:script|img|link|iframe|source|form)\b[^>]*"
    r"\b(?:src|href|srcset|action)=[\"']?((?:https?:)?//[^\"' >]*)"
    r"|url\([\"']?((?:https?:)?//[^)]*)\)|@import"
)
#: How far a page is wider than the screen, and what sticks out of its text
#: without a box that scrolls around it. The theme's own box around all of
#: the text would scroll, too: that does not count.
_STICKING_OUT = """() => {
    const screen = document.documentElement.clientWidth;
    const text = document.querySelector('article');
    const scrolls = e => e !== text && (
        ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    const out = [...text.querySelectorAll('*')].filter(e =>
        e.getBoundingClientRect().right > screen && !scrolls(e));
    const boxes = [document.documentElement, text.closest('.content')];
    return {
        over: Math.max(...boxes.map(e => e.scrollWidth - e.clientWidth)),
        out: out.map(e => e.outerHTML.slice(0, 80)),
    };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, which is built once for a run.

    Processes that run tests beside each other share it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "site"
    with (shared / "site.built").open("a") as mark:
        flock(mark, LOCK_EX)
        if not os.fstat(mark.fileno()).st_size:
            build(folder)
            mark.write("by one of them\n")
    return folder


def build(folder: Path) -> None:
    """Build the site as `make docs` does, but in `folder`.

    A warning of Sphinx, about a link that leads nowhere for one, is an
    error in it.
    """
    recipe = re.search(
        r"^\t\$\(BIN\)/sphinx-build (.*)$",
        (ROOT / "Makefile").read_text(),
        re.MULTILINE,
    )
    assert recipe
    words = recipe[1].replace("docs/_build", str(folder)).split()
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr


def test_each_page_is_in_it(site: Path) -> None:
    """A page of the guide is a page of the site, reached from the first."""
    first = (site / "index.html").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
        if page.stem != "index":
            assert f'href="{page.stem}.html"' in first, page.stem


def test_no_page_leads_to_the_readme() -> None:
    """What a page tells of is in the site, which does not have it."""
    for page in (ROOT / "docs").glob("*.md"):
        assert "](../README.md" not in page.read_text(), page.name


def test_it_asks_no_other_host(site: Path) -> None:
    """Whoever reads it tells nobody else so."""
    for file in site.rglob("*"):
        if file.suffix in (".html", ".css"):
            found = [match[0] for match in _LOADED.finditer(file.read_text())]
            assert found == [], file.name


def test_it_reads_on_a_narrow_screen(site: Path, chromium: Browser) -> None:
    """No page is wider than a telephone; what is wide scrolls in itself.

    With a folder in SCREENSHOTS the pages are photographed, too.
    """
    asked: list[str] = []
    page = chromium.new_page(viewport={"width": NARROW, "height": 740})
    page.on("request", lambda request: asked.append(request.url))
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        found = page.evaluate(_STICKING_OUT)
        assert found == {"over": 0, "out": []}, file.name
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{file.stem}.png")
    page.close()
    assert asked
    assert [url for url in asked if not url.startswith("file:")] == []


@pytest.mark.parametrize(
    ("code", "loads"),
    [
        ('<script src="https://a.example/x.js">', True),
        ('<link rel="stylesheet" href="//a.example/x.css">', True),
        ("body { background: url(http://a.example/x.png) }", True),
        ('<a href="https://a.example/">', False),
        ('<img src="_images/x.png">', False),
    ],
)
def test_what_is_loaded_is_told_from_links(code: str, loads: bool) -> None:
    """A link is not followed by itself, a script is loaded."""
    assert (_LOADED.search(code) is not None) is loads

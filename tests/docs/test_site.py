#!/usr/bin/env python3
"""The guide as a site, built by `make docs`, also on narrow screens."""

import os
import re
import subprocess
import sys
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.serving import ROOT

#: The width of the smallest supported screen, in pixels.
NARROW = 360
#: Addresses that a browser loads by itself.
_LOADED = re.compile(
    r"<(?:script|img|link|iframe|source|form)\b[^>]*"
    r"\b(?:src|href|srcset|action)=[\"']?((?:https?:)?//[^\"' >]*)"
    r"|url\([\"']?((?:https?:)?//[^)]*)\)|@import"
)
#: By how many pixels a page is wider than the screen, and the elements that
#: overflow without a scrolling box. The theme's own box around the whole
#: text does not count.
_OVERFLOW = """() => {
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
    """Return the folder of the site, which is built once per test run.

    Parallel test processes share it.
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
    """Build the site like `make docs`, but in `folder`.

    A warning of Sphinx, such as a broken link, is an error.
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


def test_site_has_each_page(site: Path) -> None:
    """The first page links to each page of the guide."""
    first = (site / "index.html").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
        if page.stem != "index":
            assert f'href="{page.stem}.html"' in first, page.stem


def test_no_page_links_to_the_readme() -> None:
    """The site does not contain the README."""
    for page in (ROOT / "docs").glob("*.md"):
        assert "](../README.md" not in page.read_text(), page.name


def test_site_loads_nothing_from_other_hosts(site: Path) -> None:
    """A reader's browser contacts no other host."""
    for file in site.rglob("*"):
        if file.suffix in (".html", ".css"):
            found = [match[0] for match in _LOADED.finditer(file.read_text())]
            assert found == [], file.name


def test_pages_fit_narrow_screen(site: Path, chromium: Browser) -> None:
    """No page is wider than a telephone; wide elements scroll.

    With a folder in SCREENSHOTS the test also takes screenshots.
    """
    asked: list[str] = []
    page = chromium.new_page(viewport={"width": NARROW, "height": 740})
    page.on("request", lambda request: asked.append(request.url))
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        found = page.evaluate(_OVERFLOW)
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
def test_loaded_addresses_are_told_from_links(code: str, loads: bool) -> None:
    """A browser loads a script but does not follow a link."""
    assert (_LOADED.search(code) is not None) is loads

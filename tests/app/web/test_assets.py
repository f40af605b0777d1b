#!/usr/bin/env python3
"""Assets of the pages, and the brand settings."""

import re
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.serving import COOKIE
from vestibule.checks import startup as checks
from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms import mechanism_for
from vestibule.web import assets
from vestibule.web.assets import MIN_CONTRAST, contrast, palette

#: The maximum size in bytes of a page with its assets.
MOST = 60_000
CSS = Path(assets.__file__).parent / "static" / "pages.css"


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with pages and one user."""
    stored_user()
    return build("session_db_auth", WEB_PAGES="on")


def loaded(page: Page) -> list[str]:
    """Return the addresses that a page loads."""
    names = {"link": "href", "img": "src", "script": "src"}
    return [
        given[names[tag]] or "" for tag, given in page.elements if tag in names
    ]


def test_page_loads_little_and_own_files_only(service: Service) -> None:
    """It is below 60 kB in all; only the style sheet blocks rendering."""
    browser = Browser(service)
    answer = browser.get("/sign-in")
    paths = set(loaded(Page(answer)))
    assert len(paths) == 3
    weight = len(answer.data)
    for path in paths:
        assert path.startswith("/vestibule/assets/")
        weight += len(browser.get(path).data)
    assert weight < MOST
    assert answer.text.count("<script") == answer.text.count(" defer>") == 1


def test_assets_are_cached_as_immutable(service: Service) -> None:
    """Their names have a digest; a conditional request gets 304."""
    browser = Browser(service)
    for path in set(loaded(Page(browser.get("/sign-in")))):
        answer = browser.get(path)
        assert answer.headers.getlist("Cache-Control") == [
            "public, max-age=31536000, immutable"
        ]
        assert answer.headers.getlist("Vary") == ["Accept-Encoding"]
        again = browser.client.get(
            path, headers={"If-None-Match": answer.headers["ETag"]}
        )
        assert (again.status_code, again.data) == (304, b"")
        other = browser.client.get(path, headers={"If-None-Match": '"x"'})
        assert other.data == answer.data


@pytest.mark.parametrize(
    "name", ["pages.css", "logo.svg", "..%2f..%2fassets.py", "x", "%00"]
)
def test_unknown_asset_returns_404(service: Service, name: str) -> None:
    """The name is looked up and is never a path."""
    answer = service.client().get(f"/vestibule/assets/{name}")
    assert answer.status_code in (401, 404)
    assert answer.mimetype == "application/json"


def test_assets_are_served_without_session_lookup(service: Service) -> None:
    """A page's files are public."""
    service.mechanism.current_user = None
    client = service.client()
    client.set_cookie(COOKIE, "x")
    assert client.get(assets.bundle().style).status_code == 200


def test_style_sheet_ships_its_licence() -> None:
    """Simple.css is third-party code under MIT."""
    text = (CSS.parent / "simple.LICENSE.txt").read_text()
    assert "MIT License" in text
    assert "Kev Quirk" in text


@pytest.mark.parametrize(
    ("sheet", "compact"),
    [
        (
            "a {\n  color: red;\n}\nb { margin: 0 1px }\n",
            "a{color:red}b{margin:0 1px}",
        ),
        ("/* a */ p > a,\n  p { top: 0 } /* b\n */", "p > a,p{top:0}"),
        ('i::before { content: ": ;{"; }', 'i::before{content:": ;{"}'),
        (
            "@media (width > 9px) { a { top: calc(1px + 2px) } }",
            "@media (width > 9px){a{top:calc(1px + 2px)}}",
        ),
    ],
)
def test_compact_style_sheet_has_same_rules(sheet: str, compact: str) -> None:
    """Comments and spaces go, except spaces with a meaning."""
    assert assets.compact_css(sheet) == compact


def test_brand_settings_appear_on_pages(build: Build, tmp_path: Path) -> None:
    """They are name, logo and colour."""
    logo = tmp_path / "logo.PNG"
    logo.write_bytes(b"\x89PNG picture")
    stored_user()
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        BRAND_NAME="<Ada & Söhne>",
        BRAND_LOGO=str(logo),
        BRAND_COLOR="#FFCC00",
    )
    browser = Browser(service)
    page = Page(browser.get("/sign-in"))
    assert "Sign in · <Ada & Söhne>" in page.text
    pictures = [path for path in loaded(page) if path.endswith(".png")]
    answer = browser.get(pictures[0])
    assert (answer.mimetype, answer.data) == ("image/png", b"\x89PNG picture")
    style = browser.get(assets.bundle().style).text
    assert "--brand:#ffcc00;--on-brand:#000000" in style


def test_default_logo_has_brand_colour(build: Build) -> None:
    """It is white on dark colours and black on light ones."""
    for color, ink in (("#203040", "#ffffff"), ("#ffee00", "#000000")):
        service = build("session_db_auth", WEB_PAGES="on", BRAND_COLOR=color)
        drawn = service.client().get(assets.bundle().logo).text
        assert set(re.findall(r"#[0-9a-f]+", drawn)) == {color, ink}


def test_opened_svg_runs_no_script(service: Service) -> None:
    """Its own policy forbids scripts."""
    policy = (
        service.client()
        .get(assets.bundle().logo)
        .headers["Content-Security-Policy"]
    )
    assert policy.startswith("default-src 'none'")
    assert "sandbox" in policy


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("logo.svg", None, "cannot be read: No such file"),
        ("logo.gif", b"GIF", "must be an SVG, PNG, JPEG or WebP file"),
        ("logo.css", b"x", "must be an SVG"),
        ("logo.svg", b"x" * 20_001, "at most 20000 bytes"),
    ],
)
def test_invalid_logo_prevents_start(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    why: str,
) -> None:
    """It is checked only where pages are on."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("BRAND_LOGO", str(path))
    mechanism = mechanism_for("session_db_auth")
    assets.bundle.cache_clear()
    checks.check_settings(mechanism)
    monkeypatch.setenv("WEB_PAGES", "on")
    with pytest.raises(ConfigurationError, match=f"BRAND_LOGO: .*{why}"):
        checks.check_settings(mechanism)


def test_start_warns_of_pages_without_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pages are on and cannot be used."""
    stored_user()
    monkeypatch.setenv("WEB_PAGES", "on")
    warning = "WEB_PAGES is on, but AUTH_TYPE has no sessions: no pages"
    for name, expected in (
        (None, True),
        ("basic_auth", True),
        ("session_auth", False),
    ):
        lines = list(checks.startup_warnings(mechanism_for(name)))
        assert any(warning in line for line in lines) is expected


@pytest.mark.parametrize(
    "color",
    [
        "#000000",
        "#ffffff",
        "#ff0000",
        "#ffff00",
        "#1f5fae",
        "#7f7f7f",
        "#00ff7f",
        "#0000ff",
        "#767676",
        "#c0ffee",
    ],
)
def test_each_brand_colour_has_enough_contrast(color: str) -> None:
    """Buttons, and links on each background, stay readable."""
    found = palette(color)
    assert contrast(rgb(found.button), rgb(found.on_button)) >= 4.5
    light, dark = grounds()
    assert light
    assert dark
    for link, ground in (
        *((found.in_light, one) for one in light),
        *((found.in_dark, one) for one in dark),
    ):
        assert contrast(rgb(link), rgb(ground)) >= 4.5, ground
    assert found.button == color


def test_contrast_follows_wcag() -> None:
    """Black on white has 21, and a colour on itself 1."""
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((9, 9, 9), (9, 9, 9)) == 1
    assert contrast(rgb("#767676"), rgb("#ffffff")) == pytest.approx(
        4.54, abs=0.01
    )
    assert MIN_CONTRAST > 4.5


def rgb(color: str) -> tuple[int, int, int]:
    """Return the components of a CSS colour."""
    full = (
        color
        if len(color) == 7
        else "#" + "".join(2 * digit for digit in color[1:])
    )
    return int(full[1:3], 16), int(full[3:5], 16), int(full[5:7], 16)


def grounds() -> tuple[set[str], set[str]]:
    """Return the background colours of links, light and dark."""
    light, dark = CSS.read_text().split("@media (prefers-color-scheme", 1)
    found = [
        set(
            re.findall(
                r"--(?:ground|bg|accent-bg): (#\w+);", part.split("}\n}")[0]
            )
        )
        for part in (light, dark)
    ]
    return found[0], found[1]

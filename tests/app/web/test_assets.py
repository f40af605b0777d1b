#!/usr/bin/env python3
"""What pages load, and the brand that they carry."""

import re
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import House, stored_user
from tests.app.web.visitor import Page, Visitor
from vestibule.checks import startup as checks
from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms import mechanism_for
from vestibule.web import assets
from vestibule.web.theme import MIN_CONTRAST, contrast, palette

#: What a page with all that it loads may weigh, in bytes.
MOST = 60_000
CSS = Path(assets.__file__).parent / "static" / "pages.css"


@pytest.fixture
def house(build: Build) -> House:
    """Return a house with pages, and somebody in it."""
    stored_user()
    return build("session_db_auth", WEB_PAGES="on")


def loaded(page: Page) -> list[str]:
    """Return the addresses of what a page loads."""
    names = {"link": "href", "img": "src", "script": "src"}
    return [
        given[names[tag]] or "" for tag, given in page.elements if tag in names
    ]


def test_a_page_loads_little_and_from_here(house: House) -> None:
    """Below 60 kB in all; the style sheet alone is waited for."""
    visitor = Visitor(house)
    answer = visitor.get("/sign-in")
    paths = set(loaded(Page(answer)))
    assert len(paths) == 3
    weight = len(answer.data)
    for path in paths:
        assert path.startswith("/vestibule/assets/")
        weight += len(visitor.get(path).data)
    assert weight < MOST
    assert answer.text.count("<script") == answer.text.count(" defer>") == 1


def test_assets_are_kept_for_good(house: House) -> None:
    """Their names change with what is in them; 304 to who asks again."""
    visitor = Visitor(house)
    for path in set(loaded(Page(visitor.get("/sign-in")))):
        answer = visitor.get(path)
        assert answer.headers.getlist("Cache-Control") == [
            "public, max-age=31536000, immutable"
        ]
        assert answer.headers.getlist("Vary") == ["Accept-Encoding"]
        again = visitor.client.get(
            path, headers={"If-None-Match": answer.headers["ETag"]}
        )
        assert (again.status_code, again.data) == (304, b"")
        other = visitor.client.get(path, headers={"If-None-Match": '"x"'})
        assert other.data == answer.data


@pytest.mark.parametrize(
    "name", ["pages.css", "logo.svg", "..%2f..%2fassets.py", "x", "%00"]
)
def test_nothing_else_is_served(house: House, name: str) -> None:
    """The name is looked up, and is no path."""
    answer = house.client().get(f"/vestibule/assets/{name}")
    assert answer.status_code in (401, 404)
    assert answer.mimetype == "application/json"


def test_nobody_is_asked_who_they_are_for_a_style(house: House) -> None:
    """A page's files need no look-up of a session."""
    house.mechanism.current_user = None
    client = house.client()
    client.set_cookie("_my_session_id", "x")
    assert client.get(assets.bundle().style).status_code == 200


def test_the_licence_of_the_framework_is_shipped() -> None:
    """Simple.css is somebody else's, under MIT."""
    text = (CSS.parent / "simple.LICENSE.txt").read_text()
    assert "MIT License" in text
    assert "Kev Quirk" in text


def test_the_brand(build: Build, tmp_path: Path) -> None:
    """Name, logo and colour are those of the settings."""
    logo = tmp_path / "logo.PNG"
    logo.write_bytes(b"\x89PNG picture")
    stored_user()
    house = build(
        "session_db_auth",
        WEB_PAGES="on",
        BRAND_NAME="<Ada & Söhne>",
        BRAND_LOGO=str(logo),
        BRAND_COLOR="#FFCC00",
    )
    visitor = Visitor(house)
    page = Page(visitor.get("/sign-in"))
    assert "Sign in · <Ada & Söhne>" in page.text
    pictures = [path for path in loaded(page) if path.endswith(".png")]
    answer = visitor.get(pictures[0])
    assert (answer.mimetype, answer.data) == ("image/png", b"\x89PNG picture")
    style = visitor.get(assets.bundle().style).text
    assert "--brand:#ffcc00;--on-brand:#000000" in style


def test_who_has_no_logo_gets_ours_in_the_own_colour(build: Build) -> None:
    """White on dark colours and black on light ones."""
    for color, ink in (("#203040", "#ffffff"), ("#ffee00", "#000000")):
        house = build("session_db_auth", WEB_PAGES="on", BRAND_COLOR=color)
        drawn = house.client().get(assets.bundle().logo).text
        assert set(re.findall(r"#[0-9a-f]+", drawn)) == {color, ink}


def test_a_picture_that_is_opened_runs_nothing(house: House) -> None:
    """An SVG may have scripts: its own policy forbids them."""
    policy = (
        house.client()
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
def test_a_logo_that_cannot_be_served_ends_the_start(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    why: str,
) -> None:
    """It is looked at where there are pages, and nowhere else."""
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


def test_the_start_says_that_there_are_no_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where they are on, and of no use."""
    stored_user()
    monkeypatch.setenv("WEB_PAGES", "on")
    said = "WEB_PAGES is on, but AUTH_TYPE has no sessions: no pages"
    for name, expected in (
        (None, True),
        ("basic_auth", True),
        ("session_auth", False),
    ):
        lines = list(checks.startup_warnings(mechanism_for(name)))
        assert any(said in line for line in lines) is expected


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
def test_any_colour_can_be_read(color: str) -> None:
    """On buttons, and as a link on each ground of the style sheet."""
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


def test_contrast_is_that_of_wcag() -> None:
    """Black on white has 21, and a colour on itself 1."""
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((9, 9, 9), (9, 9, 9)) == 1
    assert contrast(rgb("#767676"), rgb("#ffffff")) == pytest.approx(
        4.54, abs=0.01
    )
    assert MIN_CONTRAST > 4.5


def rgb(color: str) -> tuple[int, int, int]:
    """Return the parts of a colour as CSS writes it."""
    full = (
        color
        if len(color) == 7
        else "#" + "".join(2 * digit for digit in color[1:])
    )
    return int(full[1:3], 16), int(full[3:5], 16), int(full[5:7], 16)


def grounds() -> tuple[set[str], set[str]]:
    """Return the colours behind links, in light and in dark."""
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

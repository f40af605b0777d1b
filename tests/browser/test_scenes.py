#!/usr/bin/env python3
"""Every user page, in each of its states, is accessible and translated."""

import re
from functools import cache

import pytest
from babel.messages.pofile import read_po

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.scenes import (
    SCENES,
    SHOWN_ELSEWHERE,
    scene_parameters,
)
from tests.serving import ROOT, Server
from vestibule.db.models.user import User

_CATALOG = (
    ROOT
    / "vestibule"
    / "web"
    / "locale"
    / "fr"
    / "LC_MESSAGES"
    / "messages.po"
)
#: Pixels: a phone, a tablet, a laptop, a wide screen.
WIDTHS = (360, 768, 1280, 2560)

each_scene = pytest.mark.parametrize(
    "name", scene_parameters(SCENES, SHOWN_ELSEWHERE)
)


@cache
def english() -> set[str]:
    """Return the English texts that no French page may contain."""
    with _CATALOG.open("rb") as file:
        return {
            message.id
            for message in read_po(file)
            if isinstance(message.id, str)
            and " " in message.id
            and "%" not in message.id
            and message.id != message.string
        }


def misalignment(browser: Browser, selector: str) -> float:
    """Return how many pixels apart the centers of elements are.

    More than a few pixels mean that the elements are not on one line.
    """
    # Measured in one call, because the page may be scrolling to the focus.
    return float(
        browser.page.locator(selector).evaluate_all(
            """(all) => {
            const middles = all.map((one) => one.getBoundingClientRect())
                .map((box) => box.y + box.height / 2);
            return all.length && Math.max(...middles) - Math.min(...middles);
        }"""
        )
    )


def check_accessible(browser: Browser) -> None:
    """Check the open page in both color schemes, on all screens."""
    assert browser.page.locator("h1").count() == 1
    browser.page.emulate_media(color_scheme="light")
    assert browser.axe_violations() == []
    # Only the colors differ there.
    browser.page.emulate_media(color_scheme="dark")
    assert browser.axe_violations("color-contrast") == []
    check_layout(browser)


def check_layout(browser: Browser) -> None:
    """Check that the open page fits each screen, and its bars one line."""
    for width in WIDTHS:
        browser.page.set_viewport_size({"width": width, "height": 800})
        assert browser.overflow() <= 0, width
        assert misalignment(browser, ".brand > *") < 4, width
        assert misalignment(browser, "header nav > a") < 10, width
        assert misalignment(browser, ".tabs > *") < 10, width


def check_french(browser: Browser) -> None:
    """Check that the open page is in French, and that it fits."""
    assert browser.page.locator("html").get_attribute("lang") == "fr"
    check_layout(browser)
    body = browser.page.locator("body")
    # Also what only a script would show.
    texts = f"{body.inner_text()} {body.text_content()}"
    shown = re.sub(r"\s+", " ", texts)
    assert {text for text in english() if text in shown} == set()


@each_scene
def test_page_is_accessible(
    server: Server, open_browser: OpenBrowser, bob: User, name: str
) -> None:
    """In light and dark, from a phone to a wide screen, in English."""
    browser = open_browser(server)
    SCENES[name](browser, bob)
    check_accessible(browser)
    assert browser.page.locator("html").get_attribute("lang") == "en"


@each_scene
def test_page_is_french(
    server: Server, open_browser: OpenBrowser, bob: User, name: str
) -> None:
    """No English text is left, and the longer French texts fit."""
    browser = open_browser(server, locale="fr-FR")
    SCENES[name](browser, bob)
    check_french(browser)


def test_english_texts_are_known() -> None:
    """The catalog is not empty, so the French check can fail."""
    assert "You are signed in" in english()
    assert len(english()) > 50

#!/usr/bin/env python3
"""Every page, in each of its states, is fit for everybody to use."""

import re
from functools import cache

import pytest
from babel.messages.pofile import read_po

from tests.browser.conftest import Visit
from tests.browser.scenes import SCENES
from tests.browser.visitor import Visitor
from tests.serving import ROOT, Server
from vestibule.db.models.user import User

_CATALOGUE = (
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

each_scene = pytest.mark.parametrize("name", SCENES)


@cache
def english() -> set[str]:
    """Return the texts that no French page may have."""
    with _CATALOGUE.open("rb") as file:
        return {
            message.id
            for message in read_po(file)
            if isinstance(message.id, str)
            and " " in message.id
            and "%" not in message.id
            and message.id != message.string
        }


def unevenness(visitor: Visitor, selector: str) -> float:
    """Return by how many pixels the heights of elements differ.

    More than some mean that they do not stand in one line.
    """
    # At one moment: the page may be scrolling to what has the focus.
    return float(
        visitor.page.locator(selector).evaluate_all(
            """(all) => {
            const middles = all.map((one) => one.getBoundingClientRect())
                .map((box) => box.y + box.height / 2);
            return all.length && Math.max(...middles) - Math.min(...middles);
        }"""
        )
    )


def check_for_everybody(visitor: Visitor) -> None:
    """Look at what is open in both colour schemes, on all screens."""
    assert visitor.page.locator("h1").count() == 1
    visitor.page.emulate_media(color_scheme="light")
    assert visitor.obstacles() == []
    # Nothing but the colours is another there.
    visitor.page.emulate_media(color_scheme="dark")
    assert visitor.obstacles("color-contrast") == []
    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 800})
        assert visitor.overflow() <= 0, width
        assert unevenness(visitor, ".brand > *") < 4, width
        assert unevenness(visitor, "header nav > *") < 10, width
        assert unevenness(visitor, ".tabs > *") < 10, width


def check_french(visitor: Visitor) -> None:
    """Look at what is open in French, which takes more room."""
    assert visitor.page.locator("html").get_attribute("lang") == "fr"
    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 800})
        assert visitor.overflow() <= 0, width
        assert unevenness(visitor, "header nav > *") < 10, width
        assert unevenness(visitor, ".tabs > *") < 10, width
    said = re.sub(r"\s+", " ", visitor.page.inner_text("body"))
    assert {text for text in english() if text in said} == set()


@each_scene
def test_nobody_is_kept_out(
    house: Server, visit: Visit, bob: User, name: str
) -> None:
    """In light and dark, from a phone to a wide screen, in English."""
    visitor = visit(house)
    SCENES[name](visitor, bob)
    check_for_everybody(visitor)
    assert visitor.page.locator("html").get_attribute("lang") == "en"


@each_scene
def test_it_speaks_french(
    house: Server, visit: Visit, bob: User, name: str
) -> None:
    """All of it, also where French takes more room."""
    visitor = visit(house, locale="fr-FR")
    SCENES[name](visitor, bob)
    check_french(visitor)


def test_the_texts_to_be_missed_are_known() -> None:
    """The comparison with the catalogue compares something."""
    assert "You are signed in" in english()
    assert len(english()) > 50

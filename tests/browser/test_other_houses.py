#!/usr/bin/env python3
"""Pages that a house shows only sometimes: empty, on guard, or broken."""

import time
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD, submit, wrong_password
from tests.browser.test_scenes import check_for_everybody, english
from tests.browser.visitor import Visitor
from tests.serving import Server
from tests.startup_output import printed_setup_code
from vestibule.accounts.first_admin import SETUP_CODE_LIFETIME

each_language = pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
_DEFECT = """
from api.v1 import app
from vestibule.web.routes import pages, public


@pages.get("/defect")
@public
def defect():
    raise RuntimeError("a defect")


app.main()
"""
# The parent prints a code; its workers live when that has grown old.
_LATE = """
import os
from datetime import timedelta

from api.v1 import app
from vestibule import clock

now = clock.now


def move():
    clock.now = lambda: now() + timedelta(seconds={seconds})


os.register_at_fork(after_in_child=move)
app.main()
"""


class DefectiveServer(Server):
    """A server with a page that cannot be made."""

    program = ("-c", _DEFECT)


class LateServer(Server):
    """A server that is asked when its code is too old."""

    program = ("-c", _LATE.format(seconds=SETUP_CODE_LIFETIME.total_seconds()))


def check(visitor: Visitor, locale: str) -> None:
    """Look at the page as everybody, and at its language."""
    check_for_everybody(visitor)
    if locale.startswith("fr"):
        said = visitor.page.inner_text("body")
        assert {text for text in english() if text in said} == set()


@each_language
def test_an_empty_house(open_house: Open, visit: Visit, locale: str) -> None:
    """The form of the first run, and what it says to a wrong code."""
    house = open_house()
    printed_setup_code(house)
    visitor = visit(house, locale=locale)
    visitor.page.goto("/account")
    visitor.is_at("/setup")
    check(visitor, locale)
    visitor.fill(code="wrong", email="ada@example.com", password=PASSWORD)
    submit(visitor, 400)
    expect(visitor.page.locator("input[name='email']")).to_have_value(
        "ada@example.com"
    )
    check(visitor, locale)
    visitor.fill(code="wrong", password="short")
    submit(visitor, 400)


@each_language
def test_a_code_that_grew_old(
    open_house: Open, visit: Visit, locale: str
) -> None:
    """The page says how to get another one."""
    house = open_house(LateServer)
    _, code = printed_setup_code(house)
    visitor = visit(house, locale=locale)
    visitor.open("/setup")
    check(visitor, locale)
    expect(visitor.page.locator("input")).to_have_count(0)
    if locale == "en-GB":
        visitor.sees("Restart the server: it prints a new code.")
    assert code not in visitor.page.content()


@each_language
def test_a_house_on_guard(open_house: Open, visit: Visit, locale: str) -> None:
    """Who fails too often is told for how long to wait."""
    house = open_house(THROTTLE="on")
    bob = settle("bob@example.com")
    visitor = visit(house, locale=locale)
    for _ in range(4):
        wrong_password(visitor, bob)
    visitor.fill(email="bob@example.com", password="wrong password")
    submit(visitor, 429)
    expect(visitor.page.get_by_role("alert")).to_contain_text("second")
    check(visitor, locale)


@each_language
def test_a_defect(open_house: Open, visit: Visit, locale: str) -> None:
    """It is a page as well, and tells nothing of what happened."""
    house = open_house(DefectiveServer)
    visitor = visit(house, locale=locale)
    visitor.expected.add(500)
    visitor.open("/defect", 500)
    check(visitor, locale)
    assert "RuntimeError" not in visitor.page.content()
    # The log has it, and nothing else.
    give_up = time.monotonic() + 10
    said = ""
    while "a defect" not in said and time.monotonic() < give_up:
        time.sleep(0.02)
        said = "".join(house.output)
    assert said.count("Traceback") == said.count("a defect") == 1
    house.output.clear()


@pytest.mark.parametrize(
    "brand",
    [
        {"BRAND_NAME": "<b>Ministry</b> of \u202eSilly Walks"},
        {"BRAND_NAME": "W" * 80, "BRAND_COLOR": "#ffff00"},
        {"BRAND_COLOR": "#000000"},
        {"BRAND_COLOR": "#ffffff"},
        {"BRAND_COLOR": "#808080"},
    ],
    ids=["markup", "long and bright", "black", "white", "grey"],
)
def test_a_house_in_other_colours(
    open_house: Open, visit: Visit, brand: dict[str, Any]
) -> None:
    """Whatever name and colour are set, everything can be read."""
    house = open_house(**brand)
    settle("bob@example.com")
    visitor = visit(house)
    visitor.open("/sign-in")
    shown = visitor.page.locator(".brand")
    expect(shown).to_have_text(brand.get("BRAND_NAME", "Vestibule"))
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light"
        )
        assert visitor.obstacles() == []
    visitor.page.set_viewport_size({"width": 360, "height": 800})
    assert visitor.overflow() <= 0

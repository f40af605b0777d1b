#!/usr/bin/env python3
"""My sessions in two browsers: one ends what the other has."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.scenes import PASSWORD, PHONE
from tests.browser.visitor import Visitor
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

SESSIONS = "/account/sessions"


def signed_in(visitor: Visitor, user: User) -> Visitor:
    """Sign a user in, and return the browser."""
    assert user.email is not None
    visitor.sign_in(user.email, PASSWORD)
    return visitor


def rows(visitor: Visitor) -> Locator:
    """Return the sessions that the page lists."""
    return visitor.page.locator("ul.rows > li")


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_one_ends_the_session_of_the_other(
    house: Server, visit: Visit, bob: User, script: bool
) -> None:
    """Which is out at its next click, and told why."""
    laptop = signed_in(visit(house, java_script_enabled=script), bob)
    phone = signed_in(
        visit(house, java_script_enabled=script, user_agent=PHONE), bob
    )
    laptop.follow("Sessions")
    laptop.is_at(SESSIONS)
    expect(rows(laptop)).to_have_count(2)
    own, other = rows(laptop).all()
    expect(own).to_contain_text("on Linux")
    expect(own).to_contain_text("This session")
    expect(own.get_by_role("button")).to_have_count(0)
    expect(other).to_contain_text("Chrome on Android")
    expect(other).to_contain_text("127.0.0.1")
    other.locator("summary").click()
    other.get_by_role("button", name="End this session").click()
    expect(rows(laptop)).to_have_count(1)
    expect(laptop.page.get_by_role("status")).to_contain_text("ended")
    phone.follow("Sessions")
    phone.is_at("/sign-in")
    phone.sees("You ended this session from another device.")
    laptop.open("/account")


def test_nothing_ends_by_one_press(
    house: Server, visit: Visit, bob: User
) -> None:
    """Ending a session has to be confirmed."""
    laptop = signed_in(visit(house), bob)
    phone = signed_in(visit(house, user_agent=PHONE), bob)
    laptop.open(SESSIONS)
    button = laptop.page.get_by_role("button", name="End this session")
    expect(button).to_be_hidden()
    laptop.page.locator("summary").first.click()
    expect(button).to_be_visible()
    phone.open("/account")


def test_all_others_end_at_once(
    house: Server, visit: Visit, bob: User
) -> None:
    """The one that asks goes on."""
    laptop = signed_in(visit(house), bob)
    others = [signed_in(visit(house, user_agent=PHONE), bob) for _ in range(2)]
    laptop.open(SESSIONS)
    expect(rows(laptop)).to_have_count(3)
    laptop.page.get_by_text("End all others").click()
    laptop.press("End all other sessions")
    laptop.sees("You have no other sessions.")
    expect(rows(laptop)).to_have_count(1)
    for other in others:
        other.page.reload()
        other.is_at("/sign-in")
    laptop.open("/account")


def test_a_session_that_is_gone_already(
    house: Server, visit: Visit, bob: User
) -> None:
    """Ending it once more does no harm, and is told."""
    laptop = signed_in(visit(house), bob)
    phone = signed_in(visit(house, user_agent=PHONE), bob)
    laptop.open(SESSIONS)
    phone.press("Sign out")
    phone.is_at("/signed-out")
    laptop.page.locator("li summary").click()
    laptop.press("End this session")
    expect(laptop.page.get_by_role("status")).to_contain_text("already")
    expect(rows(laptop)).to_have_count(1)


def test_moments_in_words_and_exactly(
    house: Server, visit: Visit, bob: User
) -> None:
    """The words are for reading, the exact time is for hovering."""
    visitor = signed_in(visit(house), bob)
    visitor.open(SESSIONS)
    for moment in rows(visitor).first.locator("time").all():
        expect(moment).to_have_text(re.compile(r"\d+ seconds? ago|now"))
        title = moment.get_attribute("title")
        assert title is not None and re.search(r"\d{4}.*\d:\d\d:\d\d", title)


def test_a_form_that_is_sent_with_a_stale_session(
    house: Server, visit: Visit, bob: User
) -> None:
    """It changes nothing, and leads to sign in."""
    laptop = signed_in(visit(house), bob)
    phone = signed_in(visit(house, user_agent=PHONE), bob)
    laptop.open(SESSIONS)
    laptop.page.locator("li summary").click()
    cookies = laptop.context.cookies()
    laptop.context.clear_cookies(name=COOKIE)
    laptop.press("End this session")
    laptop.is_at("/sign-in")
    phone.open("/account")
    assert any(cookie.get("name") == COOKIE for cookie in cookies)
    assert len(UserSession.search({"user_id": bob.id})) == 2


@pytest.mark.parametrize(
    "user_agent",
    [
        "<script>alert(1)</script>",
        '"><img src=/x onerror=alert(1)>',
        "\u202egnp.exe".encode().decode("latin-1"),
        "x" * 10_000,
        "{{ 7*7 }}",
    ],
)
def test_whatever_a_browser_calls_itself(
    house: Server, visit: Visit, bob: User, user_agent: str
) -> None:
    """It is text on the page, if it is there at all, and nothing breaks."""
    laptop = signed_in(visit(house), bob)
    signed_in(visit(house, user_agent=user_agent), bob)
    for path in (SESSIONS, "/account/activity"):
        laptop.open(path)
        assert laptop.overflow() <= 0
        assert laptop.page.locator("main script, main img").count() == 0
